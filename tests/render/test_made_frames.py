"""Runs that make one frame of several: which, how long they are shown, and what fills the rest."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from video_samples import clicks, make_video

from kadr.core.events import Event
from kadr.core.frames import FrameRange, Span
from kadr.errors import OptionsError, OutputError
from kadr.image_files import read_image, write_image
from kadr.layers import LayeredOptions
from kadr.options import RunOptions
from kadr.pipeline import RunResult, restyle
from kadr.preview import preview_frames
from kadr.render.made_frames import choose_frames
from kadr.report.record import read_record
from kadr.video.base import Clip
from kadr.video.clip_source import ClipSource
from kadr.video.clips import open_clip
from kadr.video.sparse_clip import FrameChoice, SparseClip
from scenes import paint, psnr, sliding, write_sequence

COUNT = 12
IMAGES = sliding(COUNT, 1.0, height=40, width=56)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The frames as files numbered from 101 on."""
    return write_sequence(tmp_path_factory.mktemp("images"), IMAGES, 101)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty frames at 25 a second with sound."""
    return make_video(tmp_path_factory.mktemp("video") / "v.mp4", 40, sound=(0, 1.6))


def _restyle(folder: Path, clip: Path, *keys: int, **options: Any) -> tuple[RunResult, list[str]]:
    """Run with painted keys of these indices; the result and the notices."""
    with open_clip(clip) as opened:
        for index in keys:
            name = f"{opened.number(index):05d}.png"
            write_image(folder / "keys" / name, paint(opened.frame(index).rgb))
    events: list[Event] = []
    values = {"output": folder / "out", "keys": (folder / "keys",), **options}
    result = restyle(RunOptions(clip=clip, **values), on_event=events.append)
    return result, [event.message for event in events if event.message]


def _numbers(folder: Path) -> list[int]:
    return sorted(int(path.stem[-5:]) for path in folder.glob("*.png"))


@pytest.mark.parametrize(
    ("text", "indices"),
    [("0:10:3", (0, 3, 6, 9)), ("2:9:4+3+8", (2, 3, 6, 8)), ("5:6:9", (5,))],
)
def test_choices_are_read_as_they_are_written(text: str, indices: tuple[int, ...]) -> None:
    choice = FrameChoice.parse(text)
    assert choice.indices == indices
    assert str(choice) == text
    with pytest.raises(ValueError, match="no choice"):
        FrameChoice.parse(f"{text}+")


def test_a_sparse_clip_is_the_chosen_frames(images: Path, tmp_path: Path) -> None:
    source = ClipSource(str(images), frame_rate="25", choice="1:11:4+6")
    with source.open() as clip:
        assert isinstance(clip, SparseClip)
        assert [clip.number(index) for index in range(len(clip))] == [102, 106, 107, 110]
        assert [clip.index_of(number) for number in (102, 103, 107)] == [0, None, 2]
        assert list(clip.times) == [Fraction(index, 25) for index in (1, 5, 6, 9)]
        assert (clip.info.frame_rate, clip.info.duration) == (Fraction(25, 4), Fraction(11, 25))
        for frames in (clip.frames(1, 4), reversed(list(clip.frames_backward(1, 4)))):
            for position, frame in enumerate(frames, start=1):
                assert frame.index == position
                assert frame.time == clip.times[position]
                np.testing.assert_array_equal(frame.image, clip.frame(position).image)
                np.testing.assert_array_equal(frame.image, IMAGES[clip.indices[position]])
        assert list(clip.frames(2, 2)) == []
        assert clip.positions(FrameRange(2, 7)) == FrameRange(1, 3)
        assert clip.positions(FrameRange(2, 5)) is None


def test_one_frame_of_three_at_the_speed_of_the_clip(tmp_path: Path, video: Path) -> None:
    result, notices = _restyle(tmp_path, video, 0, 21, every=3, output=tmp_path / "o.mp4")
    assert (result.keys, result.frame_count) == ((0, 7), 14)
    assert "makes 14 of 40 frames; " in notices[0]
    assert "8.33333 frames a second and the speed of the clip" in notices[0]
    with open_clip(tmp_path / "o.mp4") as made, open_clip(video) as film:
        assert [float(time) for time in made.times] == [
            float(film.times[i]) for i in range(0, 40, 3)
        ]
        assert abs(made.info.duration - film.info.duration) < Fraction(1, 1000)
    np.testing.assert_allclose(clicks(tmp_path / "o.mp4"), clicks(video), atol=0.001)


@pytest.mark.parametrize(("options", "made"), [({"hold": 2}, 20), ({"every": 4, "hold": 2}, 10)])
def test_held_frames_keep_speed_and_sound(
    tmp_path: Path, video: Path, options: dict[str, int], made: int
) -> None:
    step = options.get("every", options["hold"])
    result, _ = _restyle(tmp_path, video, 0, **options, output=tmp_path / "o.mkv", codec="ffv1")
    assert result.frame_count == made
    with open_clip(tmp_path / "o.mkv") as shown, open_clip(video) as film:
        assert len(shown) == made * options["hold"]
        each = step // options["hold"]
        for index, time in enumerate(shown.times):
            assert abs(time - film.times[index * each]) < Fraction(1, 500)
        frames = [frame.image for frame in shown.frames()]
    for index in range(0, len(frames), options["hold"]):
        np.testing.assert_array_equal(frames[index], frames[index + 1])
    np.testing.assert_allclose(clicks(tmp_path / "o.mkv"), clicks(video), atol=0.002)


def test_a_key_between_the_made_frames_is_used_but_not_shown(tmp_path: Path, images: Path) -> None:
    result, notices = _restyle(tmp_path, images, 5, every=2)
    assert _numbers(tmp_path / "out") == [101, 103, 105, 107, 109, 111]
    assert result.frame_count == 7
    assert any("carry their paint, but are not shown: 106" in text for text in notices)
    for number in (105, 107):
        made = read_image(tmp_path / "out" / f"frame_00{number}.png")
        assert psnr(made[4:-4, 4:-4], paint(IMAGES[number - 101])[4:-4, 4:-4]) > 20


def test_a_part_ends_where_it_ended(tmp_path: Path, video: Path) -> None:
    part = FrameRange(10, 20)
    _restyle(tmp_path, video, 10, every=4, frames=part, output=tmp_path / "o.mp4")
    with open_clip(tmp_path / "o.mp4") as made:
        assert len(made) == 3
        assert abs(made.info.duration - Fraction(10, 25)) < Fraction(1, 1000)


def test_made_frames_of_a_masked_run_with_ranges(tmp_path: Path, images: Path) -> None:
    for index in range(COUNT):
        mask = np.zeros((40, 56), np.uint8)
        mask[:, : 20 + index] = 255
        if index % 3 == 0:  # frames that are not made need none
            write_image(tmp_path / "masks" / f"{101 + index}.png", mask)
            write_image(tmp_path / "ids" / f"{101 + index}.png", IMAGES[index])
    values = {"mask": tmp_path / "masks", "guide": {"ids": tmp_path / "ids"}}
    _restyle(tmp_path, images, 0, 9, every=3, ranges=(Span(0, 0, 5), Span(9, 5, 12)), **values)
    assert _numbers(tmp_path / "out") == [101, 104, 107, 110]
    for index in (3, 6):
        made = read_image(tmp_path / "out" / f"frame_00{101 + index}.png")
        np.testing.assert_array_equal(made[:, 20 + index :], IMAGES[index][:, 20 + index :])
        assert (made[:, :15] != IMAGES[index][:, :15]).any()


@pytest.mark.parametrize("every", [2, 3])
def test_fill_makes_all_frames_from_those_made(tmp_path: Path, images: Path, every: int) -> None:
    result, notices = _restyle(tmp_path, images, 0, every=every, fill=True, work=tmp_path / "work")
    made = range(0, COUNT, every)
    assert f"makes {len(made)} of {COUNT} frames, and then those between them" in notices[0]
    assert not [text for text in notices if "key" in text]
    assert (result.keys, result.frame_count) == ((0,), COUNT)
    assert _numbers(tmp_path / "out") == list(range(101, 101 + COUNT))
    alone = tmp_path / "alone"
    _restyle(alone, images, 0, every=every)
    for index in range(COUNT):
        filled = read_image(tmp_path / "out" / f"frame_00{101 + index}.png")
        if index in made:
            only = read_image(alone / "out" / f"frame_00{101 + index}.png")
            np.testing.assert_array_equal(filled, only)
        assert psnr(filled[4:-14, 14:-14], paint(IMAGES[index])[4:-14, 14:-14]) > 19
    again, _ = _restyle(
        tmp_path, images, 0, every=every, fill=True, work=tmp_path / "work", overwrite=True
    )
    assert again.computed == 0, "it resumes"


def test_fill_goes_by_the_frames_of_this_run(tmp_path: Path, images: Path) -> None:
    """Frames that an earlier run with another step made are no keys."""
    for every in (2, 3):
        result, _ = _restyle(
            tmp_path, images, 0, every=every, fill=True, work=tmp_path / "work", overwrite=True
        )
    fresh, _ = _restyle(tmp_path / "fresh", images, 0, every=3, fill=True)
    for path in sorted(Path(fresh.output).iterdir()):
        assert path.read_bytes() == (Path(result.output) / path.name).read_bytes()


def test_an_output_that_exists_is_refused_before_anything_is_made(
    tmp_path: Path, images: Path
) -> None:
    (tmp_path / "o.mp4").write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        _restyle(
            tmp_path, images, 0, every=2, fill=True, output=tmp_path / "o.mp4", work=tmp_path / "w"
        )
    assert not list((tmp_path / "w").rglob("*.png"))
    assert (tmp_path / "o.mp4").read_text() == "mine"


def test_stylized_frames_on_twos(tmp_path: Path, images: Path) -> None:
    options = RunOptions(images, tmp_path / "out", stylizer="paint", every_frame=True, hold=3)
    assert restyle(options).keys == (0, 1, 2, 3)
    files = sorted((tmp_path / "out").iterdir())
    assert len(files) == COUNT
    for first in range(0, COUNT, 3):
        contents = {read_image(path).tobytes() for path in files[first : first + 3]}
        assert len(contents) == 1


def test_a_preview_shows_any_frame(tmp_path: Path, images: Path) -> None:
    write_image(tmp_path / "keys" / "101.png", paint(IMAGES[0]))
    options = RunOptions(images, tmp_path / "o.mp4", (tmp_path / "keys",), every=4, hold=2)
    frames = [
        item for item in preview_frames(options, FrameRange(1, 3)) if not isinstance(item, Event)
    ]
    assert [frame.index for frame in frames] == [1, 2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 3, "hold": 2}, "hold 2: does not divide every 3"),
        ({"hold": 0}, "hold 0: expected 1 to 100"),
        ({"every": 0}, "every 0: expected 1 to 1000"),
        ({"fill": True}, "fill: is for every, such as every 2; give that too"),
        ({"fill": True, "every": 2, "hold": 2}, "fill: makes the frames that hold 2 leaves out"),
        ({"fill": True, "hold": 2}, "fill: makes the frames that hold 2 leaves out"),
    ],
)
def test_what_cannot_be_made_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        RunOptions(Path("a.mp4"), "o.mp4", (Path("keys"),), **options)


def test_every_frame_fills_by_itself() -> None:
    with pytest.raises(OptionsError, match="every-frame fills by itself"):
        RunOptions(
            Path("a"), "o.mp4", stylizer="paint", every_frame=True, every=2, fill=True
        )  # fmt: skip


def test_the_report_counts_the_frames_of_the_clip(tmp_path: Path, images: Path) -> None:
    _restyle(tmp_path, images, 0, 5, every=4, report=tmp_path / "report")
    record = read_record(tmp_path / "report" / "report.json")
    assert record is not None
    assert record.frames == FrameRange(0, COUNT)
    assert record.numbers == tuple(range(101, 101 + COUNT))
    rendered = [index for index in record.frames if record.error(index) is not None]
    assert rendered == [0, 4, 5, 8]
    assert [(key.index, key.number) for key in record.keys] == [(0, 101), (5, 106)]
    assert record.keys[-1].stop == COUNT
    assert (record.clip.frame_count, record.shots) == (COUNT, (FrameRange(0, COUNT),))
    assert 'src="data:image' in (tmp_path / "report" / "report.html").read_text("utf-8")


def test_ranges_of_keys_that_are_not_made_are_named(tmp_path: Path, images: Path) -> None:
    with pytest.raises(OptionsError, match=r"range 101:102:106: its key is none of the frames"):
        _restyle(tmp_path, images, 0, every=3, ranges=(Span(1, 0, 6),))


def test_all_frames_need_no_choice(images: Path) -> None:
    with open_clip(images) as clip:
        options = RunOptions(images, "o", (Path("keys"),), every=1)
        assert choose_frames(options, clip, FrameRange(0, 5)) is None
        _check_is_clip(clip)


def _check_is_clip(clip: Clip) -> None:
    assert not isinstance(clip, SparseClip)


def test_fill_composites_the_mask_once(tmp_path: Path, images: Path) -> None:
    mask = np.zeros((40, 56), np.uint8)
    mask[:, :28] = 255
    write_image(tmp_path / "mask.png", mask)
    _restyle(tmp_path, images, 0, every=3, fill=True, mask=tmp_path / "mask.png", feather=6.0)
    for index in (1, 3, 5):
        filled = read_image(tmp_path / "out" / f"frame_00{101 + index}.png")
        np.testing.assert_array_equal(filled[:, 32:], IMAGES[index][:, 32:])
        assert psnr(filled[4:-4, 14:24], paint(IMAGES[index])[4:-4, 14:24]) > 19


def test_layers_refuse_frames_that_are_left_out(images: Path) -> None:
    run = RunOptions(images, "o.mp4", (Path("keys"),))
    for changes, message in (
        ({"hold": 2}, "hold 2: is not for a run in layers"),
        ({"every": 2, "fill": True}, "fill: is not for a run in layers"),
    ):
        with pytest.raises(OptionsError, match=message):
            LayeredOptions(replace(run, **changes), (("a", run),))  # type: ignore[arg-type]
    with pytest.raises(OptionsError, match="layer a: every 2 would leave frames out"):
        LayeredOptions(run, (("a", replace(run, every=2)),))
