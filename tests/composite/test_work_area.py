"""Tiles of masks, and the window that passes work on."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kadr.composite.work_area import (
    EVERY,
    WorkArea,
    make_work_area,
    margin_cells,
    pack_tiles,
    touched_tiles,
)

SIZE = (190, 130)


def _mask(x: int, y: int, width: int, height: int) -> np.ndarray:
    mask = np.zeros(SIZE[::-1], bool)
    mask[y : y + height, x : x + width] = True
    return mask


@settings(max_examples=40, deadline=None)
@given(
    x=st.integers(0, 189), y=st.integers(0, 129), side=st.integers(1, 60),
    tile=st.sampled_from([8, 16, 28]), reach=st.integers(0, 40),
)  # fmt: skip
def test_what_a_matte_reaches_is_needed(x: int, y: int, side: int, tile: int, reach: int) -> None:
    mask = _mask(x, y, side, side)
    area = make_work_area(SIZE, tile, {3: pack_tiles(touched_tiles(mask, tile, reach))})
    left, top, width, height = area.window
    needed = np.zeros(SIZE[::-1], bool)
    part = area.needed(3, (width, height))
    assert part is not None
    needed[top : top + height, left : left + width] = part
    reached = _mask(max(0, x - reach), max(0, y - reach),
                    side + reach + min(x, reach), side + reach + min(y, reach))  # fmt: skip
    assert needed[reached].all()
    beyond = 2 * tile + reach + tile
    far = ~_mask(max(0, x - beyond), max(0, y - beyond), side + 2 * beyond, side + 2 * beyond)
    assert not needed[far].any()


def test_a_feather_of_a_few_pixels_needs_no_other_tiles() -> None:
    assert margin_cells(0, 16) == margin_cells(4, 16) < margin_cells(5, 16)
    assert margin_cells(5, 16) == margin_cells(20, 16) < margin_cells(21, 16)


def test_the_window_has_room_for_all_frames() -> None:
    tiles = {
        index: pack_tiles(touched_tiles(_mask(20 + 6 * index, 40, 20, 20), 8, 0))
        for index in range(4)
    }
    area = make_work_area(SIZE, 8, tiles)
    left, top, width, height = area.window
    assert left <= 20
    assert left + width >= 58
    assert top <= 40 <= 60 <= top + height
    assert width * height < 0.5 * SIZE[0] * SIZE[1]
    image = np.arange(SIZE[0] * SIZE[1]).reshape(SIZE[::-1])
    assert np.array_equal(area.crop(image, 1), image[top : top + height, left : left + width])
    assert area.part([1]).window == area.window
    assert set(area.part([1]).tiles) == {1}


@pytest.mark.parametrize("mask", [_mask(0, 0, 190, 130), _mask(0, 0, 0, 0)])
def test_nothing_is_cropped_if_little_is_saved_or_nothing_known(mask: np.ndarray) -> None:
    area = make_work_area(SIZE, 8, {0: pack_tiles(touched_tiles(mask, 8, 0))})
    assert area.is_whole
    image = np.zeros(SIZE[::-1])
    assert area.crop(image, 0) is image


def test_one_mask_for_all_frames() -> None:
    area = make_work_area(SIZE, 8, {EVERY: pack_tiles(touched_tiles(_mask(8, 8, 30, 30), 8, 0))})
    first, last = (area.needed(index, area.window[2:]) for index in (0, 99))
    assert first is not None
    assert np.array_equal(first, last)
    assert area.part([5]).tiles == area.tiles


def test_a_reduced_window_needs_the_same_places() -> None:
    area = make_work_area(SIZE, 8, {0: pack_tiles(touched_tiles(_mask(64, 40, 24, 24), 8, 0))})
    width, height = area.window[2:]
    full, half = area.needed(0, (width, height)), area.needed(0, (width // 2, height // 2))
    assert full is not None
    assert half is not None
    assert np.array_equal(full[1::2, 1::2][: height // 2, : width // 2], half)


def test_values_survive_json_and_the_digest_tells_areas_apart() -> None:
    area = make_work_area(SIZE, 8, {2: pack_tiles(touched_tiles(_mask(8, 8, 30, 30), 8, 0))})
    again = WorkArea.from_values(json.loads(json.dumps(area.to_values())))
    assert again == area
    assert again.digest == area.digest
    assert again.digests([2, 3], 1) == area.digests([2, 3], 1)
    other = make_work_area(SIZE, 8, {2: pack_tiles(touched_tiles(_mask(8, 8, 38, 30), 8, 0))})
    assert other.digest != area.digest


def test_a_window_follows_what_crosses_the_frame() -> None:
    tiles = {
        index: pack_tiles(touched_tiles(_mask(5 + 15 * index, 50, 20, 20), 8, 0))
        for index in range(11)
    }
    tiles[11] = pack_tiles(touched_tiles(_mask(0, 0, 0, 0), 8, 0))
    area = make_work_area(SIZE, 8, tiles, follow=True)
    assert area.window[2] < 64
    assert make_work_area(SIZE, 8, tiles).window[2] > 170
    windows = [area.window_of(index) for index in range(12)]
    assert windows[11] == windows[10], "an empty mask leaves it where it was"
    for index, (left, top, width, height) in enumerate(windows[:11]):
        assert (width, height) == area.window[2:]
        assert 0 <= left <= left + width <= SIZE[0]
        assert 0 <= top <= top + height <= SIZE[1]
        needed = area.needed(index, (width, height))
        assert needed is not None
        x = 5 + 15 * index - left
        assert needed[50 - top : 70 - top, x : min(x + 20, width)].all()
    again = WorkArea.from_values(json.loads(json.dumps(area.to_values())))
    assert again == area
    assert set(area.part([3]).corners) == {3}
    assert not area.without_tiles().tiles


def test_a_window_stands_still_where_following_saves_little() -> None:
    tiles = {
        index: pack_tiles(touched_tiles(_mask(40 + 3 * index, 40, 40, 40), 8, 0))
        for index in range(5)
    }
    area = make_work_area(SIZE, 8, tiles, follow=True)
    assert not area.corners


def test_hashes_of_a_pass_depend_on_its_frames_up_to_there() -> None:
    masks = {index: _mask(20, 40, 20, 20) for index in range(9)}
    masks[8] = _mask(20, 40, 60, 20)

    def area() -> WorkArea:
        return make_work_area(
            SIZE, 8, {index: pack_tiles(touched_tiles(mask, 8, 0)) for index, mask in masks.items()}
        )

    before = area()
    masks[4] = _mask(20, 40, 40, 20)
    after = area()
    assert before.digest == after.digest, "the window is that of frame 8"

    def differ(frames: range) -> list[bool]:
        hashes = [item.digests(frames, 3) for item in (before, after)]
        return [a != b for a, b in zip(*hashes, strict=True)]

    assert differ(range(9)) == [False, True, True]
    assert differ(range(8, -1, -1)) == [False, True, True]
    assert differ(range(5, 9)) == [False, False]
    assert before.digests(range(4), 3)[0] == before.digests(range(9), 3)[0]
    masks[4] = _mask(20, 40, 70, 20)
    assert area().digest != before.digest
