"""What every clip must do, whatever it was read from."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import numpy as np
import pytest
from video_samples import read_index

from kadr.errors import InputError
from kadr.video.clips import open_clip


def test_frames_come_in_order_with_their_own_content(any_clip: Path) -> None:
    with open_clip(any_clip) as clip:
        frames = list(clip.frames())
    assert [frame.index for frame in frames] == list(range(40))
    assert [read_index(frame.image) for frame in frames] == list(range(40))


def test_info_fits_the_frames(any_clip: Path) -> None:
    with open_clip(any_clip) as clip:
        info, frame = clip.info, clip.frame(3)
        assert len(clip) == info.frame_count == 40
        assert frame.size == (info.width, info.height) == (96, 64)
        assert frame.image.dtype == np.uint8
        assert frame.channels == 3 + info.has_alpha
        assert info.frame_rate == 40 / info.duration
        assert info.duration > clip.times[-1]


def test_times_begin_at_zero_and_rise(any_clip: Path) -> None:
    with open_clip(any_clip) as clip:
        times = list(clip.times)
        assert times[0] == 0
        assert times == sorted(set(times))
        assert [frame.time for frame in clip.frames(5, 9)] == times[5:9]


def test_single_frames_are_the_same_as_streamed_ones(any_clip: Path) -> None:
    order = [39, 0, 17, 18, 19, 5, 31, 30, 12, 39, 25]
    with open_clip(any_clip) as clip:
        streamed = {frame.index: frame.image for frame in clip.frames()}
        for index in order:
            frame = clip.frame(index)
            assert frame.index == index
            np.testing.assert_array_equal(frame.image, streamed[index])


def test_any_range_begins_and_ends_exactly(any_clip: Path) -> None:
    rng = random.Random(1)
    with open_clip(any_clip) as clip:
        for _ in range(6):
            start, stop = sorted(rng.sample(range(41), 2))
            indices = [read_index(frame.image) for frame in clip.frames(start, stop)]
            assert indices == list(range(start, stop))
        assert list(clip.frames(7, 7)) == []


def test_backward_is_forward_reversed(any_clip: Path) -> None:
    with open_clip(any_clip) as clip:
        forward = [frame.image for frame in clip.frames(3, 38)]
        backward = list(clip.frames_backward(3, 38))
        assert [frame.index for frame in backward] == list(range(37, 2, -1))
        for frame, image in zip(backward, reversed(forward), strict=True):
            np.testing.assert_array_equal(frame.image, image)


def test_iterators_do_not_disturb_one_another(any_clip: Path) -> None:
    with open_clip(any_clip) as clip:
        ahead, behind = clip.frames(0, 20), clip.frames_backward(20, 40)
        for index in range(20):
            assert read_index(next(ahead).image) == index
            assert read_index(next(behind).image) == 39 - index
            assert read_index(clip.frame(index).image) == index


def test_iterators_may_run_in_threads(any_clip: Path) -> None:
    indices: dict[int, list[int]] = {}
    with open_clip(any_clip) as clip:

        def read(start: int) -> None:
            indices[start] = [read_index(f.image) for f in clip.frames(start, start + 12)]
            assert read_index(clip.frame(start).image) == start

        threads = [threading.Thread(target=read, args=(start,)) for start in (0, 9, 20, 28)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert indices == {start: list(range(start, start + 12)) for start in (0, 9, 20, 28)}


def test_numbers_and_indices_are_inverse(any_clip: Path) -> None:
    with open_clip(any_clip) as clip:
        assert [clip.index_of(clip.number(index)) for index in (0, 1, 39)] == [0, 1, 39]
        assert clip.index_of(clip.number(39) + 1) is None
        assert clip.index_of(clip.number(0) - 1) is None
        assert len({clip.name(index) for index in range(40)}) == 40


@pytest.mark.parametrize(("start", "stop"), [(-1, 4), (3, 41), (5, 4)])
def test_ranges_outside_the_clip_are_refused(any_clip: Path, start: int, stop: int) -> None:
    with open_clip(any_clip) as clip:
        with pytest.raises(IndexError, match="40"):
            clip.frames(start, stop)
        with pytest.raises(IndexError, match="40"):
            clip.frames_backward(start, stop)


def test_frames_outside_the_clip_are_refused(any_clip: Path) -> None:
    with open_clip(any_clip) as clip:
        for index in (-1, 40):
            with pytest.raises(IndexError):
                clip.frame(index)
            with pytest.raises(IndexError):
                clip.name(index)


def test_missing_file_is_named(tmp_path: Path) -> None:
    for name in ("none.mp4", "none.gif", "none"):
        with pytest.raises(InputError, match=f"{name}.*no such file"):
            open_clip(tmp_path / name)
