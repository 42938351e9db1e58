"""Mixing band by band: whole shares give an image back, colours mix as weights say."""

from __future__ import annotations

import numpy as np
import pytest

from kadr.blend.bands import blend_bands
from scenes import texture


def _shares(first: np.ndarray) -> list[np.ndarray]:
    return [first.astype(np.float32), (1 - first).astype(np.float32)]


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (7, 5), (9, 64), (60, 90)])
@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_whole_share_gives_that_image(size: tuple[int, int], share: float) -> None:
    images = [texture(*size, seed=1), texture(*size, seed=2)]
    joined = blend_bands(images, _shares(np.full(size, share)))
    assert np.abs(joined.astype(int) - images[0 if share else 1]).max() <= 1


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.9])
def test_flat_colours_mix_as_the_shares_say(share: float) -> None:
    images = [np.full((30, 40, 4), level, np.uint8) for level in (40, 240)]
    joined = blend_bands(images, _shares(np.full((30, 40), share)))
    assert np.abs(joined - (40 * share + 240 * (1 - share))).max() <= 1


def test_a_hard_edge_between_colours_is_spread_widely() -> None:
    images = [np.full((64, 96, 3), level, np.uint8) for level in (40, 240)]
    joined = blend_bands(images, _shares(np.tile(np.arange(96) < 48, (64, 1))))
    row = joined[32, :, 0].astype(int)
    assert (np.diff(row) >= 0).all()
    assert np.diff(row).max() < 30
    assert row[0] < 60
    assert row[-1] > 220


def test_each_side_keeps_its_own_texture() -> None:
    images = [texture(64, 128, seed=1), texture(64, 128, seed=2)]
    joined = blend_bands(images, _shares(np.tile(np.arange(128) < 64, (64, 1)))).astype(float)
    for image, side in ((images[0], slice(4, 40)), (images[1], slice(88, 124))):
        fine = [np.diff(array[:, side].astype(float), axis=1).ravel() for array in (image, joined)]
        assert np.corrcoef(*fine)[0, 1] > 0.99
