"""Ink: one line for an edge, black shadows, colours in steps."""

from __future__ import annotations

import numpy as np
import pytest

from kadr.stylize.ink import InkOptions, draw_ink


def _ink(image: np.ndarray, **options: float) -> np.ndarray:
    return draw_ink(image, InkOptions(**{"grain": 0.0, **options}), seed=1)


def _step(dark: int, light: int) -> np.ndarray:
    image = np.full((200, 200, 3), dark, np.uint8)
    image[:, 100:] = light
    return image


def test_a_step_edge_gives_one_dark_line() -> None:
    drawn = _ink(_step(120, 220), line_width=6.0, detail=0.6)[100].mean(axis=1)
    dark = np.flatnonzero(drawn < 50)
    assert len(dark) > 1
    assert (np.diff(dark) == 1).all(), "one run of pixels"
    # on the dark side of the edge, as wide as the option says at this size, to a pixel or two
    assert 92 < dark.min() <= dark.max() <= 100
    assert drawn[:80].min() > 90


def test_a_wider_line_is_wider() -> None:
    widths = [
        (_ink(_step(120, 220), line_width=width, detail=0.6)[100].mean(axis=1) < 60).sum()
        for width in (3.0, 6.0, 12.0)
    ]
    assert widths[0] < widths[1] < widths[2]


def test_weak_edges_get_lines_with_more_detail_only() -> None:
    darkest = [_ink(_step(140, 160), line_width=6.0, detail=detail).min() for detail in (0.0, 1.0)]
    assert darkest[0] > 100
    assert darkest[1] < 60


def test_shadows_fill_with_ink() -> None:
    image = _step(25, 230)
    assert _ink(image, blacks=0.6)[100, 70].max() < 40
    assert _ink(image, blacks=0.0)[100, 70].max() > 40


def test_colours_come_in_steps() -> None:
    ramp = np.repeat(np.linspace(90, 250, 400)[None, :, None], 200, axis=0)
    image = np.repeat(ramp, 3, axis=2).astype(np.uint8)
    drawn = _ink(image, shades=4, detail=0.0, blacks=0.0)[100, :, 1].astype(float)
    flat = np.abs(np.gradient(drawn)) < 0.1
    assert flat.mean() > 0.35


def test_without_colour_there_are_ink_and_paper_only() -> None:
    image = _step(120, 220)
    image[..., 0] = 250
    drawn = _ink(image, colour=0.0, detail=0.6).reshape(-1, 3)
    assert np.ptp(drawn.astype(int), axis=1).max() < 20


@pytest.mark.parametrize("saturation", [0.0, 2.0])
def test_saturation(saturation: float) -> None:
    image = np.full((60, 60, 3), (190, 120, 100), np.uint8)
    spread = np.ptp(_ink(image, saturation=saturation)[30, 30].astype(int))
    assert spread < 20 if saturation == 0 else spread > 90
