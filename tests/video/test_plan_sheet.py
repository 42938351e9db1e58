"""The sheet of a plan: frames above, below them a curve that is as high as what is covered."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from kadr.core.frames import Frame, FrameRange
from kadr.errors import OptionsError
from kadr.video.plan_sheet import plan_sheet

_PAPER = (24, 24, 26)


def _frames(*indices: int, size: tuple[int, int] = (64, 48)) -> list[Frame]:
    shape = (size[1], size[0], 3)
    return [Frame(i, np.full(shape, 200, np.uint8), Fraction(i, 25)) for i in indices]


def _sheet(covered: list[float], *keys: int, shots: list[tuple[int, int]]) -> np.ndarray:
    ranges = [FrameRange(*shot) for shot in shots]
    return plan_sheet(iter(_frames(*keys)), np.array(covered), ranges, width=600)


def _filled(sheet: np.ndarray) -> np.ndarray:
    """(W,): how many pixels of each column are of the curve's area."""
    blue = sheet[..., 2].astype(int) - sheet[..., 0]
    return (blue > 40).sum(axis=0)


def test_the_area_is_as_high_as_the_coverage() -> None:
    full, half, none = (_sheet([share] * 21, 10, shots=[(0, 21)]) for share in (1.0, 0.5, 0.0))
    assert full.shape == half.shape == none.shape
    columns = slice(100, 250)
    heights = [_filled(sheet)[columns].mean() for sheet in (full, half, none)]
    assert heights[0] > 60
    assert heights[1] == pytest.approx(heights[0] / 2, abs=3)
    assert heights[2] < 5


def test_a_curve_falls_where_coverage_falls() -> None:
    filled = _filled(_sheet([1.0] * 10 + [0.2] * 11, 3, shots=[(0, 21)]))
    assert filled[80:250].mean() > 3 * filled[400:560].mean()


def test_keys_and_cuts_are_marked() -> None:
    def bright(sheet: np.ndarray) -> int:
        """Columns in which the lower part is of one light colour from top to bottom."""
        part = sheet[-90:-40].astype(int)
        return int((part.min(axis=0).sum(axis=1) > 300).sum())

    def gold(sheet: np.ndarray) -> int:
        part = sheet[-90:-40].astype(int)
        return int(((part[..., 0] - part[..., 2]).min(axis=0) > 60).sum())

    single = _sheet([0.0] * 20, 5, shots=[(0, 20)])
    double = _sheet([0.0] * 20, 5, 15, shots=[(0, 10), (10, 20)])
    assert gold(double) == 2 * gold(single) > 0
    assert bright(double) > bright(single)


def test_many_keys_of_any_size_fit_the_width() -> None:
    large = _frames(*range(60), size=(900, 500))
    sheet = plan_sheet(iter(large), np.ones(60), [FrameRange(0, 60)], width=800)
    assert 700 < sheet.shape[1] < 950
    assert sheet.dtype == np.uint8


def test_one_frame_and_few_keys_keep_the_width_of_the_curve() -> None:
    sheet = plan_sheet(iter(_frames(4)), np.ones(1), [FrameRange(4, 5)], width=800)
    assert 700 < sheet.shape[1] < 950
    assert tuple(sheet[5, -5]) == _PAPER


def test_a_curve_of_another_length_is_refused() -> None:
    with pytest.raises(OptionsError, match=r"a curve of \(3,\) for 4 frames"):
        plan_sheet(iter(_frames(0)), np.ones(3), [FrameRange(0, 4)])
    with pytest.raises(OptionsError, match="expected the same number in each"):
        plan_sheet(iter([]), np.ones(4), [FrameRange(0, 4)])
