"""What is on the disk and when: bytes before names, names before a run ends; work files never."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kadr.core.frames import Frame
from kadr.errors import OutputError
from kadr.files import Sync, atomic_file, make_folder, write_json_object
from kadr.image_files import write_image
from kadr.options import RunOptions
from kadr.pipeline import restyle
from kadr.project.create import new_project
from kadr.render.key_layers import KeyLayer
from kadr.render.per_key import PerKeyWriter
from kadr.storage.frame_folder import FrameFolder
from kadr.storage.store import FolderStore
from kadr.video.clips import create_clip, open_clip
from scenes import paint, sliding, write_sequence

IMAGE = np.full((32, 48, 3), 90, np.uint8)

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="names no open files")


class _Calls:
    """The calls that put bytes and names on the disk, in order: (what, path)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[tuple[str, Path]] = []
        fsync, replace = os.fsync.__wrapped__, os.replace  # the real one

        def record_fsync(descriptor: int) -> None:
            self.made.append(("sync", Path(f"/proc/self/fd/{descriptor}").readlink()))
            fsync(descriptor)

        def record_replace(source: str, target: str) -> None:
            replace(source, target)
            self.made.append((f"rename {source}", Path(target)))

        monkeypatch.setattr(os, "fsync", record_fsync)
        monkeypatch.setattr(os, "replace", record_replace)

    def renames(self) -> list[tuple[int, Path, Path]]:
        """(position, source, target) of each rename."""
        return [
            (position, Path(what.removeprefix("rename ")), path)
            for position, (what, path) in enumerate(self.made)
            if what.startswith("rename ")
        ]

    def synced(self, start: int, stop: int | None = None) -> set[Path]:
        """What was synced in a part of the calls."""
        return {path for what, path in self.made[start:stop] if what == "sync"}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> _Calls:
    """Records what is synced and renamed."""
    return _Calls(monkeypatch)


def _clip(path: Path) -> Path:
    with create_clip(path, like=None) as writer:
        for index in range(3):
            writer.write(Frame(index, IMAGE + index))
    return path


def _atomic(path: Path) -> Path:
    with atomic_file(path) as temporary:
        temporary.write_text("mine")
    return path


def _into_folder(path: Path) -> Path:
    path.mkdir(parents=True)
    return _clip(path)


def _image(path: Path) -> Path:
    write_image(path, IMAGE)
    return path


def _per_key(path: Path) -> Path:
    sequence = write_sequence(path.parent / "clip", [IMAGE] * 2)
    with open_clip(sequence) as clip, PerKeyWriter(path, clip, False) as writer:
        writer.write(KeyLayer(0, 1, IMAGE, np.full(IMAGE.shape[:2], 65535, np.uint16)))
    return path


def _project(path: Path) -> Path:
    clip = write_sequence(path.parent / "clip", [IMAGE] * 2)
    write_image(path.parent / "painted" / "00000.png", IMAGE)
    new_project(clip, [path.parent / "painted"], path)
    return path


WRITERS: dict[str, Callable[[Path], Path]] = {
    "settings.toml": _atomic,
    "image.png": _image,
    "film.mp4": _clip,
    "film.gif": _clip,
    "film.webp": _clip,
    "frames": _clip,
    "folder that exists": _into_folder,
    "key by key": _per_key,
    "p.kadr": _project,
}


@pytest.mark.parametrize("name", WRITERS)
def test_what_is_the_users_is_on_the_disk_before_its_name_is(
    calls: _Calls, tmp_path: Path, name: str
) -> None:
    path = WRITERS[name](tmp_path / "new" / name)
    checked: set[Path] = set()
    for position, source, target in calls.renames():
        if not target.is_relative_to(path):
            continue
        before, after = calls.synced(0, position), calls.synced(position)
        files = [file for file in target.rglob("*") if file.is_file()] or [target]
        for file in files:
            if (source / file.relative_to(target)) in before and target.parent in after:
                checked.add(file)
    files = {file for file in path.rglob("*") if file.is_file()} or {path}
    assert files - checked == set()


def test_new_folders_are_on_the_disk_too(calls: _Calls, tmp_path: Path) -> None:
    _atomic(tmp_path / "a" / "b" / "x")
    assert {tmp_path, tmp_path / "a", tmp_path / "a" / "b"} <= calls.synced(0)
    make_folder(tmp_path / "c" / "d")
    assert tmp_path / "c" in calls.synced(0)


def test_the_last_calls_put_the_name_on_the_disk(calls: _Calls, tmp_path: Path) -> None:
    _atomic(tmp_path / "x")
    (first, temporary), (second, target), last = calls.made
    assert (first, second) == ("sync", f"rename {temporary}")
    assert target == tmp_path / "x"
    assert last == ("sync", tmp_path)


def test_frames_wait_for_the_disk_together(calls: _Calls, tmp_path: Path) -> None:
    folder = FrameFolder(tmp_path / "frames", str)
    for index in range(4):
        folder.put(index, IMAGE, "name", 0.0)
    for position, source, _ in calls.renames():
        assert source in calls.synced(0, position)
    assert folder.folder not in calls.synced(0)
    folder.sync()
    assert calls.made[-1] == ("sync", folder.folder)


def test_work_files_do_not_wait_for_the_disk(calls: _Calls, tmp_path: Path) -> None:
    (tmp_path / "store" / "deep").mkdir(parents=True)
    FolderStore(tmp_path / "store").put("deep/entry", {"image": IMAGE})
    write_json_object(tmp_path / "x.json", {"a": 1})
    with atomic_file(tmp_path / "x", Sync.NOTHING) as temporary:
        temporary.write_text("x")
    assert len(calls.renames()) == 3
    assert calls.synced(0) == set()


@pytest.mark.parametrize("changes", [{}, {"per_key": "keys made"}, {"every_frame": True}])
def test_a_run_ends_when_its_frames_are_on_the_disk(
    calls: _Calls, tmp_path: Path, changes: dict[str, object]
) -> None:
    images = sliding(6, 1.0, height=40, width=56)
    clip = write_sequence(tmp_path / "clip", images)
    keys = write_sequence(tmp_path / "keys", [paint(images[0])])
    frames = tmp_path / "frames"
    if "per_key" in changes:
        changes = {"per_key": tmp_path / "per key"}
    if changes.get("every_frame"):
        changes = {"every_frame": True, "stylizer": "paint"}
    options = RunOptions(
        clip,
        tmp_path / "film.mkv",
        **{"keys": (keys,) if "stylizer" not in changes else (), **changes},
        work=tmp_path / "work",
        frames_folder=frames,
    )
    restyle(options)
    renames = [entry for entry in calls.renames() if entry[2].parent == frames]
    assert len(renames) == len(images)
    for position, source, _ in renames:
        assert source in calls.synced(0, position)
        assert frames in calls.synced(position)
    work = {path for path in calls.synced(0) if path.is_relative_to(tmp_path / "work" / "store")}
    assert {path for path in work if path.suffix} == set()


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_without_the_call_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(os, "fsync", _raiser(code))
    assert _atomic(tmp_path / "deep" / "x").read_text() == "mine"
    FrameFolder(tmp_path, str).sync()


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_a_disk_that_fails_is_an_error_that_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    (tmp_path / "x").write_text("as before")
    monkeypatch.setattr(os, "fsync", _raiser(code))
    with pytest.raises(OutputError, match=r"x: cannot be written"):
        _atomic(tmp_path / "x")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert (tmp_path / "x").read_text() == "as before"
    with pytest.raises(OutputError, match="cannot be written"):
        _clip(tmp_path / "film.mkv")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    with pytest.raises(OutputError, match="cannot be written"):
        FrameFolder(tmp_path, str).sync()
    with pytest.raises(OutputError, match="cannot be made"):
        make_folder(tmp_path / "a" / "b")


def _raiser(code: int) -> Callable[[int], None]:
    def fail(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    return fail


def test_a_mac_empties_the_cache_of_the_disk_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: _Calls
) -> None:
    import fcntl

    commands: list[int] = []
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", lambda descriptor, command: commands.append(command))
    _atomic(tmp_path / "x")
    assert commands == [51, 51]
    assert calls.synced(0) == set()
    monkeypatch.setattr(fcntl, "fcntl", lambda descriptor, command: _raiser(errno.ENOTSUP)(0))
    _atomic(tmp_path / "x")
    assert len(calls.synced(0)) == 2, "a network disk that knows only fsync"
