"""Directions of pictures whose direction is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kadr.stylize.looks.structure_tensor import local_directions


def _stripes(angle: float, size: int = 64, period: float = 9.0) -> np.ndarray:
    """Stripes that run at ``angle`` from the x axis towards y."""
    y, x = np.mgrid[0:size, 0:size]
    wave = np.sin((y * np.cos(angle) - x * np.sin(angle)) * 2 * np.pi / period)
    return np.repeat((128 + 90 * wave)[..., None], 3, axis=2).astype(np.uint8)


@settings(max_examples=40, deadline=None)
@given(st.floats(0, np.pi))
def test_the_tangent_runs_along_stripes(angle: float) -> None:
    directions = local_directions(_stripes(angle), sigma=2.0)
    inner = directions.tangent[16:-16, 16:-16]
    along = np.abs(inner @ np.array([np.cos(angle), np.sin(angle)]))
    assert np.degrees(np.arccos(np.minimum(along, 1))).max() < 3
    assert directions.anisotropy[16:-16, 16:-16].min() > 0.95


def test_vectors_are_unit_and_finite_even_where_nothing_is() -> None:
    directions = local_directions(np.full((20, 30, 3), 77, np.uint8), sigma=2.0)
    np.testing.assert_allclose(np.linalg.norm(directions.tangent, axis=2), 1, atol=1e-5)
    assert directions.anisotropy.max() == 0


def test_flat_places_follow_the_form_near_them() -> None:
    image = np.full((80, 80, 3), 100, np.uint8)
    image[:, 40:] = 180
    grain = np.random.default_rng(1).integers(-1, 2, image.shape)
    noisy = (image + grain).astype(np.uint8)
    tangent = local_directions(noisy, sigma=2.0).tangent
    # 12 pixels from the upright edge there is only grain
    assert np.abs(tangent[20:60, 28, 1]).mean() > 0.9


def test_a_picture_of_one_pixel() -> None:
    assert local_directions(np.zeros((1, 1, 3), np.uint8), 2.0).tangent.shape == (1, 1, 2)


def test_a_fixed_direction_rules_where_there_is_no_form() -> None:
    fixed = (float(np.cos(0.7)), float(np.sin(0.7)))
    flat = np.full((40, 40, 3), 90, np.uint8)
    tangent = local_directions(flat, 1.0, steady=10.0, fixed=fixed).tangent
    assert np.abs(tangent @ np.array(fixed)).min() > 0.999
    flat[:, 20:] = 200
    tangent = local_directions(flat, 1.0, steady=10.0, fixed=fixed).tangent
    assert np.abs(tangent[5:-5, 20, 1]).min() > 0.99


def test_form_is_at_edges_and_not_in_smooth_places() -> None:
    image = np.full((60, 80, 3), 90, np.uint8)
    image[:, 40:] = 200
    shaded = np.clip(image + np.linspace(0, 30, 60)[:, None, None], 0, 255).astype(np.uint8)
    form = local_directions(shaded, 2.0).form
    assert form[:, 39:41].min() > 0.9
    assert form[:, :25].max() < 0.1


@pytest.mark.parametrize("size", [(90, 120), (91, 123)])
def test_large_sigmas_work_on_a_reduced_image(size: tuple[int, int]) -> None:
    y, x = np.mgrid[0 : size[0], 0 : size[1]]
    stripes = np.repeat((128 + 90 * np.sin((y + x) / 7))[..., None], 3, axis=2).astype(np.uint8)
    directions = local_directions(stripes, 8.0)
    assert directions.tangent.shape == (*size, 2)
    along = np.abs(directions.tangent[20:-20, 20:-20] @ np.array([-1, 1])) / np.sqrt(2)
    assert along.min() > 0.99
