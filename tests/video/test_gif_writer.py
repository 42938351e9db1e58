"""The GIF writer's table of nearest palette entries, and how long it shows frames."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from kadr import Frame, create_clip
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


def _delays(path: Path, rate: Fraction, count: int = 12) -> list[int]:
    """Milliseconds that each frame of a GIF is shown."""
    with create_clip(path, like=None, frame_rate=rate) as writer:
        for index in range(count):
            writer.write(Frame(index, np.full((8, 8, 3), 20 * index, np.uint8)))
    with Image.open(path) as image:
        return [frame.info["duration"] for frame in ImageSequence.Iterator(image)]


@pytest.mark.parametrize(
    ("rate", "delays"),
    [
        (Fraction(30), [30, 40, 30] * 4),
        (Fraction(24), [40, 40, 40, 50, 40, 40] * 2),
        (Fraction(25), [40] * 12),
        (Fraction(50), [20] * 12),
        (Fraction(60), [20] * 10),  # one in six would have to be shorter
    ],
)
def test_delays_are_as_near_as_the_format_allows(
    rate: Fraction, delays: list[int], tmp_path: Path
) -> None:
    shown = _delays(tmp_path / "a.gif", rate)
    assert sum(shown) == pytest.approx(1000 * 12 / rate, abs=10)
    assert len(shown) == len(delays)
    assert max(shown) - min(shown) <= 10
    assert sorted(shown) == sorted(delays)
