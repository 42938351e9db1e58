"""Outlines: moved, softened, inverted, and brought to the edges of the frame."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kadr.core.frames import Frame
from kadr.errors import OptionsError
from kadr.matte.base import FrameMatte, work_image
from kadr.matte.edges import finish_edges
from kadr.matte.options import EdgeOptions


def _disc(radius: float, size: int = 80) -> np.ndarray:
    y, x = np.mgrid[:size, :size]
    return (np.hypot(x - size // 2, y - size // 2) <= radius).astype(np.float32)


def _item(matte: np.ndarray, *, exact: bool = True) -> FrameMatte:
    image = np.full((*matte.shape, 3), 120, np.uint8)
    return FrameMatte(Frame(0, image), image, matte, matte if exact else None)


def test_a_painted_matte_is_kept_as_it_is() -> None:
    soft = cv2.GaussianBlur(_disc(20), (0, 0), 3)
    np.testing.assert_array_equal(
        finish_edges(_item(soft), EdgeOptions()), np.rint(soft * 255).astype(np.uint8)
    )


@pytest.mark.parametrize("pixels", [-6, -3, 4, 7])
def test_grow_moves_the_outline_by_pixels(pixels: int) -> None:
    grown = finish_edges(_item(_disc(20)), EdgeOptions(grow=pixels)) > 127
    columns = np.flatnonzero(grown[40])
    # the tip of a disc of pixels is narrower than the disc that it is eroded by
    assert 2 * (20 + pixels) - 1 <= columns.size <= 2 * (20 + pixels) + 1


@settings(max_examples=15)
@given(st.integers(1, 6), st.booleans(), st.integers(0, 99))
def test_grow_is_a_grey_dilation(pixels: int, outwards: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    matte = cv2.resize(rng.random((5, 6), np.float32), (40, 32), interpolation=cv2.INTER_LINEAR)
    y, x = np.mgrid[-7:8, -7:8]
    disc = (np.hypot(x, y) <= pixels).astype(np.uint8)
    larger = (np.hypot(x, y) <= pixels + 1).astype(np.uint8)
    operation = cv2.dilate if outwards else cv2.erode
    grown = finish_edges(_item(matte), EdgeOptions(grow=pixels if outwards else -pixels)) / 255
    # between whole pixels the edge of the disc is antialiased; 16 levels
    bounds = sorted([operation(matte, disc), operation(matte, larger)], key=np.sum)
    assert (grown >= bounds[0] - 0.04).all()
    assert (grown <= bounds[1] + 0.04).all()


def test_parts_of_pixels_count() -> None:
    areas = [
        float(finish_edges(_item(_disc(20)), EdgeOptions(grow=grow)).sum())
        for grow in (1, 1.25, 1.5, 2)
    ]
    assert areas == sorted(areas)
    assert len(set(areas)) == 4


@settings(max_examples=15)
@given(st.floats(0.5, 6))
def test_feather_softens_and_keeps_the_area(sigma: float) -> None:
    soft = finish_edges(_item(_disc(18)), EdgeOptions(feather=sigma)).astype(np.float64)
    assert soft.sum() / 255 == pytest.approx(_disc(18).sum(), rel=0.02)
    assert ((soft > 20) & (soft < 235)).sum() > 50 * sigma


def test_invert_comes_last() -> None:
    options = {"grow": 3.0, "feather": 2.0}
    plain = finish_edges(_item(_disc(20)), EdgeOptions(**options)).astype(int)
    inverted = finish_edges(_item(_disc(20)), EdgeOptions(**options, invert=True)).astype(int)
    assert np.abs(plain + inverted - 255).max() <= 1


def test_the_outline_comes_to_the_edge_in_the_frame() -> None:
    truth = _disc(150, 600)
    frame = np.where(truth[..., None] > 0, np.uint8([200, 120, 60]), np.uint8([40, 90, 60]))
    beside = np.roll(truth, 2, axis=1)
    refined = finish_edges(FrameMatte(Frame(0, frame), frame, beside), EdgeOptions()) / 255
    wrong = [np.mean((matte > 0.5) != (truth > 0.5)) for matte in (beside, refined)]
    assert wrong[1] < 0.2 * wrong[0]


def test_a_matte_of_a_reduced_frame_comes_back_in_full_size() -> None:
    frame = Frame(0, np.full((300, 2000, 3), 50, np.uint8))
    frame.image[:, 1000:] = 200
    image = work_image(frame)
    assert image.shape == (192, 1280, 3)
    matte = np.zeros((192, 1280), np.float32)
    matte[:, 640:] = 1
    finished = finish_edges(FrameMatte(frame, image, matte), EdgeOptions())
    assert finished.shape == (300, 2000)
    assert finished[:, :997].max() == 0
    assert finished[:, 1003:].min() == 255


@pytest.mark.parametrize("level", [0, 1])
def test_without_an_outline_nothing_is_filtered(level: int) -> None:
    matte = np.full((40, 40), level, np.float32)
    assert (finish_edges(_item(matte, exact=False), EdgeOptions()) == 255 * level).all()


def test_options_have_limits() -> None:
    with pytest.raises(OptionsError, match="feather -1: expected 0 to 500"):
        EdgeOptions(feather=-1)
    with pytest.raises(ValueError, match="expected a matte"):
        FrameMatte(Frame(0, np.zeros((9, 9, 3), np.uint8)), np.zeros((9, 9, 3), np.uint8), _disc(3))
