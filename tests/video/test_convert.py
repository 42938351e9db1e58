"""Clips to folders of images and back."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from video_samples import clicks, make_images, make_video, read_index

from kadr.core.events import CancelToken, Event
from kadr.core.frames import FrameRange
from kadr.errors import Cancelled, InputError, OptionsError, OutputError
from kadr.image_files import write_image
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


def test_a_pattern_names_the_images(tmp_path: Path, video: Path) -> None:
    with open_clip(video) as clip:
        list(extract_frames(clip, tmp_path / "d" / "f_%04d.jpg", every=20))
        list(extract_frames(clip, tmp_path / "e" / "f_###.png", every=20, start_number=1))
        list(extract_frames(clip, tmp_path / "g", every=20, start_number=1001))
    names = {folder.name: sorted(p.name for p in folder.iterdir()) for folder in tmp_path.iterdir()}
    assert names == {
        "d": ["f_0000.jpg", "f_0020.jpg"],
        "e": ["f_001.png", "f_021.png"],
        "g": ["frame_01001.png", "frame_01021.png"],
    }


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ("f_%04d", {}, "without an image type"),
        ("f_%04d.png", {"suffix": ".jpg"}, r"is \.png and not \.jpg"),
        ("d", {"start_number": -1}, "start number -1"),
    ],
)
def test_names_that_contradict_are_refused(
    target: str, options: dict[str, Any], message: str, tmp_path: Path, video: Path
) -> None:
    with open_clip(video) as clip, pytest.raises(OptionsError, match=message):
        list(extract_frames(clip, tmp_path / target, **options))
    assert not list(tmp_path.iterdir())


def _notices(events: Iterator[Event]) -> list[str]:
    return [event.message for event in events if event.message]


def test_images_of_a_part_of_the_clip_are_told(tmp_path: Path) -> None:
    source = make_video(tmp_path / "v.mp4", 40, sound=(0, 1.6))
    images = make_images(tmp_path / "part", 30, first=5)
    with open_clip(images) as part, open_clip(source) as like:
        notices = _notices(encode_frames(part, tmp_path / "o.mp4", like=like))
    assert len(notices) == 1
    for part in ("has 30 images", "40 frames", "5–34"):
        assert part in notices[0]


def test_a_rate_that_nothing_tells_is_told(tmp_path: Path) -> None:
    images = make_images(tmp_path / "images", 4)
    for rate, count in ((None, 1), (Fraction(25), 0)):
        with open_clip(images, frame_rate=rate) as clip:
            for suffix in (".mp4", ".gif"):
                out = tmp_path / f"{count}{suffix}"
                notices = _notices(encode_frames(clip, out, frame_rate=rate))
                assert len(notices) == count
                assert all(f"{out}: is written at 24 frames a second" in text for text in notices)


def test_a_size_that_is_made_even_is_told(tmp_path: Path) -> None:
    source = make_video(tmp_path / "v.mkv", 4, size=(95, 63), codec="ffv1", pixel_format="bgr0")
    with open_clip(source) as clip:
        notices = _notices(encode_frames(clip, tmp_path / "o.mp4"))
        assert len(notices) == 1
        assert "is 96×64, the frames are 95×63" in notices[0]
        assert not _notices(encode_frames(clip, tmp_path / "o.gif"))


@pytest.mark.parametrize("output", ["o.mp4", "o_%02d.jpg", "o.webm", "o_%02d.png"])
def test_alpha_that_is_lost_is_told_once(tmp_path: Path, output: str) -> None:
    image = np.full((32, 48, 4), 200, np.uint8)
    for index in range(3):
        image[:16, :, 3] = 255 if index == 0 else 0
        image[16:, :, 3] = 255
        write_image(tmp_path / "in" / f"f_{index}.png", image)
    with open_clip(tmp_path / "in") as clip:
        events = [*encode_frames(clip, tmp_path / output)]
        if "%" in output:
            suffix = Path(output).suffix
            events += extract_frames(clip, tmp_path / "all", suffix=suffix)
            assert (tmp_path / "all" / f"f_2{suffix}").exists()
    told = [event.message for event in events if "cannot store alpha" in event.message]
    loses = output.endswith(("mp4", "jpg"))
    assert len(told) == (0 if not loses else 2 if "%" in output else 1)
    with open_clip(tmp_path / output) as clip:
        last = clip.frame(2).image
    if loses:
        assert last[:12].max() < 12, "black"
        assert last[20:].min() > 180
    else:
        assert last[:12, :, 3].max() == 0


def test_frames_of_a_part_of_the_clip(tmp_path: Path, video: Path) -> None:
    part = FrameRange(3, 8)
    with open_clip(video) as clip:
        list(extract_frames(clip, tmp_path / "all", frames=part))
        list(extract_frames(clip, tmp_path / "some", frames=part, every=2))
        list(extract_frames(clip, tmp_path / "slow", frames=part, fps=clip.info.frame_rate / 2))
        with pytest.raises(OptionsError, match="fps 1/100: none of its frames"):
            list(extract_frames(clip, tmp_path / "none", frames=part, fps=Fraction(1, 100)))

    def numbers(folder: str) -> list[int]:
        return sorted(int(path.stem[-5:]) for path in (tmp_path / folder).iterdir())

    assert numbers("all") == [3, 4, 5, 6, 7]
    assert numbers("some") == [3, 5, 7]
    assert numbers("slow") == [4, 6]
