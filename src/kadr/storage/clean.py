"""A folder for work files in, those of its files that kadr made out; and their deletion."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kadr.errors import OutputError
from kadr.storage.cache import RUNS, cache_root, surveys_folder
from kadr.storage.frame_folder import FrameFolder, FrameState
from kadr.storage.lock import LOCK, lock_folder

_KINDS = {
    "results of steps": re.compile(r"store/(.+/)?[^/]+\.zip"),
    "noise found in frames": re.compile(r"noise/[0-9a-f]{32}\.npy"),
    "plans and notes": re.compile(r"(run|clips|made|shots-\w+)\.json|survey-\w+\.zip"),
    "left over from a run that broke off": re.compile(r"(.+/)?\.kadr-[^/]+"),
}
"""What to call a file → its path in the folder, in full. Finished frames are known by a mark."""

_FRAMES = "finished frames"
_FRAME = re.compile(r"(frames|joined)/[^/]+\.png")
_WAY = re.compile(r"^(keyframes|every-frame)/")
"""A comparison keeps the work of each way in a folder of its own."""


@dataclass(frozen=True)
class WorkFile:
    """A file that kadr made and can make again."""

    path: Path
    size: int
    kind: str


@dataclass(frozen=True)
class WorkFiles:
    """What a folder for work files holds: ``files`` can be deleted, ``others`` are not kadr's."""

    folder: Path
    files: tuple[WorkFile, ...]
    others: tuple[Path, ...]

    @property
    def size(self) -> int:
        """Bytes of the files that can be deleted."""
        return sum(file.size for file in self.files)

    @property
    def kinds(self) -> dict[str, tuple[int, int]]:
        """Kind of file → how many there are, and their bytes."""
        found: dict[str, tuple[int, int]] = {}
        for file in self.files:
            count, size = found.get(file.kind, (0, 0))
            found[file.kind] = count + 1, size + file.size
        return found


def find_work_files(folder: Path) -> WorkFiles:
    """Look through a folder for work files; links are neither followed nor counted as kadr's.

    A folder that is not there holds nothing. Raises OutputError if the folder itself is a link:
    what lies behind it is for people to delete.
    """
    if folder.is_symlink():
        raise OutputError(
            f"{folder}: is a link to {folder.readlink()}; kadr deletes nothing through links, "
            "delete what is there yourself, or the link"
        )
    files, others = [], []
    for path in _below(folder):
        kind = None if path.is_symlink() else _kind(folder, path)
        if kind is not None:
            files.append(WorkFile(path, path.stat().st_size, kind))
        elif path != folder / LOCK:
            others.append(path)
    return WorkFiles(folder, tuple(files), tuple(others))


def _below(folder: Path) -> Iterator[Path]:
    """Every file, and every link to a file or a folder, in a steady order."""
    for root, folders, names in os.walk(folder):
        folders.sort()
        links = [name for name in folders if Path(root, name).is_symlink()]
        yield from (Path(root, name) for name in sorted(names + links))


def _kind(folder: Path, path: Path) -> str | None:
    """What kind of work file it is; None for anything else."""
    whole = path.relative_to(folder).as_posix()
    place = _WAY.sub("", whole)
    if place == LOCK != whole:
        return "plans and notes"
    for kind, pattern in _KINDS.items():
        if pattern.fullmatch(place):
            return kind
    if _FRAME.fullmatch(place):
        # one that was painted over by hand bears no valid mark any more, and stays
        found = FrameFolder(path.parent, lambda index: path.stem).find(0, "")
        return _FRAMES if found in (FrameState.CURRENT, FrameState.STALE) else None
    return None


def delete_work_files(found: WorkFiles) -> int:
    """Delete what ``find_work_files`` found, and folders that are then empty; gives bytes freed.

    A file that is gone already is passed over. Raises OutputError if another kadr works in the
    folder, or naming the file that cannot be deleted.
    """
    if not found.folder.is_dir():
        return 0
    freed = 0
    with lock_folder(found.folder):
        for file in found.files:
            if not _is_inside(file.path, found.folder):
                continue
            try:
                file.path.unlink()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise OutputError(f"{file.path}: cannot be deleted ({error.strerror})") from error
            freed += file.size
        _remove_empty(found.folder)
    with contextlib.suppress(OSError):
        if [path.name for path in found.folder.iterdir()] == [LOCK]:
            (found.folder / LOCK).unlink()
            found.folder.rmdir()
    return freed


def _is_inside(path: Path, folder: Path) -> bool:
    """Whether no link, put there meanwhile, leads out of the folder."""
    try:
        return path.parent.resolve(strict=True).is_relative_to(folder.resolve())
    except OSError:
        return False


def _remove_empty(folder: Path) -> None:
    for root, folders, _ in os.walk(folder, topdown=False):
        for name in folders:
            with contextlib.suppress(OSError):  # not empty, or a link
                Path(root, name).rmdir()


def cached_work() -> list[Path]:
    """The folders in which runs without a project keep their work, and plans theirs."""
    folders, runs = [surveys_folder()], cache_root() / RUNS
    if runs.is_dir():
        folders += sorted(runs.iterdir())
    return [path for path in folders if path.is_dir() and not path.is_symlink()]
