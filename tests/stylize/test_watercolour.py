"""Watercolour: light washes, dark rims, bare paper."""

from __future__ import annotations

import numpy as np

from kadr.stylize.watercolour import WatercolourOptions, draw_watercolour

_CALM = {"grain": 0.0, "flow": 0.0, "wobble": 0.0, "detail": 0.0}


def _paint(image: np.ndarray, **options: float) -> np.ndarray:
    return draw_watercolour(image, WatercolourOptions(**{**_CALM, **options}), seed=1)


def _square(inside: tuple[int, int, int], size: int = 200) -> np.ndarray:
    image = np.full((size, size, 3), 255, np.uint8)
    image[60:140, 60:140] = inside
    return image


def test_white_is_bare_paper() -> None:
    paper = _paint(np.full((60, 60, 3), 255, np.uint8))
    assert np.ptp(paper.reshape(-1, 3), axis=0).max() == 0
    assert paper.min() > 240


def test_a_wash_has_a_dark_rim_inside_its_edge() -> None:
    row = _paint(_square((120, 150, 190)), edges=1.0)[100].mean(axis=1)
    rim, middle, outside = row[60:66].min(), row[95:105].mean(), row[20:50].mean()
    assert rim < middle - 8
    assert outside > 240
    without = _paint(_square((120, 150, 190)), edges=0.0)[100].mean(axis=1)
    assert without[61:139].min() > without[95:105].mean() - 3


def test_washes_are_lighter_than_their_motif_and_never_black() -> None:
    for level in (0, 40, 100, 180):
        assert _paint(np.full((60, 60, 3), level, np.uint8)).mean() > level + 2
    assert _paint(np.zeros((60, 60, 3), np.uint8)).mean() > 20


def test_the_hue_stays() -> None:
    painted = _paint(np.full((60, 60, 3), (200, 120, 60), np.uint8))[30, 30].astype(int)
    assert painted[0] > painted[1] + 20 > painted[2] + 40


def test_outlines_waver_where_they_should_and_stay_near() -> None:
    straight = _paint(_square((60, 60, 60)))[:, 100].mean(axis=1)
    wavering = _paint(_square((60, 60, 60)), wobble=8.0)
    starts = (wavering.mean(axis=2) < 180)[:, 65:135].argmax(axis=0)
    assert (straight < 180).argmax() == 60 or abs((straight < 180).argmax() - 60) <= 1
    assert np.ptp(starts) >= 2
    assert np.abs(starts - 60).max() < 12


def test_pigment_flows_unevenly_and_keeps_its_amount() -> None:
    grey = np.full((270, 270, 3), 140, np.uint8)
    even, uneven = _paint(grey).astype(float), _paint(grey, flow=1.0).astype(float)
    assert even.std(axis=(0, 1)).max() < 0.1
    assert uneven.std(axis=(0, 1)).max() > 3
    assert abs(uneven.mean() - even.mean()) < 6
