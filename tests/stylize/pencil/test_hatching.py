"""Hatching: denser where it is darker, along its directions, at fixed places."""

from __future__ import annotations

import numpy as np
import pytest

from kadr.stylize.looks.structure_tensor import Directions, local_directions
from kadr.stylize.pencil.hatching import hatch

SIZE = (120, 120)


def _directions(degrees: float) -> Directions:
    angle = np.radians(degrees)
    tangent = np.empty((*SIZE, 2), np.float32)
    tangent[...] = np.cos(angle), np.sin(angle)
    ones = np.ones(SIZE, np.float32)
    return Directions(tangent, ones, ones)


def _hatch(darkness: float, degrees: float = 30.0, **options: float) -> np.ndarray:
    values = {"cross": 0.0, "seed": 1, **options}
    return hatch(np.full(SIZE, darkness, np.float32), _directions(degrees), 2.0, 24.0, **values)


def test_white_stays_bare_and_darker_is_denser() -> None:
    assert _hatch(0.0).min() == 1
    left = [_hatch(darkness).mean() for darkness in (0.1, 0.3, 0.5, 0.7, 0.9)]
    assert (np.diff(left) < -0.02).all()
    covered = [(_hatch(darkness) < 0.8).mean() for darkness in (0.2, 0.5, 0.8)]
    assert covered[0] < covered[1] < covered[2]


@pytest.mark.parametrize("degrees", [0.0, 35.0, 90.0, 140.0])
def test_strokes_run_along_the_directions(degrees: float) -> None:
    drawn = (255 * _hatch(0.5, degrees)).astype(np.uint8)
    tangent = local_directions(np.repeat(drawn[..., None], 3, axis=2), 6.0).tangent[20:-20, 20:-20]
    angle = np.radians(degrees)
    along = np.abs(tangent @ np.array([np.cos(angle), np.sin(angle)]))
    assert np.degrees(np.arccos(np.clip(along, 0, 1))).mean() < 8


def test_crossing_layers_turn_away() -> None:
    straight, crossed = (_hatch(0.9, 0.0, cross=cross) for cross in (0.0, 1.0))
    rows = [np.abs(np.diff(drawn, axis=1)).mean() for drawn in (straight, crossed)]
    assert rows[1] > 1.3 * rows[0]


def test_strokes_stay_where_they_are_if_the_tone_changes_elsewhere() -> None:
    tone = np.full(SIZE, 0.6, np.float32)
    tone[:40, :40] = 0.1
    changed = hatch(tone, _directions(30.0), 2.0, 24.0, cross=0.0, seed=1)
    np.testing.assert_array_equal(changed[45:], _hatch(0.6)[45:])


def test_threads_change_nothing() -> None:
    np.testing.assert_array_equal(_hatch(0.7, threads=1), _hatch(0.7, threads=4))
