"""Find the key frames by file numbers or a stylizer's budget, and read or stylize them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from video_samples import make_video

from kadr.core.events import CancelToken, Event
from kadr.core.frames import Frame, FrameRange, Image
from kadr.core.seeds import derive_seed
from kadr.errors import BackendError, Cancelled, InputError, OptionsError
from kadr.image_files import write_image
from kadr.options import RunOptions
from kadr.render.keyframes import KeyStyles
from kadr.render.painted_keys import painted_keys
from kadr.render.run_context import RunContext
from kadr.storage.frame_folder import FrameFolder
from kadr.storage.layout import WorkLayout
from kadr.storage.store import FolderStore
from kadr.stylize.base import StyledFrame, StylizeContext, StylizeJob
from kadr.video.base import Clip
from kadr.video.clip_source import ClipSource
from kadr.video.clips import open_clip
from scenes import paint, texture, write_sequence

HEIGHT, WIDTH = 24, 32
IMAGES = [texture(HEIGHT, WIDTH, seed=seed) for seed in range(8)]


@pytest.fixture
def sequence(tmp_path: Path) -> Iterator[Clip]:
    """Eight images numbered from 1001."""
    with open_clip(write_sequence(tmp_path / "clip", IMAGES, 1001)) as clip:
        yield clip


CHOSEN = (0, 4, 7)
"""Frames that a stylizer makes keys of."""


def _keys(clip: Clip, *paths: Path, frames: FrameRange | None = None, **options: Any) -> KeyStyles:
    """The painted keys, or those of the chosen frames, with a work folder beside the clip."""
    work = clip.info.path.parent / "work"
    run_options = RunOptions(clip=clip.info.path, output="out", keys=paths, **options)
    run_frames = frames or FrameRange(0, len(clip))
    run = RunContext(
        run_options,
        clip,
        ClipSource(str(clip.info.path)),
        "the clip",
        run_frames,
        WorkLayout(work),
        FolderStore(work / "store"),
        FrameFolder(work / "frames", clip.name),
    )
    painted, _ = painted_keys(run_options, clip, run_frames)
    indices = [file.index for file in painted] or CHOSEN
    return KeyStyles(run, dict.fromkeys(indices, 0), painted)


def _write(folder: Path, *names: str) -> Path:
    for position, name in enumerate(names):
        write_image(folder / name, paint(IMAGES[position]))
    return folder


def _events(keys: KeyStyles) -> Sequence[Event]:
    return list(keys.stylize(CancelToken()))


def test_keys_of_a_sequence_are_matched_by_its_file_numbers(sequence: Clip, tmp_path: Path) -> None:
    folder = _write(tmp_path / "keys", "take 2 - 1006.png", "take 3 - 1001.png")
    keys = _keys(sequence, folder)
    assert keys.indices == [0, 5]
    _events(keys)
    assert np.array_equal(keys.style(5), paint(IMAGES[0]))
    assert np.array_equal(keys.style(0), paint(IMAGES[1]))


def test_keys_of_a_video_are_matched_by_frame_index(tmp_path: Path) -> None:
    source = make_video(tmp_path / "clip.mp4", 8, size=(WIDTH, HEIGHT))
    with open_clip(source) as clip:
        keys = _keys(clip, _write(tmp_path / "keys", "frame_00003.png", "7.png"))
        assert keys.indices == [3, 7]
        _events(keys)
        assert np.array_equal(keys.style(7), paint(IMAGES[1]))


def test_single_key_files_are_accepted(sequence: Clip, tmp_path: Path) -> None:
    folder = _write(tmp_path / "keys", "1003.png", "1005.png", "1007.png")
    assert _keys(sequence, folder / "1005.png", folder / "1003.png").indices == [2, 4]


def test_keys_outside_the_requested_frames_are_left_out(sequence: Clip, tmp_path: Path) -> None:
    folder = _write(tmp_path / "keys", "1001.png", "1004.png", "1008.png")
    assert _keys(sequence, folder, frames=FrameRange(2, 6)).indices == [3]
    with pytest.raises(InputError, match="no key lies in the frames 1005–1006"):
        _keys(sequence, folder, frames=FrameRange(4, 6))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a0009.png"], r"no frame 9; its 8 frames are numbered 1001 to 1008"),
        (["1003.png", "b_1003.jpg"], r"1003\.png and .*b_1003\.jpg: both are keys of frame 1003"),
        (["sketch.png"], r"sketch\.png: no number in its name"),
    ],
)
def test_key_files_that_match_no_frame_are_errors(
    sequence: Clip, tmp_path: Path, names: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        _keys(sequence, _write(tmp_path / "keys", *names))
    assert "\n" not in str(caught.value)


def test_painted_keys_report_progress(sequence: Clip, tmp_path: Path) -> None:
    keys = _keys(sequence, _write(tmp_path / "keys", "1002.png", "1008.png"))
    events = _events(keys)
    assert [(event.step, event.index, event.total) for event in events] == [
        ("stylize", 0, 2),
        ("stylize", 1, 2),
        ("stylize", 2, 2),
    ]
    assert events[1].preview is not None
    assert np.array_equal(events[1].preview, paint(IMAGES[0]))


def test_alpha_in_one_key_adds_alpha_to_all_keys(sequence: Clip, tmp_path: Path) -> None:
    folder = _write(tmp_path / "keys", "1002.png")
    alpha = np.full((HEIGHT, WIDTH, 1), 99, np.uint8)
    write_image(folder / "1005.png", np.concatenate([paint(IMAGES[4]), alpha], axis=2))
    keys = _keys(sequence, folder)
    _events(keys)
    assert keys.style(1).shape == keys.style(4).shape == (HEIGHT, WIDTH, 4)
    assert (keys.style(1)[..., 3] == 255).all()
    assert (keys.style(4)[..., 3] == 99).all()


def _rgb(frame: Frame) -> Image:
    return frame.image.astype(np.uint8, copy=False)


class _Recorder:
    """A stylizer that inverts frames, answers out of order and records its jobs."""

    VERSION = 1
    name = "recorder"
    joint = False
    sequential = False
    max_batch = 2

    def __init__(self) -> None:
        self.jobs: list[StylizeJob] = []
        self.context: StylizeContext | None = None

    def stylize(
        self, jobs: Iterator[StylizeJob], context: StylizeContext
    ) -> Iterator[list[StyledFrame]]:
        """Invert."""
        self.context = context
        self.jobs = list(jobs)
        answers = [StyledFrame(job.index, 255 - _rgb(job.frame)) for job in self.jobs]
        yield answers[:0:-1]
        yield answers[:1]


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> _Recorder:
    stylizer = _Recorder()
    monkeypatch.setattr("kadr.render.keyframes.create_stylizer", lambda name, **options: stylizer)
    return stylizer


def test_a_stylizer_gets_the_chosen_frames_and_their_seeds(
    sequence: Clip, recorder: _Recorder
) -> None:
    keys = _keys(sequence, stylizer="paint", seed=7, threads=2)
    assert keys.indices == [0, 4, 7]
    assert [event.index for event in _events(keys)] == [0, 1, 2, 3]
    assert [job.index for job in recorder.jobs] == keys.indices
    assert [job.seed for job in recorder.jobs] == [
        derive_seed(7, "stylize", index) for index in keys.indices
    ]
    assert recorder.context is not None
    assert recorder.context.number(4) == 1005
    assert recorder.context.threads == 2
    for index in keys.indices:  # in any order of answers
        assert np.array_equal(keys.style(index), 255 - IMAGES[index])


def test_stored_keys_are_not_stylized_again(sequence: Clip, recorder: _Recorder) -> None:
    _events(_keys(sequence, stylizer="paint"))
    second = _keys(sequence, stylizer="paint")
    assert second.missing() == []
    assert _events(second) == []
    assert len(recorder.jobs) == 3
    assert np.array_equal(second.style(4), 255 - IMAGES[4])


@pytest.mark.parametrize("change", [{"seed": 9}, {"stylizer_options": {"stroke": 3}}])
def test_another_seed_or_option_stylizes_all_keys_again(
    sequence: Clip, recorder: _Recorder, change: dict[str, Any]
) -> None:
    _events(_keys(sequence, stylizer="paint"))
    assert _keys(sequence, stylizer="paint", **change).missing() == [*CHOSEN]


def test_an_option_that_changes_no_frame_keeps_the_keys(
    sequence: Clip, recorder: _Recorder
) -> None:
    _events(_keys(sequence, stylizer="a1111"))
    patient = {"server_patience": 5.0, "timeout": 9.0}
    assert _keys(sequence, stylizer="a1111", stylizer_options=patient).missing() == []
    assert _keys(sequence, stylizer="a1111", stylizer_options={"steps": 4}).missing() == [*CHOSEN]


@pytest.mark.parametrize(("joint", "missing"), [(False, [4]), (True, [0, 4, 7])])
def test_joint_keys_are_stylized_together(
    sequence: Clip, recorder: _Recorder, joint: bool, missing: list[int]
) -> None:
    recorder.joint = joint
    keys = _keys(sequence, stylizer="paint")
    _events(keys)
    store = FolderStore(sequence.info.path.parent / "work" / "store")
    store.discard(keys.entries[4].entry)
    assert _keys(sequence, stylizer="paint").missing() == missing


def test_a_repainted_key_is_read_again(sequence: Clip, tmp_path: Path) -> None:
    folder = _write(tmp_path / "keys", "1002.png", "1008.png")
    _events(_keys(sequence, folder))
    write_image(folder / "1008.png", paint(IMAGES[5]))
    second = _keys(sequence, folder)
    assert second.missing() == [7]
    _events(second)
    assert np.array_equal(second.style(7), paint(IMAGES[5]))


def test_a_damaged_key_is_stylized_again(
    sequence: Clip, recorder: _Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    first = _keys(sequence, stylizer="paint")
    _events(first)
    store = FolderStore(sequence.info.path.parent / "work" / "store")
    path = store.path(first.entries[4].entry)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255  # the end of the file stays intact
    path.write_bytes(content)
    keys = _keys(sequence, stylizer="paint")
    _events(keys)
    assert [job.index for job in recorder.jobs] == [4]
    assert np.array_equal(keys.style(4), 255 - IMAGES[4])
    assert "damaged" in caplog.text


def test_cancelling_stops_the_stylizer(sequence: Clip, tmp_path: Path) -> None:
    keys = _keys(sequence, _write(tmp_path / "keys", "1002.png", "1008.png"))
    cancel = CancelToken()
    events = keys.stylize(cancel)
    next(events)
    next(events)
    cancel.cancel()
    with pytest.raises(Cancelled):
        next(events)


def test_unknown_stylizers_and_options_are_refused_at_once(sequence: Clip) -> None:
    with pytest.raises(OptionsError, match="stylizer 'oils': expected one of"):
        _keys(sequence, stylizer="oils")
    with pytest.raises(OptionsError, match="stylizer paint: no option 'brushes'"):
        _keys(sequence, stylizer="paint", stylizer_options={"brushes": 3})


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([], "left out frames 1001, 1005, 1008"),
        ([0, 7], "left out frames 1005"),
        ([0, 0, 4, 7], "answered frame index 0 that was not requested, or twice"),
        ([0, 4, 7, 3], "answered frame index 3 that was not requested, or twice"),
    ],
)
def test_a_stylizer_must_answer_every_job_once(
    sequence: Clip, monkeypatch: pytest.MonkeyPatch, answers: list[int], message: str
) -> None:
    class Careless(_Recorder):
        def stylize(
            self, jobs: Iterator[StylizeJob], context: StylizeContext
        ) -> Iterator[list[StyledFrame]]:
            frames = {job.index: job.frame for job in jobs}
            yield [StyledFrame(index, _rgb(frames.get(index, frames[0]))) for index in answers]

    monkeypatch.setattr("kadr.render.keyframes.create_stylizer", lambda name, **options: Careless())
    keys = _keys(sequence, stylizer="paint")
    with pytest.raises(BackendError, match=f"stylizer recorder: {message}"):
        _events(keys)


def test_a_stylizer_must_keep_the_size(sequence: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    class Grows(_Recorder):
        def stylize(
            self, jobs: Iterator[StylizeJob], context: StylizeContext
        ) -> Iterator[list[StyledFrame]]:
            for job in jobs:
                yield [StyledFrame(job.index, np.zeros((50, 60, 3), np.uint8))]

    monkeypatch.setattr("kadr.render.keyframes.create_stylizer", lambda name, **options: Grows())
    keys = _keys(sequence, stylizer="paint")
    with pytest.raises(BackendError, match="made frame 1001 60×50, the clip has 32×24"):
        _events(keys)


class _Blank:
    """A stylizer whose pictures are all black."""

    VERSION = 1
    name, joint, sequential, max_batch = "blank", False, False, 1

    @dataclass(frozen=True)
    class Options:
        """None."""

    def __init__(self, options: Any) -> None:
        """Nothing to keep."""

    def stylize(
        self, jobs: Iterator[StylizeJob], context: StylizeContext
    ) -> Iterator[list[StyledFrame]]:
        """Black frames."""
        for job in jobs:
            yield [StyledFrame(job.index, np.zeros_like(_rgb(job.frame)))]


def test_frames_that_look_wrong_are_told_and_stored(
    sequence: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kadr.core.registry.Registry._load", lambda self, name: _Blank)
    keys = _keys(sequence, stylizer="paint", keys_budget=3)
    messages = [event.message for event in _events(keys) if event.message]
    assert [message.partition(";")[0] for message in messages] == [
        "stylizer paint: frame 1001 came back all of one colour",
        "stylizer paint: 3 of 3 frames came back all of one colour: 1001, 1005, 1008",
    ]
    assert not keys.style(4).any()


def test_painted_keys_may_be_black(sequence: Clip, tmp_path: Path) -> None:
    for name in ("1002.png", "1003.png"):
        write_image(tmp_path / "keys" / name, np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    events = _events(_keys(sequence, tmp_path / "keys"))
    assert not any(event.message for event in events)
