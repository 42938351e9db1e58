"""Clips to folders of images and back."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from video_samples import clicks, make_images, make_video, read_index

from kadr.core.events import CancelToken
from kadr.errors import Cancelled, InputError, OptionsError, OutputError
from kadr.video.clips import open_clip
from kadr.video.convert import encode_frames, extract_frames


def test_extracted_frames_are_named_by_index(tmp_path: Path, video: Path) -> None:
    with open_clip(video) as clip:
        events = list(extract_frames(clip, tmp_path / "d"))
    assert [event.index for event in events] == list(range(41))
    assert {event.total for event in events} == {40}
    frames = open_clip(tmp_path / "d")
    assert frames.name(12) == "frame_00012"
    assert [read_index(frame.image) for frame in frames.frames()] == list(range(40))


@pytest.mark.parametrize("every", [2, 7, 100])
def test_every_so_many(tmp_path: Path, video: Path, every: int) -> None:
    with open_clip(video) as clip:
        list(extract_frames(clip, tmp_path / "d", every=every, suffix=".jpg"))
    names = sorted(path.name for path in (tmp_path / "d").iterdir())
    assert names == [f"frame_{index:05d}.jpg" for index in range(0, 40, every)]


def test_at_a_rate_each_frame_is_the_one_shown_then(tmp_path: Path) -> None:
    times = [Fraction(tick, 10) for tick in (0, 1, 2, 10, 11, 12)]
    with open_clip(make_video(tmp_path / "v.mp4", 6, times=times)) as clip:
        list(extract_frames(clip, tmp_path / "d", fps=Fraction(5)))
    names = sorted(path.name for path in (tmp_path / "d").iterdir())
    assert names == [f"frame_0000{tick}.png" for tick in (0, 2, 3, 5)]


def test_sequences_keep_their_names(tmp_path: Path) -> None:
    with open_clip(make_images(tmp_path / "in", count=3)) as clip:
        list(extract_frames(clip, tmp_path / "d", suffix=".jpg"))
    assert sorted(p.name for p in (tmp_path / "d").iterdir())[0] == "shot a_01001.jpg"


def test_existing_files_and_wrong_options_stop_it_at_once(tmp_path: Path, video: Path) -> None:
    make_images(tmp_path / "d", 1, first=3, name="frame_{:05d}.png")
    with open_clip(video) as clip:
        with pytest.raises(OutputError, match="--overwrite"):
            next(extract_frames(clip, tmp_path / "d"))
        with pytest.raises(OptionsError):
            next(extract_frames(clip, tmp_path / "e", every=0))
        with pytest.raises(OptionsError):
            next(extract_frames(clip, tmp_path / "e", suffix=".exr"))


def test_cancelling_leaves_nothing(tmp_path: Path, video: Path) -> None:
    with open_clip(video) as clip:
        for kind, target in ((extract_frames, "d"), (encode_frames, "o.mp4")):
            cancel = CancelToken()
            events = kind(clip, tmp_path / target, cancel=cancel)  # type: ignore[operator]
            next(events)
            next(events)
            cancel.cancel()
            with pytest.raises(Cancelled):
                next(events)
            for steps in (1, 3):  # a consumer that simply stops
                events = kind(clip, tmp_path / target)  # type: ignore[operator]
                for _ in range(steps):
                    next(events)
                events.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("first", [0, 1, 1001])
def test_frames_come_back_with_the_clips_times_and_sound(
    tmp_path: Path, video: Path, first: int
) -> None:
    folder = make_images(tmp_path / "d", count=40, first=first)
    with open_clip(folder) as frames, open_clip(video) as clip:
        list(encode_frames(frames, tmp_path / "o.mp4", like=clip))
        again = open_clip(tmp_path / "o.mp4")
        assert list(again.times) == list(clip.times)
        assert [read_index(frame.image) for frame in again.frames()] == list(range(40))
    assert clicks(tmp_path / "o.mp4") == pytest.approx(clicks(video), abs=0.001)


def test_a_part_takes_its_place_by_number(tmp_path: Path, video: Path) -> None:
    folder = make_images(tmp_path / "d", count=20, first=10, name="frame_{:05d}.png")
    with open_clip(folder) as frames, open_clip(video) as clip:
        list(encode_frames(frames, tmp_path / "o.mp4", like=clip))
    assert clicks(tmp_path / "o.mp4") == pytest.approx([0.1, 0.6], abs=0.01)  # from 0.4 s on


def test_numbers_outside_the_clip_are_refused(tmp_path: Path, video: Path) -> None:
    folder = make_images(tmp_path / "d", count=20, first=30)
    with (
        open_clip(folder) as frames,
        open_clip(video) as clip,
        pytest.raises(InputError, match=r"30 to 49.*0 to 39"),
    ):
        next(encode_frames(frames, tmp_path / "o.mp4", like=clip))


def test_frames_alone_run_at_the_given_rate(tmp_path: Path) -> None:
    with open_clip(make_images(tmp_path / "d", count=5)) as frames:
        list(encode_frames(frames, tmp_path / "a.mp4"))
        list(encode_frames(frames, tmp_path / "b.mp4", frame_rate=Fraction(60)))
    assert open_clip(tmp_path / "a.mp4").info.frame_rate == 24
    assert open_clip(tmp_path / "b.mp4").info.frame_rate == 60
