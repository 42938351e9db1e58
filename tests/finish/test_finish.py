"""Finishing: known answers at several sizes, strokes stay whole, the same bytes for any threads."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kadr.core.warp import grid
from kadr.finish import FrameFields, KeyFinisher, refine_matches, register_positions
from kadr.finish.kernels import agree_rows
from scenes import paint, psnr, show, texture, translation

STYLE = paint(texture(96, 128, seed=2))


def _fields(scale: int, move: tuple[float, float] = (0, 0), sure: float = 1.0) -> FrameFields:
    """The whole picture moves by ``move`` pixels of the work size."""
    height, width = STYLE.shape[0] // scale, STYLE.shape[1] // scale
    positions = grid(height, width) - np.array(move, np.float32)
    return FrameFields(positions, positions.copy(), np.full((height, width), sure, np.float32))


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("sure", [0.0, 0.5, 1.0])
def test_the_keys_own_frame_is_the_style(scale: int, sure: float) -> None:
    finished = KeyFinisher(STYLE).finish(_fields(scale, sure=sure))
    assert np.abs(finished.astype(int) - STYLE).max() <= 4


@pytest.mark.parametrize("sure", [0.0, 1.0])
def test_the_style_moves_by_full_size_pixels(sure: float) -> None:
    finished = KeyFinisher(STYLE).finish(_fields(4, (1.25, -0.5), sure))
    assert psnr(finished, np.roll(STYLE, (-2, 5), (0, 1)), 8) > 45


def test_where_matches_vote_positions_do_not_count() -> None:
    fields = _fields(4, (2, 0), sure=0.0)
    wrong = replace(fields, positions=fields.positions + 9)
    finisher = KeyFinisher(STYLE)
    assert np.array_equal(finisher.finish(wrong), finisher.finish(fields))


def test_a_lone_wrong_match_follows_its_neighbours() -> None:
    flat = np.full_like(STYLE, 100)
    flat[:, 64:] = 180
    fields = _fields(4, sure=0.0)
    fields.matches[12, 8] = (28, 12)  # a bright patch among dark ones
    assert (KeyFinisher(flat).finish(fields)[:, :56] == 100).all()


def test_matches_of_another_surface_leave_no_edge() -> None:
    flat = np.full_like(STYLE, 100)
    flat[:, 64:] = 180
    fields = _fields(4, sure=0.0)
    fields.matches[10:14, 6:10, 0] += 20  # bright patches among dark ones
    row = KeyFinisher(flat).finish(fields)[50, :56, 0].astype(int)
    assert row.max() > 175
    assert np.abs(np.diff(row)).max() <= 24


def test_matches_that_move_together_move_by_less_than_a_pixel() -> None:
    """Whole matches 1 and 2 in turn: the mean of neighbours is one and a half."""
    motion = np.zeros((12, 16, 2), np.float32)
    motion[..., 0] = 1 + np.indices((12, 16)).sum(axis=0) % 2
    agreed = np.full_like(motion, np.nan)
    agree_rows(motion, agreed, 0, 12)
    assert np.abs(agreed[1:-1, 1:-1, 0] - 1.5).max() < 0.06


def test_alpha_is_finished_too() -> None:
    alpha = np.zeros((96, 128, 1), np.uint8)
    alpha[:, 64:] = 255
    finished = KeyFinisher(np.dstack([STYLE, alpha])).finish(_fields(2, (4, 0)))
    assert (finished[:, :66, 3] == 0).all()
    assert (finished[:, 76:, 3] == 255).all()


def test_the_same_bytes_for_any_number_of_threads() -> None:
    rng = np.random.default_rng(4)
    fields = _fields(3, (0.4, 0.3), 0.5)
    fields.matches[:] += rng.normal(0, 2, fields.matches.shape)
    one, four = (KeyFinisher(STYLE, threads=threads).finish(fields) for threads in (1, 4))
    assert np.array_equal(one, four)


@given(st.integers(4, 40), st.integers(4, 40), st.integers(0, 99))
def test_packing_again_gives_the_same_arrays(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    positions, matches = (
        rng.uniform(0, (width - 1, height - 1), (height, width, 2)).astype(np.float32)
        for _ in range(2)
    )
    fields = FrameFields(positions, matches, rng.random((height, width)).astype(np.float32))
    packed = fields.pack()
    unpacked = FrameFields.unpack(packed)
    for name, array in unpacked.pack().items():
        assert np.array_equal(array, packed[name])
    assert np.abs(unpacked.positions - positions).max() < 0.01
    voted = fields.sure < 0.9
    assert np.abs(unpacked.matches - matches)[voted].max(initial=0) < 0.01


def test_arrays_of_two_sizes_are_no_fields() -> None:
    packed = _fields(2).pack()
    packed["matches"] = packed["matches"][:-2]
    with pytest.raises(ValueError, match="not the fields of a frame of 64×48 pixels"):
        FrameFields.unpack(packed)


def _refined(move: tuple[int, int], matches: np.ndarray, sure: float = 0.0) -> np.ndarray:
    """Refined matches of a frame whose picture moved by ``move`` pixels of twice the work size."""
    key = texture(96, 128, seed=3, fine=2)[..., 1]
    frame = np.roll(key, move[::-1], (0, 1))
    fields = FrameFields(matches, matches, np.full(matches.shape[:2], sure, np.float32))
    return refine_matches(fields, key, frame)


@pytest.mark.parametrize("move", [(0, 0), (1, 0), (0, -1), (3, 3)])
def test_matches_are_refined_to_a_larger_pixel(move: tuple[int, int]) -> None:
    truth = grid(48, 64) - np.array(move, np.float32) / 2
    is_exact = (_refined(move, np.rint(truth)) == truth).all(axis=2)
    assert is_exact[4:-4, 4:-4].mean() > 0.95


def test_a_match_is_taken_over_from_its_neighbour_or_the_transport() -> None:
    matches = grid(48, 64) - np.array([2, 0], np.float32)
    matches[20, 30] += (9, -7)
    truth = matches.copy()
    truth[20, 30] = (28, 20)
    assert np.array_equal(_refined((4, 0), matches)[4:-4, 4:-4], truth[4:-4, 4:-4])


def test_matches_that_do_not_vote_are_left_as_they_are() -> None:
    matches = grid(48, 64) - np.array([2, 0], np.float32)
    assert np.array_equal(_refined((5, 0), matches, sure=1.0), matches)


def test_refining_gives_the_same_for_any_number_of_threads() -> None:
    rng = np.random.default_rng(7)
    key, frame = texture(105, 140, seed=5)[..., 1], texture(105, 140, seed=6)[..., 1]
    matches = rng.uniform(0, (79, 59), (60, 80, 2)).astype(np.float32)
    fields = FrameFields(matches[::-1].copy(), matches, rng.random((60, 80)).astype(np.float32))
    one, four = (refine_matches(fields, key, frame, threads=threads) for threads in (1, 4))
    assert np.array_equal(one, four)


def test_positions_are_registered_to_a_fraction_of_a_work_pixel() -> None:
    wide = texture(160, 200, seed=3, fine=2)[..., 1]
    frame = show(wide, translation(1.5, -1))[20:140, 20:180]
    key = wide[20:140, 20:180]
    found = register_positions(grid(60, 80).copy(), key, np.ascontiguousarray(frame))
    error = found - (grid(60, 80) - np.array([0.75, -0.5], np.float32))
    assert np.median(np.abs(error[8:-8, 8:-8])) < 0.08


def test_a_smaller_size_keeps_the_brushwork_of_the_full_size() -> None:
    small = cv2.resize(STYLE, (32, 24), interpolation=cv2.INTER_AREA)
    enlarged = cv2.resize(small, (128, 96), interpolation=cv2.INTER_CUBIC)
    finished = KeyFinisher(STYLE).finish(_fields(4, (0.5, 0.5)))
    truth = np.roll(STYLE, (2, 2), (0, 1))
    assert psnr(finished, truth, 6) > psnr(np.roll(enlarged, (2, 2), (0, 1)), truth, 6) + 15
