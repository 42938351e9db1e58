"""Files that change while a clip is open: no frame of another content comes out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kadr.core.frames import Frame
from kadr.errors import InputError
from kadr.video import decoder, file_watch
from kadr.video.base import Clip
from kadr.video.clip_source import ClipSource
from kadr.video.clips import create_clip, open_clip
from kadr.video.identity import identify

COUNT = 6
KINDS = ("clip.mkv", "clip.gif", "clip")
CHANGED = "was changed while the run read it; .* put it back or start again"


def _write(path: Path, level: int) -> Path:
    with create_clip(path if path.suffix else f"{path}/", like=None) as writer:
        for index in range(COUNT):
            writer.write(Frame(index, np.full((32, 48, 3), level + index, np.uint8)))
    return path


@pytest.fixture(params=KINDS)
def paths(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path, Path]:
    """A clip, a copy of it, and another clip of the same shape: of each kind in turn."""
    clip = _write(tmp_path / "a" / request.param, 40)
    other = _write(tmp_path / "b" / request.param, 180)
    copy = tmp_path / "copy" / request.param
    copy.parent.mkdir()
    (shutil.copytree if clip.is_dir() else shutil.copy2)(clip, copy)
    return clip, copy, other


def _files(path: Path) -> list[Path]:
    return sorted(path.iterdir()) if path.is_dir() else [path]


def _put_in_place(source: Path, clip: Path) -> None:
    """Another file gets the name."""
    for old, new in zip(_files(clip), _files(source), strict=True):
        shutil.copy2(new, old.with_name("new"))
        old.with_name("new").replace(old)


def _write_in_place(source: Path, clip: Path) -> None:
    """The same file gets other bytes."""
    for old, new in zip(_files(clip), _files(source), strict=True):
        old.write_bytes(new.read_bytes())


def _levels(clip: Clip) -> list[int]:
    return [int(frame.image.mean()) for frame in clip.frames()]


@pytest.mark.parametrize("replace", [_put_in_place, _write_in_place])
@pytest.mark.parametrize("identified", [True, False])
def test_no_frame_of_another_clip_comes_out(
    paths: tuple[Path, Path, Path], replace: Callable[[Path, Path], None], identified: bool
) -> None:
    path, _, other = paths
    with open_clip(path) as clip:
        if identified:
            identify(clip)
        frames = clip.frames()
        assert int(next(frames).image.mean()) < 60
        replace(other, path)
        for read in (lambda: next(frames), lambda: clip.frame(3), lambda: _levels(clip)):
            with pytest.raises(InputError, match=CHANGED):
                read()


@pytest.mark.parametrize("identified", [True, False])
def test_a_clip_that_comes_back_within_one_read_is_noticed(
    paths: tuple[Path, Path, Path], identified: bool
) -> None:
    path, copy, other = paths
    with open_clip(path) as clip:
        if identified:
            identify(clip)
        frames = clip.frames()
        next(frames)
        _write_in_place(other, path)
        if path.is_dir():
            with pytest.raises(InputError, match=CHANGED):
                next(frames)
            return
        _write_in_place(copy, path)
        with pytest.raises(InputError, match=CHANGED):
            next(frames)


def test_equal_content_in_its_place_is_the_same_clip(paths: tuple[Path, Path, Path]) -> None:
    path, copy, _ = paths
    with open_clip(path) as clip:
        identify(clip)
        expected = _levels(clip)
        frames = clip.frames()
        first = next(frames)
        _put_in_place(copy, path)
        levels = [int(frame.image.mean()) for frame in [first, *frames]]
        assert levels == expected == _levels(clip)
        clip.watch.check()


def test_a_new_name_or_new_permissions_are_no_change(paths: tuple[Path, Path, Path]) -> None:
    path, _, _ = paths
    with open_clip(path) as clip:
        for file in _files(path):
            file.chmod(0o600)
            file.rename(file.with_name("elsewhere"))
            file.with_name("elsewhere").rename(file)
        assert len(_levels(clip)) == COUNT


def test_a_clip_that_is_gone_is_named(paths: tuple[Path, Path, Path]) -> None:
    path, _, _ = paths
    with open_clip(path) as clip:
        identify(clip)
        (shutil.rmtree if path.is_dir() else os.unlink)(path)
        with pytest.raises(InputError, match=r"clip.*: (was changed|cannot be read)"):
            clip.frame(1)


def test_another_file_that_is_there_only_while_it_is_opened_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The names are swapped and swapped back: size, time and number are as before."""
    path, other = _write(tmp_path / "a.mkv", 40), _write(tmp_path / "b.mkv", 180)
    swaps = [True]
    original = decoder.open_container

    def open_swapped(name: Path) -> object:
        if not swaps or not swaps.pop():
            return original(name)
        path.rename(tmp_path / "aside.mkv")
        other.rename(path)
        container = original(name)
        path.rename(other)
        (tmp_path / "aside.mkv").rename(path)
        return container

    monkeypatch.setattr(decoder, "open_container", open_swapped)
    with open_clip(path) as clip:
        identify(clip)
        swaps[:] = [True]
        assert max(_levels(clip)) < 60
        swaps[:] = [True] * 20
        with pytest.raises(InputError, match=CHANGED):
            _levels(clip)


def test_a_source_opens_only_its_own_content(
    paths: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, copy, other = paths
    with open_clip(path) as clip:
        identify(clip)
        source = ClipSource(str(path)).pinned(clip)
    with source.open() as clip:
        assert len(clip) == COUNT
    _put_in_place(copy, path)
    with source.open() as clip:
        assert clip.watch.identity == source.identity
    with monkeypatch.context() as patch:
        patch.setattr(file_watch, "content_hash", lambda *_: pytest.fail("hashed again"))
        source.open().close()
    _put_in_place(other, path)
    with pytest.raises(InputError, match=CHANGED):
        source.open()
    for file in _files(path):
        file.write_bytes(b"half a file")
    with pytest.raises(InputError, match=CHANGED):
        source.open()


def test_a_clip_that_changes_before_it_is_identified_is_refused(
    paths: tuple[Path, Path, Path],
) -> None:
    path, _, other = paths
    with open_clip(path) as clip:
        _put_in_place(other, path)
        with pytest.raises(InputError, match="changes while it is read; wait"):
            identify(clip)


def test_frames_do_not_get_the_sound_of_another_clip(video: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy2(video, tmp_path))
    with open_clip(path) as clip:
        writer = create_clip(tmp_path / "out.mp4", like=clip)
        for frame in clip.frames():
            writer.write(frame)
        _put_in_place(_write(tmp_path / "other.mkv", 180), path)
        with pytest.raises(InputError, match=CHANGED):
            writer.finish()
    assert not (tmp_path / "out.mp4").exists()
