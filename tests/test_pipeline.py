"""Complete runs on small clips: output frames, their names, and no files after errors."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from video_samples import clicks, make_video

from kadr.core.events import CancelToken, Event
from kadr.core.frames import FrameRange, Span
from kadr.errors import Cancelled, InputError, KadrError, OptionsError, OutputError
from kadr.image_files import read_image, write_image
from kadr.options import RunOptions
from kadr.pipeline import RunResult, restyle, restyle_events
from kadr.stylize.base import StyledFrame, StylizeContext, StylizeJob
from kadr.video.clips import open_clip
from scenes import paint, psnr, sliding, texture, write_sequence

COUNT = 9
FIRST = 101
"""The number of the sequence's first file."""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files that every test leaves empty."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    """Nine frames that slide by two pixels each."""
    return sliding(COUNT, 2.0, height=40, width=56)


@pytest.fixture(scope="module")
def clip(images: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The images as files frame_00101.png and so on."""
    return write_sequence(tmp_path_factory.mktemp("clip"), images, FIRST)


def _keys(folder: Path, styles: Mapping[int, np.ndarray], first: int = FIRST) -> tuple[Path, ...]:
    """Write key files by frame index."""
    for index, style in styles.items():
        write_image(folder / f"key 100% {first + index:03d}.png", style)
    return (folder,)


def _painted(images: Sequence[np.ndarray], *indices: int) -> dict[int, np.ndarray]:
    """Painted keys, each with a slightly different style."""
    return {i: paint(images[i]) // 2 + np.uint8(9 * (i % 5)) for i in indices}


def _run(
    tmp_path: Path, clip: Path, styles: Mapping[int, np.ndarray], **options: Any
) -> tuple[RunResult, list[np.ndarray]]:
    """Run to an image folder and read it back."""
    keys = _keys(tmp_path / "keys", styles)
    output = tmp_path / options.pop("output", "out")
    result = restyle(RunOptions(clip=clip, output=output, keys=keys, **options))
    return result, [read_image(path) for path in sorted(output.glob("*.png"))]


def _remaining_paths(tmp_path: Path) -> list[str]:
    """Paths that a run left outside the folders of the test."""
    paths = (path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    return [str(path) for path in paths if path.parts[0] not in {"keys", "temporary"}]


def _assert_clean(tmp_path: Path, temporary: Path) -> None:
    assert _remaining_paths(tmp_path) == []
    assert list(temporary.iterdir()) == []
    assert not [t for t in threading.enumerate() if t.name == "kadr-prefetch"]


@pytest.mark.parametrize(
    "keys",
    [(0,), (4,), (8,), (0, 8), (2, 5), (1, 2, 7), tuple(range(COUNT))],
    ids=lambda keys: "keys " + " ".join(map(str, keys)) if len(keys) < COUNT else "all keys",
)
def test_keys_are_written_unchanged(
    tmp_path: Path, clip: Path, images: list[np.ndarray], keys: tuple[int, ...], temporary: Path
) -> None:
    styles = _painted(images, *keys)
    result, frames = _run(tmp_path, clip, styles)
    assert result.keys == keys
    assert result.frame_count == len(frames) == COUNT
    assert result.output == tmp_path / "out"
    for index, style in styles.items():
        assert np.array_equal(frames[index], style)
    assert list(temporary.iterdir()) == []


def test_output_files_are_named_as_the_input(
    tmp_path: Path, clip: Path, images: list[np.ndarray]
) -> None:
    _run(tmp_path, clip, _painted(images, 3))
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(
        p.name for p in clip.iterdir()
    )


def test_frames_between_keys_have_the_painted_style(
    tmp_path: Path, clip: Path, images: list[np.ndarray]
) -> None:
    styles = {index: paint(images[index]) for index in (0, 8)}
    _, frames = _run(tmp_path, clip, styles)
    for index, image in enumerate(frames):
        # every pixel is visible in at least one of the keys
        assert psnr(image, paint(images[index]), 4) > 26


def test_every_frame_of_a_still_clip_looks_like_its_key(tmp_path: Path) -> None:
    image = texture(40, 56)
    clip = write_sequence(tmp_path / "clip", [image] * 5, FIRST)
    _, frames = _run(tmp_path, clip, {2: paint(image)})
    assert all(psnr(frame, paint(image)) > 45 for frame in frames)


def test_thirty_keys(tmp_path: Path) -> None:
    images = sliding(33, 1.0, height=24, width=32)
    clip = write_sequence(tmp_path / "clip", images, FIRST)
    styles = _painted(images, *range(1, 31))
    result, frames = _run(tmp_path, clip, styles)
    assert len(result.keys) == 30
    assert len(frames) == 33
    assert all(np.array_equal(frames[i], style) for i, style in styles.items())


def test_ranges_may_overlap_and_include_other_keys(
    tmp_path: Path, clip: Path, images: list[np.ndarray]
) -> None:
    styles = _painted(images, 2, 6)
    ranges = (Span(2, 0, 8), Span(6, 1, 9))
    _, frames = _run(tmp_path, clip, styles, ranges=ranges, per_key=tmp_path / "per key")
    assert all(np.array_equal(frames[i], style) for i, style in styles.items())
    folders = {p.name: len(list(p.iterdir())) for p in (tmp_path / "per key").iterdir()}
    assert folders == {"key_00103": 8, "key_00107": 8, "weights_00103": 8, "weights_00107": 8}
    for number, share in ((103, 0), (107, 65535)):  # a key's frame is that key, whoever covers it
        weights = read_image(tmp_path / "per key" / f"weights_{number:05d}" / "frame_00107.png")
        assert (weights == share).all()


def test_frames_outside_the_range_of_a_key_ignore_it(
    tmp_path: Path, clip: Path, images: list[np.ndarray]
) -> None:
    styles = {0: paint(images[0]), 8: np.full_like(images[0], 7)}
    _, frames = _run(tmp_path, clip, styles, ranges=(Span(0, 0, 6), Span(8, 6, 9)))
    single, unblended = _run(tmp_path / "single", clip, {0: styles[0]})
    assert single.keys == (0,)
    for index in range(6):
        assert np.array_equal(frames[index], unblended[index])
    assert all((frames[index] == 7).all() for index in range(6, 9))


def test_frames_in_no_range_are_an_error(
    tmp_path: Path, clip: Path, images: list[np.ndarray], temporary: Path
) -> None:
    with pytest.raises(OptionsError, match="frames 105–106 are in no key's range"):
        _run(tmp_path, clip, _painted(images, 0, 8), ranges=(Span(0, 0, 4), Span(8, 6, 9)))
    _assert_clean(tmp_path, temporary)


def test_per_key_folders_hold_all_frames_of_a_key(
    tmp_path: Path, clip: Path, images: list[np.ndarray]
) -> None:
    styles = _painted(images, 2, 5)
    folder = tmp_path / "per key"
    _, frames = _run(tmp_path, clip, styles, per_key=folder)
    names = {p.name: sorted(f.name for f in p.iterdir()) for p in folder.iterdir()}
    expected = {
        "00103": [f"frame_{n:05d}.png" for n in range(101, 106)],
        "00106": [f"frame_{n:05d}.png" for n in range(104, 110)],
    }
    assert names == {
        f"{part}_{key}": files for key, files in expected.items() for part in ("key", "weights")
    }
    for key, style in styles.items():
        key_folder = folder / f"key_{FIRST + key:05d}"
        assert np.array_equal(read_image(key_folder / f"frame_{FIRST + key:05d}.png"), style)
    # where only one key covers a frame, the output shows the frame of that key
    assert np.array_equal(read_image(folder / "key_00103" / "frame_00101.png"), frames[0])


def test_per_key_within_a_work_limit_keeps_all_passes_or_says_what_it_needs(
    tmp_path: Path, clip: Path, images: list[np.ndarray]
) -> None:
    styles = _painted(images, 0, 4, 8)
    options = {"work": tmp_path / "work", "overwrite": True, "per_key": tmp_path / "per key"}
    with pytest.raises(OptionsError, match=r"work-limit .* all keys at once, about .*; raise it"):
        _run(tmp_path, clip, styles, work_limit=40_000, **options)
    assert not (tmp_path / "per key").exists()
    _run(tmp_path, clip, styles, work_limit=60_000, **options)
    assert len(list((tmp_path / "per key" / "weights_00105").iterdir())) == 7


def test_per_key_folders_may_be_inside_the_output(
    tmp_path: Path, clip: Path, images: list[np.ndarray]
) -> None:
    _run(tmp_path, clip, _painted(images, 2), per_key=tmp_path / "out" / "per key")
    assert len(list((tmp_path / "out").glob("*.png"))) == COUNT
    assert len(list((tmp_path / "out" / "per key" / "key_00103").iterdir())) == COUNT


def test_an_output_that_fails_at_the_end_leaves_no_per_key_frames(
    tmp_path: Path, clip: Path, images: list[np.ndarray], temporary: Path
) -> None:
    keys = _keys(tmp_path / "keys", _painted(images, 2))
    output = tmp_path / "keys" / "film.mp4"

    def block(event: Event) -> None:
        if (event.step, event.index) == ("write", COUNT):
            output.mkdir()  # a folder takes the name at the last moment

    options = RunOptions(clip=clip, output=output, keys=keys, per_key=tmp_path / "per key")
    with pytest.raises(OutputError, match=r"film\.mp4"):
        restyle(options, on_event=block)
    _assert_clean(tmp_path, temporary)


def test_only_the_requested_frames_are_written(
    tmp_path: Path, clip: Path, images: list[np.ndarray]
) -> None:
    styles = _painted(images, 0, 4, 8)
    result, written = _run(tmp_path, clip, styles, frames=FrameRange(3, 7))
    assert result.keys == (4,)
    assert [p.name for p in sorted((tmp_path / "out").iterdir())] == [
        f"frame_{n:05d}.png" for n in range(104, 108)
    ]
    assert np.array_equal(written[1], styles[4])


def test_frames_are_added_to_a_folder_but_none_is_replaced(
    tmp_path: Path, clip: Path, images: list[np.ndarray]
) -> None:
    keys = _keys(tmp_path / "keys", _painted(images, 4))
    other = tmp_path / "out" / "frame_00102.png"
    write_image(other, images[0])
    options = RunOptions(clip=clip, output=tmp_path / "out", keys=keys, frames=FrameRange(3, 6))
    restyle(options)
    assert np.array_equal(read_image(other), images[0])
    assert len(list((tmp_path / "out").iterdir())) == 4
    events = restyle_events(options)
    with pytest.raises(OutputError, match=r"frame_00104\.png: exists already"):
        next(events)  # before anything is computed


@pytest.mark.parametrize(
    ("frames", "message"),
    [(FrameRange(5, 40), "frames 5–39: .* has frames 0–8"), (FrameRange(1, 3), "no key lies in")],
)
def test_frames_outside_the_clip_or_without_a_key_are_an_error(
    tmp_path: Path,
    clip: Path,
    images: list[np.ndarray],
    frames: FrameRange,
    message: str,
    temporary: Path,
) -> None:
    with pytest.raises(KadrError, match=message):
        _run(tmp_path, clip, _painted(images, 4), frames=frames)
    _assert_clean(tmp_path, temporary)


def test_a_clip_of_one_frame(tmp_path: Path) -> None:
    image = texture(24, 32)
    clip = write_sequence(tmp_path / "clip", [image], FIRST)
    result, frames = _run(tmp_path, clip, {0: paint(image)})
    assert result.frame_count == 1
    assert np.array_equal(frames[0], paint(image))


@pytest.mark.parametrize("size", [(21, 33), (9, 40), (5, 5)])
def test_odd_and_tiny_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    images = [np.roll(texture(*size), t, axis=1) for t in range(5)]
    clip = write_sequence(tmp_path / "clip", images, FIRST)
    styles = _painted(images, 1, 4)
    _, frames = _run(tmp_path, clip, styles)
    assert all(image.shape == (*size, 3) for image in frames)
    assert np.array_equal(frames[4], styles[4])


def test_alpha_of_the_keys_is_propagated(
    tmp_path: Path, clip: Path, images: list[np.ndarray]
) -> None:
    alpha = np.zeros((40, 56, 1), np.uint8)
    alpha[10:30, 10:40] = 255
    styles = {i: np.concatenate([s, alpha], axis=2) for i, s in _painted(images, 1, 6).items()}
    _, frames = _run(tmp_path, clip, styles, background="transparent")
    assert all(image.shape == (40, 56, 4) for image in frames)
    for index, style in styles.items():
        visible = style[..., 3] > 0
        assert np.array_equal(frames[index][..., 3], style[..., 3])
        assert np.array_equal(frames[index][visible], style[visible])
    assert (frames[3][15:25, 22:36, 3] > 200).all()
    assert (frames[3][:4, :, 3] < 50).all()


def test_keys_with_and_without_alpha_can_be_combined(
    tmp_path: Path, clip: Path, images: list[np.ndarray]
) -> None:
    styles = _painted(images, 1, 6)
    alpha = np.full((40, 56, 1), 90, np.uint8)
    styles[6] = np.concatenate([styles[6], alpha], axis=2)
    _, frames = _run(tmp_path, clip, styles, background="transparent")
    assert all(image.shape == (40, 56, 4) for image in frames)
    assert np.array_equal(frames[1][..., :3], styles[1])
    assert (frames[1][..., 3] == 255).all()
    assert np.array_equal(frames[6], styles[6])


def test_keys_of_16_bits_are_rounded_to_8(
    tmp_path: Path, clip: Path, images: list[np.ndarray]
) -> None:
    style = paint(images[2])
    deep = style.astype(np.uint16) * 257 + 100
    deep = np.where(style == 255, 65535, deep).astype(np.uint16)
    _, frames = _run(tmp_path, clip, {2: deep})
    assert np.array_equal(frames[2], style)


def test_a_clip_of_16_bits(tmp_path: Path, images: list[np.ndarray]) -> None:
    deep = [image.astype(np.uint16) * 257 for image in images[:4]]
    clip = write_sequence(tmp_path / "clip", deep, FIRST)
    plain = write_sequence(tmp_path / "plain", images[:4], FIRST)
    style = paint(images[0])
    _, frames = _run(tmp_path, clip, {0: style})
    _, expected = _run(tmp_path, plain, {0: style}, output="expected")
    assert all(np.array_equal(a, b) for a, b in zip(frames, expected, strict=True))


def test_frames_are_the_same_in_every_run_and_for_any_number_of_threads(
    tmp_path: Path, clip: Path, images: list[np.ndarray]
) -> None:
    styles = _painted(images, 1, 6)
    runs = [
        _run(tmp_path, clip, styles, threads=threads, output=f"out {number}")[1]
        for number, threads in enumerate((1, 2, 3, None, 1))
    ]
    for run in runs[1:]:
        assert all(a.tobytes() == b.tobytes() for a, b in zip(runs[0], run, strict=True))


def test_frames_are_the_same_in_another_process(
    tmp_path: Path, clip: Path, images: list[np.ndarray]
) -> None:
    _, frames = _run(tmp_path, clip, _painted(images, 1, 6), output="here")
    code = (
        "import sys; from pathlib import Path; from kadr.options import RunOptions;"
        "from kadr.pipeline import restyle; clip, keys, output = map(Path, sys.argv[1:]);"
        "restyle(RunOptions(clip=clip, output=output, keys=(keys,)))"
    )
    paths = [str(path) for path in (clip, tmp_path / "keys", tmp_path / "there")]
    subprocess.run([sys.executable, "-c", code, *paths], check=True, timeout=120)
    other_frames = [read_image(path) for path in sorted((tmp_path / "there").iterdir())]
    assert all(np.array_equal(a, b) for a, b in zip(frames, other_frames, strict=True))


def test_reusing_a_work_folder_changes_no_frame(
    tmp_path: Path, clip: Path, images: list[np.ndarray]
) -> None:
    work = tmp_path / "work"
    _, first = _run(tmp_path, clip, _painted(images, 4), work=work, output="a")
    assert work.is_dir()
    _, second = _run(tmp_path, clip, _painted(images, 4), work=work, output="b")
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    other = {4: 255 - paint(images[4])}
    _, changed = _run(tmp_path, clip, other, work=work, output="c")
    _, fresh = _run(tmp_path, clip, other, output="d")
    assert all(np.array_equal(a, b) for a, b in zip(changed, fresh, strict=True))


def test_video_in_video_out(tmp_path: Path) -> None:
    times = [Fraction(t, 25) for t in (0, 1, 2, 4, 5, 8, 9, 10)]  # variable rate
    source = make_video(tmp_path / "clip é.mp4", len(times), times=times, size=(64, 48))
    with open_clip(source) as clip:
        keys = _keys(tmp_path / "keys", {3: paint(clip.frame(3).image)}, first=0)
    output = tmp_path / "a film.mp4"
    result = restyle(RunOptions(clip=source, output=output, keys=keys))
    assert result.output == output
    with open_clip(source) as clip, open_clip(output) as film:
        assert len(film) == len(clip)
        assert [float(t) for t in film.times] == pytest.approx([float(t) for t in clip.times])
        assert (film.info.width, film.info.height) == (64, 48)
        assert psnr(film.frame(3).image, read_image(next(keys[0].iterdir()))) > 25


def test_a_rotated_clip_is_written_upright_with_its_sound(tmp_path: Path) -> None:
    source = make_video(tmp_path / "phone.mp4", 30, size=(64, 48), rotation=90, sound=(0, 1.2))
    with open_clip(source) as clip:
        assert clip.info.rotation
        keys = _keys(tmp_path / "keys", {0: paint(clip.frame(0).image)}, first=0)
    restyle(RunOptions(clip=source, output=tmp_path / "film.mp4", keys=keys))
    with open_clip(tmp_path / "film.mp4") as film:
        assert (film.info.width, film.info.height, len(film)) == (48, 64, 30)
        assert film.info.rotation == 0
    assert clicks(tmp_path / "film.mp4") == pytest.approx(clicks(source), abs=0.01)
    assert len(clicks(source)) == 3


def test_a_key_with_alpha_can_be_written_to_a_video(
    tmp_path: Path, clip: Path, images: list[np.ndarray]
) -> None:
    style = np.concatenate([paint(images[0]), np.full((40, 56, 1), 128, np.uint8)], axis=2)
    keys = _keys(tmp_path / "keys", {0: style})
    restyle(RunOptions(clip=clip, output=tmp_path / "film.mp4", keys=keys))
    with open_clip(tmp_path / "film.mp4") as film:
        assert len(film) == COUNT


def test_the_film_shows_where_keys_are_transparent(
    tmp_path: Path, clip: Path, images: list[np.ndarray]
) -> None:
    alpha = np.zeros((40, 56, 1), np.uint8)
    alpha[10:30, 10:40] = 255
    green = np.full((40, 56, 3), (20, 200, 40), np.uint8)
    keys = _keys(tmp_path / "keys", {0: np.concatenate([green, alpha], axis=2)})
    options = RunOptions(
        clip=clip, output=tmp_path / "film.mkv", keys=keys, crf=4, frames=FrameRange(0, 4)
    )
    events: list[Event] = []
    restyle(options, on_event=events.append)
    notices = [event.message for event in events if "transparent" in event.message]
    assert len(notices) == 1
    assert "where keys are transparent the film shows" in notices[0]
    with open_clip(tmp_path / "film.mkv") as film:
        for frame in film.frames():
            corner = np.abs(frame.rgb[:4].astype(int) - images[frame.index][:4])
            assert corner.mean() < 12  # 4:2:0 keeps half of the colour
            assert np.abs(frame.rgb[18:22, 22:30].astype(int) - (20, 200, 40)).mean() < 12


def test_opaque_alpha_gets_no_notice(tmp_path: Path, clip: Path, images: list[np.ndarray]) -> None:
    style = np.concatenate([paint(images[0]), np.full((40, 56, 1), 255, np.uint8)], axis=2)
    keys = _keys(tmp_path / "keys", {0: style})
    options = RunOptions(
        clip=clip, output=tmp_path / "film.mp4", keys=keys, frames=FrameRange(0, 3)
    )
    events: list[Event] = []
    restyle(options, on_event=events.append)
    assert not any("transparent" in event.message for event in events)


def test_a_clip_with_alpha_lies_over_black_as_it_did(
    tmp_path: Path, images: list[np.ndarray]
) -> None:
    alpha = np.zeros((40, 56, 1), np.uint8)
    cutout = [np.concatenate([image, alpha], axis=2) for image in images[:4]]
    clip = write_sequence(tmp_path / "clip", cutout, FIRST)
    keys = _keys(tmp_path / "keys", {0: cutout[0]})
    messages: list[str] = []
    restyle(
        RunOptions(clip=clip, output=tmp_path / "film.mp4", keys=keys),
        on_event=lambda event: messages.append(event.message),
    )
    with open_clip(tmp_path / "film.mp4") as film:
        assert film.frame(0).rgb.max() < 4
    assert sum("film.mp4: cannot store alpha; transparent areas" in text for text in messages) == 1


def test_the_paint_stylizer_needs_no_key_files(
    tmp_path: Path, clip: Path, images: list[np.ndarray]
) -> None:
    output = tmp_path / "out"
    result = restyle(RunOptions(clip=clip, output=output, stylizer="paint", keys_budget=2))
    assert result.keys == (0, 8)
    frames = [read_image(path) for path in sorted(output.iterdir())]
    assert len(frames) == COUNT
    assert all(not np.array_equal(a, b) for a, b in zip(frames, images, strict=True))


def test_events_come_in_order_with_right_totals(
    tmp_path: Path, clip: Path, images: list[np.ndarray]
) -> None:
    keys = _keys(tmp_path / "keys", _painted(images, 2, 5))
    events = list(restyle_events(RunOptions(clip=clip, output=tmp_path / "out", keys=keys)))
    order = list(dict.fromkeys(event.step for event in events))
    assert order == ["plan", "stylize", "match", "propagate", "blend", "write"]
    by_step = {step: [e for e in events if e.step == step] for step in order}
    passes = (5 - 1) + (9 - 3 - 1)  # spans [0, 5) and [3, 9) less their keys
    for step, total in (
        ("plan", COUNT),
        ("stylize", 2),
        ("propagate", passes),
        ("blend", COUNT - 2),
    ):
        counted = [(e.index, e.total) for e in by_step[step]]
        assert counted[-total:] == [(n, total) for n in range(1, total + 1)]
        assert counted[0] == ((0, total) if step != "blend" else (1, total))
    working = [event.working for event in by_step["propagate"] if event.working is not None]
    assert working[0], "what begins first is told at once"
    assert set().union(*working) <= set(range(COUNT)) - {2, 5}
    assert by_step["blend"][-1].working == frozenset()
    written = by_step["write"]
    assert [(e.index, e.total) for e in written] == [(n, COUNT) for n in range(1, COUNT + 1)]
    assert events[-1] is written[-1]
    for event in written:
        assert event.preview is not None
        assert (event.preview.shape, event.preview.dtype) == ((40, 56, 3), np.uint8)


@pytest.mark.parametrize(
    ("step", "index"),
    [
        ("stylize", 0),
        ("stylize", 2),
        ("propagate", 1),
        ("propagate", 6),
        ("write", 1),
        ("write", 5),
    ],
)
@pytest.mark.parametrize("output", ["out", "film.mp4", "film.gif"])
def test_cancelling_leaves_no_files(
    tmp_path: Path,
    clip: Path,
    images: list[np.ndarray],
    temporary: Path,
    step: str,
    index: int,
    output: str,
) -> None:
    keys = _keys(tmp_path / "keys", _painted(images, 2, 5))
    cancel = CancelToken()
    received: list[Event] = []

    def watch(event: Event) -> None:
        received.append(event)
        if (event.step, event.index) == (step, index):
            cancel.cancel()

    options = RunOptions(
        clip=clip, output=tmp_path / output, keys=keys, per_key=tmp_path / "per key"
    )
    with pytest.raises(Cancelled):
        restyle(options, on_event=watch, cancel=cancel)
    assert (step, index) in [(event.step, event.index) for event in received[-4:]]
    _assert_clean(tmp_path, temporary)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupt_leaves_no_files(
    tmp_path: Path,
    clip: Path,
    images: list[np.ndarray],
    temporary: Path,
    error: type[BaseException],
) -> None:
    keys = _keys(tmp_path / "keys", _painted(images, 2, 5))

    def watch(event: Event) -> None:
        if (event.step, event.index) == ("write", 4):
            raise error

    options = RunOptions(
        clip=clip, output=tmp_path / "out", keys=keys, per_key=tmp_path / "per key"
    )
    with pytest.raises(error) as caught:
        restyle(options, on_event=watch)
    assert caught.value.__traceback__ is not None  # it still refers to the stack frames of the run
    _assert_clean(tmp_path, temporary)


def test_closing_the_events_leaves_no_files(
    tmp_path: Path, clip: Path, images: list[np.ndarray], temporary: Path
) -> None:
    keys = _keys(tmp_path / "keys", _painted(images, 2, 5))
    events = restyle_events(RunOptions(clip=clip, output=tmp_path / "out", keys=keys))
    for event in events:
        if event.step == "write":
            break
    events.close()
    _assert_clean(tmp_path, temporary)


class _Breaks:
    """A stylizer that stylizes one key and fails at the second."""

    VERSION = 1
    name = "breaks"
    joint = False
    sequential = False
    max_batch = 1

    def stylize(
        self, jobs: Iterator[StylizeJob], context: StylizeContext
    ) -> Iterator[list[StyledFrame]]:
        """One result, then an error."""
        job = next(jobs)
        yield [StyledFrame(job.index, job.frame.image)]
        raise InputError(f"frame {next(jobs).index}: too dark to paint")


def test_a_failing_stylizer_leaves_no_files(
    tmp_path: Path, clip: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kadr.render.keyframes.create_stylizer", lambda name, **options: _Breaks())
    options = RunOptions(clip=clip, output=tmp_path / "out", stylizer="paint", keys_budget=3)
    with pytest.raises(InputError, match="frame 8: too dark"):
        restyle(options)
    _assert_clean(tmp_path, temporary)


def test_a_frame_that_cannot_be_read_leaves_no_files(
    tmp_path: Path, images: list[np.ndarray], temporary: Path
) -> None:
    clip = write_sequence(tmp_path / "keys" / "clip", images, FIRST)
    broken = clip / f"frame_{FIRST + 6:05d}.png"
    broken.write_bytes(broken.read_bytes()[:200])
    with pytest.raises(InputError, match=broken.name):
        _run(tmp_path, clip, _painted(images, 2))
    _assert_clean(tmp_path, temporary)


def test_an_existing_output_is_replaced_only_with_overwrite(
    tmp_path: Path, clip: Path, images: list[np.ndarray]
) -> None:
    output = tmp_path / "film.mp4"
    output.write_bytes(b"dear")
    keys = _keys(tmp_path / "keys", _painted(images, 2))
    with pytest.raises(OutputError, match=r"film\.mp4: exists already"):
        restyle(RunOptions(clip=clip, output=output, keys=keys))
    assert output.read_bytes() == b"dear"
    restyle(RunOptions(clip=clip, output=output, keys=keys, overwrite=True))
    with open_clip(output) as film:
        assert len(film) == COUNT


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda k: write_image(k / "key_300.png", texture(40, 56)), "no frame 300.*101 to 109"),
        (lambda k: write_image(k / "key_103.png", texture(41, 56)), "56×41 pixels.*56×40"),
        (lambda k: (k / "key_103.png").write_bytes(b"no image"), "key_103.png"),
        (lambda k: k.mkdir(), "no keys found"),
        (lambda k: None, "not found"),
    ],
    ids=["outside the clip", "another size", "no image", "empty", "missing"],
)
def test_invalid_keys_are_an_error_that_names_them_and_leave_no_files(
    tmp_path: Path, clip: Path, temporary: Path, make: Any, message: str
) -> None:
    folder = tmp_path / "keys" / "of mine"
    folder.parent.mkdir()
    if message not in ("not found", "no keys found"):
        folder.mkdir()
    make(folder)
    with pytest.raises(InputError, match=message) as caught:
        restyle(RunOptions(clip=clip, output=tmp_path / "out", keys=(folder,)))
    assert "\n" not in str(caught.value)
    _assert_clean(tmp_path, temporary)


def test_keys_of_another_size_can_be_fitted(tmp_path: Path, clip: Path) -> None:
    _, frames = _run(tmp_path, clip, {2: texture(80, 112)}, fit_keys=True)
    assert all(image.shape == (40, 56, 3) for image in frames)


def test_real_footage_with_a_real_key(tmp_path: Path, real_clips: Path) -> None:
    options = RunOptions(
        clip=real_clips / "lynx" / "input",
        output=tmp_path / "out",
        keys=(real_clips / "lynx" / "keys",),
        frames=FrameRange(0, 4),
    )
    result = restyle(options)
    assert (result.keys, result.frame_count) == ((0,), 4)
    key = read_image(min((real_clips / "lynx" / "keys").iterdir()))
    written = [read_image(path) for path in sorted((tmp_path / "out").iterdir())]
    assert np.array_equal(written[0], key)
    detail = [np.square(np.diff(image.astype(float), axis=1)).mean() for image in written]
    assert min(detail) > 0.7 * detail[0]  # as detailed as the key
