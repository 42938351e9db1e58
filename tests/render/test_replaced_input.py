"""Input that is replaced while a run goes on: nothing made from it is kept, and it is said."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kadr.core.events import CancelToken, Event
from kadr.core.frames import Frame, FrameRange
from kadr.errors import InputError
from kadr.image_files import write_image
from kadr.options import RunOptions, detail_options
from kadr.pipeline import restyle, restyle_events
from kadr.plan.survey import survey_clip
from kadr.render import pass_task
from kadr.stylize import external
from kadr.video.clips import create_clip, open_clip
from scenes import paint, sliding, texture

COUNT, KEYS = 20, (0, 10, 19)
CHANGED = r"clip.*: was changed while the run read it; .* put it back or start again"


def _write_clip(path: Path, images: Sequence[np.ndarray]) -> Path:
    with create_clip(path if path.suffix else f"{path}/", like=None) as writer:
        for index, image in enumerate(images):
            writer.write(Frame(index, image))
    return path


@pytest.fixture(scope="module", params=["clip.mkv", "clip"])
def template(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a clip, another clip, painted keys, and the frames of an undisturbed run."""
    root = tmp_path_factory.mktemp("template")
    images = sliding(COUNT, 1.1, 0.3, height=40, width=56)
    _write_clip(root / request.param, images)
    others = sliding(COUNT, -1.6, height=40, width=56, seed=5)
    _write_clip(root / "other" / request.param, others)
    shutil.move(root / "other" / request.param, root / f"other-{request.param}")
    shutil.rmtree(root / "other")
    for key in KEYS:
        write_image(root / "keys" / f"{key:03d}.png", paint(images[key]))
    shutil.copytree(root, root / "clean")
    restyle(_options(root / "clean"))
    return root


@pytest.fixture
def root(template: Path, tmp_path: Path) -> Path:
    """A copy without the finished run, which a test may change."""
    folder = tmp_path / "root"
    shutil.copytree(template, folder, ignore=shutil.ignore_patterns("clean"))
    return folder


def _clip(root: Path) -> Path:
    return next(path for path in root.iterdir() if path.name.startswith("clip"))


def _options(root: Path, **changes: Any) -> RunOptions:
    values = {
        "keys": (root / "keys",), "output": root / "out", "workers": None,
        "propagate": detail_options("draft"),
    } | changes  # fmt: skip
    return RunOptions(clip=_clip(root), work=root / "work", overwrite=True, **values)


class _Swap:
    """Puts the other clip in the clip's place, and back."""

    def __init__(self, root: Path) -> None:
        self._clip = _clip(root)
        self._other, self._aside = root / f"other-{self._clip.name}", root / "aside"
        self.swapped = False

    def __call__(self) -> None:
        if not self.swapped:
            self._clip.rename(self._aside)
            self._other.rename(self._clip)
            self.swapped = True

    def restore(self) -> None:
        """As before."""
        if self.swapped:
            self._clip.rename(self._other)
            self._aside.rename(self._clip)
            self.swapped = False


def _run(options: RunOptions, when: Callable[[Event], bool], then: Callable[[], object]) -> None:
    for event in restyle_events(options):
        if when(event):
            then()


def _written(root: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((root / "out").iterdir())]


def _frames(root: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((root / "work" / "frames").iterdir())]


def _check_resumed(root: Path, template: Path, **changes: Any) -> None:
    """The rest is made, and all is as in a run that nobody disturbed."""
    restyle(_options(root, **changes))
    assert _frames(root) == _frames(template / "clean")
    assert _written(root) == _written(template / "clean")


@pytest.mark.parametrize("step", ["plan", "stylize", "propagate"])
def test_a_clip_replaced_between_steps_stops_the_run(root: Path, template: Path, step: str) -> None:
    swap = _Swap(root)
    with pytest.raises(InputError, match=CHANGED):
        _run(_options(root), lambda event: event.step == step, swap)
    assert not (root / "out").exists()
    swap.restore()
    _check_resumed(root, template)


def test_a_clip_replaced_before_the_last_frames_are_blended(root: Path, template: Path) -> None:
    swap = _Swap(root)
    with pytest.raises(InputError, match=CHANGED):
        _run(_options(root), lambda event: event.step == "blend", swap)
    swap.restore()
    _check_resumed(root, template)


def test_a_clip_replaced_while_the_output_is_written_stops_the_run(
    root: Path, template: Path
) -> None:
    if _clip(root).is_dir():
        pytest.skip("each image is checked when it is read, and nothing more is read")
    swap = _Swap(root)
    with pytest.raises(InputError, match=CHANGED):
        _run(_options(root), lambda event: event.step == "write" and event.index == COUNT, swap)
    assert not (root / "out").exists()
    swap.restore()
    _check_resumed(root, template)


@pytest.mark.parametrize("in_place", [False, True])
def test_a_clip_replaced_within_a_task_leaves_nothing(
    root: Path, template: Path, in_place: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    swap, packed, clip = _Swap(root), [0], _clip(root)
    original = pass_task.pack_pass_frame
    files = sorted(clip.iterdir()) if clip.is_dir() else [clip]
    contents = [file.read_bytes() for file in files]

    def pack(*arguments: Any) -> Any:
        packed[0] += 1
        if packed[0] == 3:
            if in_place:
                for file in files:
                    file.write_bytes(b"\0" * 9 + file.read_bytes()[9:])
            else:
                swap()
        return original(*arguments)

    monkeypatch.setattr(pass_task, "pack_pass_frame", pack)
    with pytest.raises(InputError, match=CHANGED):
        restyle(_options(root))
    monkeypatch.undo()
    swap.restore()
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    _check_resumed(root, template)


def test_workers_refuse_another_clip(root: Path, template: Path) -> None:
    if _clip(root).is_dir():
        pytest.skip("one kind is enough: processes take seconds to start")
    swap = _Swap(root)
    with pytest.raises(InputError, match=CHANGED):
        _run(_options(root, workers=1), lambda event: event.step == "propagate", swap)
    swap.restore()
    _check_resumed(root, template, workers=1)


def test_a_project_on_another_machine_computes_nothing_again(root: Path, tmp_path: Path) -> None:
    """All times and numbers of the files differ there."""
    restyle(_options(root))
    moved = tmp_path / "elsewhere"
    shutil.copytree(root, moved, copy_function=shutil.copyfile)
    assert restyle(_options(moved)).computed == 0
    assert _frames(moved) == _frames(root)


def test_a_survey_of_two_clips_is_not_kept(root: Path) -> None:
    swap, cache = _Swap(root), root / "surveys"
    with open_clip(_clip(root)) as clip:
        events = survey_clip(clip, FrameRange(0, COUNT), cancel=CancelToken(), cache=cache)
        with pytest.raises(InputError, match=CHANGED):
            _swap_at(events, 4, swap)
    assert not list(cache.glob("survey-*"))


def _swap_at(events: Iterator[Event], position: int, swap: Callable[[], None]) -> None:
    for count, _ in enumerate(events):
        if count == position:
            swap()


def test_a_key_replaced_before_it_is_read_is_not_kept(
    root: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = root / "keys" / "010.png"
    content = key.read_bytes()
    original = external.read_image_bytes
    seeds = itertools.count(9)

    def read(path: Path) -> bytes:
        if path == key:
            write_image(root / "new.png", texture(40, 56, seed=next(seeds)))
            (root / "new.png").replace(key)
        return original(path)

    monkeypatch.setattr(external, "read_image_bytes", read)
    with pytest.raises(InputError, match=r"010\.png: was changed while the run read it; start"):
        restyle(_options(root))
    monkeypatch.undo()
    key.write_bytes(content)
    _check_resumed(root, template)


def test_a_mask_replaced_before_it_is_read_is_not_used(root: Path) -> None:
    mask = root / "mask.png"
    write_image(mask, np.full((40, 56), 255, np.uint8))
    options = _options(root, keys=(), stylizer="paint", every_frame=True, mask=mask)
    with pytest.raises(InputError, match=r"mask\.png: was changed while the run read it; start"):
        _run(
            options,
            lambda event: event.step == "stylize",
            lambda: write_image(mask, np.zeros((40, 56), np.uint8)),
        )
