"""Contact sheets: where frames land, what is marked, what is refused."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from kadr.core.frames import Frame
from kadr.errors import OptionsError
from kadr.video.contact_sheet import contact_sheet

COLORS = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (200, 200, 30), (30, 200, 200)]


def _plain(index: int, color: tuple[int, ...], size: tuple[int, int] = (64, 36)) -> Frame:
    image = np.full((size[1], size[0], len(color)), color, np.uint8)
    return Frame(index, image, Fraction(index, 24))


def _track(count: int, first: int = 0) -> list[Frame]:
    return [_plain(first + index, COLORS[index]) for index in range(count)]


def _box(sheet: np.ndarray, color: tuple[int, ...]) -> tuple[int, int, int, int]:
    """(top, left, height, width) of a colour on the sheet; it must fill its box."""
    mask = (sheet == color).all(axis=2)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = rows[0], columns[0], rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    assert mask.sum() == box[2] * box[3]
    return box


def test_frames_stand_in_reading_order_at_the_size_asked_for() -> None:
    sheet = contact_sheet(_track(5), columns=3, cell_width=128)
    boxes = [_box(sheet, color) for color in COLORS]
    assert {box[2:] for box in boxes} == {(72, 128)}
    assert boxes == sorted(boxes)
    tops = [box[0] for box in boxes]
    assert tops[0] == tops[1] == tops[2] < tops[3] == tops[4]
    assert boxes[0][1] == boxes[3][1]


def test_tracks_stand_above_one_another() -> None:
    above, below = [_plain(7, COLORS[0])], [_plain(0, COLORS[1])]
    sheet = contact_sheet(above, below, cell_width=64)
    top, bottom = _box(sheet, COLORS[0]), _box(sheet, COLORS[1])
    assert bottom == (top[0] + 36, top[1], 36, 64)


def test_only_keys_are_marked_and_by_the_first_track() -> None:
    filmed, painted = _track(3, first=100), _track(3)
    marked = contact_sheet(filmed, painted, keys={101}, columns=3).astype(int)
    other = contact_sheet(filmed, painted, keys={1}, columns=3)
    assert np.array_equal(other, contact_sheet(filmed, painted, columns=3))
    columns = np.flatnonzero((marked != other).any(axis=(0, 2)))
    third = marked.shape[1] / 3
    assert third <= columns[0] < columns[-1] < 2 * third


def test_labels_tell_number_and_time() -> None:
    plain = _plain(12, COLORS[0])
    sheet = contact_sheet([plain])
    assert not np.array_equal(sheet, contact_sheet([plain], number=lambda index: index + 1000))
    later = Frame(12, plain.image, plain.time + 60)
    assert not np.array_equal(sheet, contact_sheet([later]))
    below = sheet[_box(sheet, COLORS[0])[0] + 180 :]
    assert np.ptp(below.astype(int), axis=(0, 1)).min() > 150, "no readable text under the frame"


def test_a_frame_of_another_shape_is_fitted_whole() -> None:
    tall = _plain(1, COLORS[1], size=(36, 72))
    sheet = contact_sheet([_plain(0, COLORS[0]), tall], cell_width=128)
    assert _box(sheet, COLORS[1])[2:] == (72, 36)


def test_transparent_pixels_show_a_chequered_ground() -> None:
    clear = _plain(0, (200, 30, 30, 0))
    half = _plain(0, (200, 30, 30, 128))
    assert not (contact_sheet([clear]) == (200, 30, 30)).all(axis=2).any()
    assert len(np.unique(contact_sheet([half]).reshape(-1, 3), axis=0)) > 2


def test_sixteen_bits_look_like_eight() -> None:
    deep = Frame(0, np.full((36, 64, 3), 257 * np.uint16(100), np.uint16))
    assert _box(contact_sheet([deep], cell_width=64), (100, 100, 100))[2:] == (36, 64)


@pytest.mark.parametrize("tracks", [[], [[]], [_track(2), _track(1)]])
def test_tracks_that_do_not_match_are_refused(tracks: list[list[Frame]]) -> None:
    with pytest.raises(OptionsError, match="the same number in each"):
        contact_sheet(*tracks)


@pytest.mark.parametrize("options", [{"columns": 0}, {"cell_width": 3}])
def test_sizes_out_of_range_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(OptionsError, match="expected at least"):
        contact_sheet(_track(1), **options)
