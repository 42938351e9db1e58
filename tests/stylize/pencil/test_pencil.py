"""Pencil: graphite on paper, lines where edges are, crayons on request."""

from __future__ import annotations

import numpy as np

from kadr.stylize.pencil.stylizer import PencilOptions, draw_pencil


def _draw(image: np.ndarray, **options: float) -> np.ndarray:
    return draw_pencil(image, PencilOptions(**{"grain": 0.0, **options}), seed=1)


def _step(dark: tuple[int, int, int], light: tuple[int, int, int]) -> np.ndarray:
    image = np.empty((150, 150, 3), np.uint8)
    image[:, :75], image[:, 75:] = dark, light
    return image


def test_white_is_bare_paper() -> None:
    assert _draw(np.full((60, 60, 3), 255, np.uint8)).min() > 235


def test_graphite_is_grey_whatever_the_film() -> None:
    drawn = _draw(_step((200, 40, 30), (40, 90, 220))).astype(int)
    assert np.ptp(drawn, axis=2).max() < 14


def test_crayons_have_the_colours_of_the_film() -> None:
    drawn = _draw(_step((200, 60, 50), (50, 80, 210)), colour=1.0).astype(float)
    left, right = drawn[:, 10:60].mean(axis=(0, 1)), drawn[:, 90:140].mean(axis=(0, 1))
    assert left[0] > left[2] + 15
    assert right[2] > right[0] + 15


def test_darker_tone_has_denser_hatching() -> None:
    covered = [
        (_draw(np.full((150, 150, 3), level, np.uint8)).mean(axis=2) < 190).mean()
        for level in (220, 150, 80, 20)
    ]
    assert covered[0] < covered[1] < covered[2] <= covered[3]


def test_lines_only() -> None:
    drawn = _draw(_step((120, 120, 120), (220, 220, 220)), tone=0.0, lines=1.0).mean(axis=2)
    row = drawn[75]
    assert row[65:76].min() < 140
    assert min(row[:55].min(), row[95:].min()) > 235


def test_hatching_only() -> None:
    drawn = _draw(_step((250, 250, 250), (250, 250, 250)), lines=0.0)
    assert drawn.min() > 225
    without, lined = (
        _draw(_step((120, 120, 120), (220, 220, 220)), lines=lines).mean(axis=2)
        for lines in (0.0, 1.0)
    )
    assert lined[:, 70:75].mean() < without[:, 70:75].mean() - 8
