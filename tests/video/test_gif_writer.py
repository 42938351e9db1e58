"""The GIF writer's table of nearest palette entries."""

from __future__ import annotations

import numpy as np
import pytest

from kadr.video.gif_writer import nearest_entries


def _grid() -> np.ndarray:
    levels = np.linspace(0, 255, 64)
    return np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(-1, 3)


@pytest.mark.parametrize("count", [1, 2, 17, 255])
def test_every_colour_gets_its_nearest_entry(count: int) -> None:
    rng = np.random.default_rng(count)
    palette = rng.integers(0, 256, (count, 3), dtype=np.uint8)
    nearest = nearest_entries(palette)
    assert nearest.shape == (64**3,)
    sample = rng.integers(0, 64**3, 2000)
    distances = np.linalg.norm(_grid()[sample, None] - palette, axis=2)
    picked = distances[np.arange(len(sample)), nearest[sample]]
    np.testing.assert_allclose(picked, distances.min(axis=1), atol=1e-4)


def test_of_equally_near_entries_the_first_is_taken() -> None:
    palette = np.array([[9, 9, 9], [200, 0, 0], [0, 200, 0], [9, 9, 9]], np.uint8)
    nearest = nearest_entries(palette).reshape(64, 64, 64)
    assert nearest[0, 0, 0] == 0
    assert nearest[40, 40, 0] == 1
