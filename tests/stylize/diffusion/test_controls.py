"""ControlNet images show what their names say."""

from __future__ import annotations

import numpy as np
import pytest
from stylize_samples import picture

from kadr.stylize.diffusion.controls import OWN_CONTROLS, canny, control_image, soft_edge, tile


def _step(contrast: int, noise: float = 0.0) -> np.ndarray:
    image = np.full((64, 64, 3), 100.0)
    image[:, 32:] += contrast
    image += np.random.default_rng(0).normal(0, noise, (64, 64, 1))
    return np.clip(image, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", OWN_CONTROLS)
def test_every_control_is_an_image_of_the_same_size(name: str) -> None:
    image = picture(48, 64)
    before = image.copy()
    made = OWN_CONTROLS[name](image)
    assert made.shape == image.shape
    assert made.dtype == np.uint8
    assert np.array_equal(image, before)


def test_canny_finds_the_step_and_nothing_else() -> None:
    found = canny(_step(120))[..., 0]
    assert set(np.unique(found)) == {0, 255}
    assert set(np.flatnonzero(found.any(axis=0))) <= {31, 32}
    assert found[:, 31:33].any(axis=1).all()
    assert not canny(_step(0)).any()


def test_soft_edge_is_bright_at_contours_and_dark_in_grain() -> None:
    steps = [int(soft_edge(_step(contrast))[32, 31:33, 0].max()) for contrast in (10, 40, 120)]
    assert steps == sorted(steps)
    assert steps[-1] > 180
    assert soft_edge(_step(0)).max() == 0
    grain = soft_edge(_step(120, noise=8))[..., 0]
    assert grain[:, 28:36].max() > 3 * grain[:, :20].mean()


def test_tile_is_the_frame() -> None:
    image = picture()
    assert np.array_equal(tile(image), image)


def test_lent_control_is_brought_to_size() -> None:
    asked = []

    def lent(name: str) -> np.ndarray:
        asked.append(name)
        return np.full((96, 128, 4), 7, np.uint8)

    made = control_image("depth", picture(48, 64), lent, (64, 48))
    assert asked == ["depth"]
    assert made.shape == (48, 64, 3)
    assert (made == 7).all()
    assert np.array_equal(control_image("tile", picture(48, 64), lent, (64, 48)), picture(48, 64))
    assert asked == ["depth"]
