"""Whole runs on small clips: what comes out, under which names, and what bad ends leave behind."""

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
from kadr.files import read_image, write_image
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
    """The same as files frame_00101.png and so on."""
    return write_sequence(tmp_path_factory.mktemp("clip"), images, FIRST)


def _keys(folder: Path, styles: Mapping[int, np.ndarray], first: int = FIRST) -> tuple[Path, ...]:
    """Write key files by frame index."""
    for index, style in styles.items():
        write_image(folder / f"key 100% {first + index:03d}.png", style)
    return (folder,)


def _painted(images: Sequence[np.ndarray], *indices: int) -> dict[int, np.ndarray]:
    """Painted keys, each a little different, as from a hand."""
    return {i: paint(images[i]) // 2 + np.uint8(9 * (i % 5)) for i in indices}


def _run(
    tmp_path: Path, clip: Path, styles: Mapping[int, np.ndarray], **options: Any
) -> tuple[RunResult, list[np.ndarray]]:
    """Run to an image folder and read it back."""
    keys = _keys(tmp_path / "keys", styles)
    output = tmp_path / options.pop("output", "out")
    result = restyle(RunOptions(clip=clip, output=output, keys=keys, **options))
    return result, [read_image(path) for path in sorted(output.glob("*.png"))]


def _left_over(tmp_path: Path) -> list[str]:
    """All that a run left outside the folders that tests made."""
    found = (path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    return [str(path) for path in found if path.parts[0] not in {"keys", "temporary"}]


def _clean(tmp_path: Path, temporary: Path) -> None:
    assert _left_over(tmp_path) == []
    assert list(temporary.iterdir()) == []
    assert not [t for t in threading.enumerate() if t.name == "kadr-prefetch"]


@pytest.mark.parametrize(
    "keys",
    [(0,), (4,), (8,), (0, 8), (2, 5), (1, 2, 7), tuple(range(COUNT))],
    ids=lambda keys: "keys " + " ".join(map(str, keys)) if len(keys) < COUNT else "all keys",
)
def test_keys_come_out_byte_for_byte(
    tmp_path: Path, clip: Path, images: list[np.ndarray], keys: tuple[int, ...], temporary: Path
) -> None:
    styles = _painted(images, *keys)
    result, made = _run(tmp_path, clip, styles)
    assert result.keys == keys
    assert result.frame_count == len(made) == COUNT
    assert result.output == tmp_path / "out"
    for index, style in styles.items():
        assert np.array_equal(made[index], style)
    assert list(temporary.iterdir()) == []


def test_names_are_those_of_the_input(tmp_path: Path, clip: Path, images: list[np.ndarray]) -> None:
    _run(tmp_path, clip, _painted(images, 3))
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(
        p.name for p in clip.iterdir()
    )


def test_frames_between_keys_look_like_their_painting(
    tmp_path: Path, clip: Path, images: list[np.ndarray]
) -> None:
    styles = {index: paint(images[index]) for index in (0, 8)}
    _, made = _run(tmp_path, clip, styles)
    for index, image in enumerate(made):
        # every place is seen in one key or the other
        assert psnr(image, paint(images[index]), 4) > 26


def test_a_still_clip_with_one_key_is_the_key(tmp_path: Path) -> None:
    image = texture(40, 56)
    clip = write_sequence(tmp_path / "clip", [image] * 5, FIRST)
    _, made = _run(tmp_path, clip, {2: paint(image)})
    assert all(psnr(frame, paint(image)) > 45 for frame in made)


def test_thirty_keys(tmp_path: Path) -> None:
    images = sliding(33, 1.0, height=24, width=32)
    clip = write_sequence(tmp_path / "clip", images, FIRST)
    styles = _painted(images, *range(1, 31))
    result, made = _run(tmp_path, clip, styles)
    assert len(result.keys) == 30
    assert len(made) == 33
    assert all(np.array_equal(made[i], style) for i, style in styles.items())


def test_given_ranges_may_overlap_and_reach_over_other_keys(
    tmp_path: Path, clip: Path, images: list[np.ndarray]
) -> None:
    styles = _painted(images, 2, 6)
    ranges = (Span(2, 0, 8), Span(6, 1, 9))
    _, made = _run(tmp_path, clip, styles, ranges=ranges, per_key=tmp_path / "per key")
    assert all(np.array_equal(made[i], style) for i, style in styles.items())
    folders = {p.name: len(list(p.iterdir())) for p in (tmp_path / "per key").iterdir()}
    assert folders == {"key_00103": 8, "key_00107": 8}


def test_a_range_shuts_a_key_out(tmp_path: Path, clip: Path, images: list[np.ndarray]) -> None:
    styles = {0: paint(images[0]), 8: np.full_like(images[0], 7)}
    _, made = _run(tmp_path, clip, styles, ranges=(Span(0, 0, 6), Span(8, 6, 9)))
    alone, unmixed = _run(tmp_path / "alone", clip, {0: styles[0]})
    assert alone.keys == (0,)
    for index in range(6):
        assert np.array_equal(made[index], unmixed[index])
    assert all((made[index] == 7).all() for index in range(6, 9))


def test_frames_in_no_range_are_named(
    tmp_path: Path, clip: Path, images: list[np.ndarray], temporary: Path
) -> None:
    with pytest.raises(OptionsError, match="frames 105–106 are in no key's range"):
        _run(tmp_path, clip, _painted(images, 0, 8), ranges=(Span(0, 0, 4), Span(8, 6, 9)))
    _clean(tmp_path, temporary)


def test_each_keys_own_frames_are_complete(
    tmp_path: Path, clip: Path, images: list[np.ndarray]
) -> None:
    styles = _painted(images, 2, 5)
    folder = tmp_path / "per key"
    _, made = _run(tmp_path, clip, styles, per_key=folder)
    names = {p.name: sorted(f.name for f in p.iterdir()) for p in folder.iterdir()}
    assert names == {
        "key_00103": [f"frame_{n:05d}.png" for n in range(101, 106)],
        "key_00106": [f"frame_{n:05d}.png" for n in range(104, 110)],
    }
    for key, style in styles.items():
        own = folder / f"key_{FIRST + key:05d}"
        assert np.array_equal(read_image(own / f"frame_{FIRST + key:05d}.png"), style)
    # where one key alone has a say, the film shows its frames
    assert np.array_equal(read_image(folder / "key_00103" / "frame_00101.png"), made[0])


def test_each_keys_own_frames_may_lie_within_the_output(
    tmp_path: Path, clip: Path, images: list[np.ndarray]
) -> None:
    _run(tmp_path, clip, _painted(images, 2), per_key=tmp_path / "out" / "per key")
    assert len(list((tmp_path / "out").glob("*.png"))) == COUNT
    assert len(list((tmp_path / "out" / "per key" / "key_00103").iterdir())) == COUNT


def test_an_output_that_fails_at_the_end_takes_each_keys_frames_with_it(
    tmp_path: Path, clip: Path, images: list[np.ndarray], temporary: Path
) -> None:
    keys = _keys(tmp_path / "keys", _painted(images, 2))
    output = tmp_path / "keys" / "film.mp4"

    def block(event: Event) -> None:
        if (event.step, event.index) == ("write", COUNT):
            output.mkdir()  # a folder that takes the name in the last moment

    options = RunOptions(clip=clip, output=output, keys=keys, per_key=tmp_path / "per key")
    with pytest.raises(OutputError, match=r"film\.mp4"):
        restyle(options, on_event=block)
    _clean(tmp_path, temporary)


def test_some_frames_only(tmp_path: Path, clip: Path, images: list[np.ndarray]) -> None:
    styles = _painted(images, 0, 4, 8)
    result, made = _run(tmp_path, clip, styles, frames=FrameRange(3, 7))
    assert result.keys == (4,)
    assert [p.name for p in sorted((tmp_path / "out").iterdir())] == [
        f"frame_{n:05d}.png" for n in range(104, 108)
    ]
    assert np.array_equal(made[1], styles[4])


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
        next(events)  # before any work


@pytest.mark.parametrize(
    ("frames", "message"),
    [(FrameRange(5, 40), "frames 5–39: .* has frames 0–8"), (FrameRange(1, 3), "no key lies in")],
)
def test_frames_that_are_not_there(
    tmp_path: Path,
    clip: Path,
    images: list[np.ndarray],
    frames: FrameRange,
    message: str,
    temporary: Path,
) -> None:
    with pytest.raises(KadrError, match=message):
        _run(tmp_path, clip, _painted(images, 4), frames=frames)
    _clean(tmp_path, temporary)


def test_a_clip_of_one_frame(tmp_path: Path) -> None:
    image = texture(24, 32)
    clip = write_sequence(tmp_path / "clip", [image], FIRST)
    result, made = _run(tmp_path, clip, {0: paint(image)})
    assert result.frame_count == 1
    assert np.array_equal(made[0], paint(image))


@pytest.mark.parametrize("size", [(21, 33), (9, 40), (5, 5)])
def test_odd_and_tiny_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    images = [np.roll(texture(*size), t, axis=1) for t in range(5)]
    clip = write_sequence(tmp_path / "clip", images, FIRST)
    styles = _painted(images, 1, 4)
    _, made = _run(tmp_path, clip, styles)
    assert all(image.shape == (*size, 3) for image in made)
    assert np.array_equal(made[4], styles[4])


def test_alpha_of_the_keys_is_carried(tmp_path: Path, clip: Path, images: list[np.ndarray]) -> None:
    alpha = np.zeros((40, 56, 1), np.uint8)
    alpha[10:30, 10:40] = 255
    styles = {i: np.concatenate([s, alpha], axis=2) for i, s in _painted(images, 1, 6).items()}
    _, made = _run(tmp_path, clip, styles)
    assert all(image.shape == (40, 56, 4) for image in made)
    assert all(np.array_equal(made[i], style) for i, style in styles.items())
    assert (made[3][15:25, 22:36, 3] > 200).all()
    assert (made[3][:4, :, 3] < 50).all()


def test_keys_with_and_without_alpha_mix(
    tmp_path: Path, clip: Path, images: list[np.ndarray]
) -> None:
    styles = _painted(images, 1, 6)
    alpha = np.full((40, 56, 1), 90, np.uint8)
    styles[6] = np.concatenate([styles[6], alpha], axis=2)
    _, made = _run(tmp_path, clip, styles)
    assert all(image.shape == (40, 56, 4) for image in made)
    assert np.array_equal(made[1][..., :3], styles[1])
    assert (made[1][..., 3] == 255).all()
    assert np.array_equal(made[6], styles[6])


def test_keys_of_16_bits_are_rounded_to_8(
    tmp_path: Path, clip: Path, images: list[np.ndarray]
) -> None:
    style = paint(images[2])
    deep = style.astype(np.uint16) * 257 + 100
    deep = np.where(style == 255, 65535, deep).astype(np.uint16)
    _, made = _run(tmp_path, clip, {2: deep})
    assert np.array_equal(made[2], style)


def test_a_clip_of_16_bits(tmp_path: Path, images: list[np.ndarray]) -> None:
    deep = [image.astype(np.uint16) * 257 for image in images[:4]]
    clip = write_sequence(tmp_path / "clip", deep, FIRST)
    plain = write_sequence(tmp_path / "plain", images[:4], FIRST)
    style = paint(images[0])
    _, made = _run(tmp_path, clip, {0: style})
    _, expected = _run(tmp_path, plain, {0: style}, output="expected")
    assert all(np.array_equal(a, b) for a, b in zip(made, expected, strict=True))


def test_the_same_bytes_again_and_for_any_number_of_threads(
    tmp_path: Path, clip: Path, images: list[np.ndarray]
) -> None:
    styles = _painted(images, 1, 6)
    runs = [
        _run(tmp_path, clip, styles, threads=threads, output=f"out {at}")[1]
        for at, threads in enumerate((1, 2, 3, None, 1))
    ]
    for run in runs[1:]:
        assert all(a.tobytes() == b.tobytes() for a, b in zip(runs[0], run, strict=True))


def test_the_same_bytes_in_another_process(
    tmp_path: Path, clip: Path, images: list[np.ndarray]
) -> None:
    _, made = _run(tmp_path, clip, _painted(images, 1, 6), output="here")
    code = (
        "import sys; from pathlib import Path; from kadr.options import RunOptions;"
        "from kadr.pipeline import restyle; clip, keys, output = map(Path, sys.argv[1:]);"
        "restyle(RunOptions(clip=clip, output=output, keys=(keys,)))"
    )
    paths = [str(path) for path in (clip, tmp_path / "keys", tmp_path / "there")]
    subprocess.run([sys.executable, "-c", code, *paths], check=True, timeout=120)
    there = [read_image(path) for path in sorted((tmp_path / "there").iterdir())]
    assert all(np.array_equal(a, b) for a, b in zip(made, there, strict=True))


def test_a_kept_work_folder_changes_nothing(
    tmp_path: Path, clip: Path, images: list[np.ndarray]
) -> None:
    work = tmp_path / "work"
    _, first = _run(tmp_path, clip, _painted(images, 4), work=work, output="a")
    assert work.is_dir()
    _, again = _run(tmp_path, clip, _painted(images, 4), work=work, output="b")
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
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
    with open_clip(source) as clip, open_clip(output) as made:
        assert len(made) == len(clip)
        assert [float(t) for t in made.times] == pytest.approx([float(t) for t in clip.times])
        assert (made.info.width, made.info.height) == (64, 48)
        assert psnr(made.frame(3).image, read_image(next(keys[0].iterdir()))) > 25


def test_a_phones_clip_stands_upright_and_keeps_its_sound(tmp_path: Path) -> None:
    source = make_video(tmp_path / "phone.mp4", 30, size=(64, 48), rotation=90, sound=(0, 1.2))
    with open_clip(source) as clip:
        assert clip.info.rotation
        keys = _keys(tmp_path / "keys", {0: paint(clip.frame(0).image)}, first=0)
    restyle(RunOptions(clip=source, output=tmp_path / "film.mp4", keys=keys))
    with open_clip(tmp_path / "film.mp4") as made:
        assert (made.info.width, made.info.height, len(made)) == (48, 64, 30)
        assert made.info.rotation == 0
    assert clicks(tmp_path / "film.mp4") == pytest.approx(clicks(source), abs=0.01)
    assert len(clicks(source)) == 3


def test_a_key_with_alpha_into_a_video(
    tmp_path: Path, clip: Path, images: list[np.ndarray]
) -> None:
    style = np.concatenate([paint(images[0]), np.full((40, 56, 1), 128, np.uint8)], axis=2)
    keys = _keys(tmp_path / "keys", {0: style})
    restyle(RunOptions(clip=clip, output=tmp_path / "film.mp4", keys=keys))
    with open_clip(tmp_path / "film.mp4") as made:
        assert len(made) == COUNT


def test_the_painting_stylizer_works_alone(
    tmp_path: Path, clip: Path, images: list[np.ndarray]
) -> None:
    output = tmp_path / "out"
    result = restyle(RunOptions(clip=clip, output=output, stylizer="paint", keys_budget=2))
    assert result.keys == (0, 8)
    made = [read_image(path) for path in sorted(output.iterdir())]
    assert len(made) == COUNT
    assert all(not np.array_equal(a, b) for a, b in zip(made, images, strict=True))


def test_events_come_in_order_with_right_totals(
    tmp_path: Path, clip: Path, images: list[np.ndarray]
) -> None:
    keys = _keys(tmp_path / "keys", _painted(images, 2, 5))
    events = list(restyle_events(RunOptions(clip=clip, output=tmp_path / "out", keys=keys)))
    order = list(dict.fromkeys(event.step for event in events))
    assert order == ["plan", "stylize", "propagate", "blend", "write"]
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
def test_a_stop_leaves_nothing(
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
    seen: list[Event] = []

    def watch(event: Event) -> None:
        seen.append(event)
        if (event.step, event.index) == (step, index):
            cancel.cancel()

    options = RunOptions(
        clip=clip, output=tmp_path / output, keys=keys, per_key=tmp_path / "per key"
    )
    with pytest.raises(Cancelled):
        restyle(options, on_event=watch, cancel=cancel)
    assert (step, index) in [(event.step, event.index) for event in seen[-4:]]
    _clean(tmp_path, temporary)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupt_leaves_nothing_at_once(
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
    assert caught.value.__traceback__ is not None  # the run's frames are still referred to
    _clean(tmp_path, temporary)


def test_events_given_up_leave_nothing(
    tmp_path: Path, clip: Path, images: list[np.ndarray], temporary: Path
) -> None:
    keys = _keys(tmp_path / "keys", _painted(images, 2, 5))
    events = restyle_events(RunOptions(clip=clip, output=tmp_path / "out", keys=keys))
    for event in events:
        if event.step == "write":
            break
    events.close()
    _clean(tmp_path, temporary)


class _Breaks:
    """A stylizer that makes one key and fails at the second."""

    VERSION = 1
    name = "breaks"
    joint = False
    sequential = False
    max_batch = 1

    def stylize(
        self, jobs: Iterator[StylizeJob], context: StylizeContext
    ) -> Iterator[list[StyledFrame]]:
        """One answer, then an error."""
        job = next(jobs)
        yield [StyledFrame(job.index, job.frame.image)]
        raise InputError(f"frame {next(jobs).index}: too dark to paint")


def test_a_failing_stylizer_leaves_nothing(
    tmp_path: Path, clip: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kadr.render.keyframes.create_stylizer", lambda name, **options: _Breaks())
    options = RunOptions(clip=clip, output=tmp_path / "out", stylizer="paint", keys_budget=3)
    with pytest.raises(InputError, match="frame 8: too dark"):
        restyle(options)
    _clean(tmp_path, temporary)


def test_a_frame_that_cannot_be_read_leaves_nothing(
    tmp_path: Path, images: list[np.ndarray], temporary: Path
) -> None:
    clip = write_sequence(tmp_path / "keys" / "clip", images, FIRST)
    broken = clip / f"frame_{FIRST + 6:05d}.png"
    broken.write_bytes(broken.read_bytes()[:200])
    with pytest.raises(InputError, match=broken.name):
        _run(tmp_path, clip, _painted(images, 2))
    _clean(tmp_path, temporary)


def test_an_output_that_exists_is_kept(
    tmp_path: Path, clip: Path, images: list[np.ndarray]
) -> None:
    output = tmp_path / "film.mp4"
    output.write_bytes(b"dear")
    keys = _keys(tmp_path / "keys", _painted(images, 2))
    with pytest.raises(OutputError, match=r"film\.mp4: exists already"):
        restyle(RunOptions(clip=clip, output=output, keys=keys))
    assert output.read_bytes() == b"dear"
    restyle(RunOptions(clip=clip, output=output, keys=keys, overwrite=True))
    with open_clip(output) as made:
        assert len(made) == COUNT


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
def test_bad_keys_are_named_and_leave_nothing(
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
    _clean(tmp_path, temporary)


def test_keys_of_another_size_can_be_fitted(tmp_path: Path, clip: Path) -> None:
    _, made = _run(tmp_path, clip, {2: texture(80, 112)}, fit_keys=True)
    assert all(image.shape == (40, 56, 3) for image in made)


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
    made = [read_image(path) for path in sorted((tmp_path / "out").iterdir())]
    assert np.array_equal(made[0], key)
    fine = [np.square(np.diff(image.astype(float), axis=1)).mean() for image in made]
    assert min(fine) > 0.7 * fine[0]  # as detailed as the painting
