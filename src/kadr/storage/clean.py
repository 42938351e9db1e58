"""Find the files in a work folder that kadr made, and delete them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kadr.errors import OutputError
from kadr.storage.cache import RUNS, cache_root, surveys_folder
from kadr.storage.frame_folder import FrameFolder, FrameState
from kadr.storage.layout import FINISHED_FRAMES, WorkLayout, file_kind
from kadr.storage.lock import lock_folder


@dataclass(frozen=True)
class WorkFile:
    """A file that kadr made and can make again."""

    path: Path
    size: int
    kind: str


@dataclass(frozen=True)
class WorkFiles:
    """What a work folder holds: ``files`` can be deleted, ``others`` are not kadr's."""

    folder: Path
    files: tuple[WorkFile, ...]
    others: tuple[Path, ...]

    @property
    def size(self) -> int:
        """Bytes of the files that can be deleted."""
        return sum(file.size for file in self.files)

    @property
    def kinds(self) -> dict[str, tuple[int, int]]:
        """Kind of file → number of files and their bytes."""
        kinds: dict[str, tuple[int, int]] = {}
        for file in self.files:
            count, size = kinds.get(file.kind, (0, 0))
            kinds[file.kind] = count + 1, size + file.size
        return kinds


def find_work_files(folder: Path) -> WorkFiles:
    """List the files of a work folder; links are not followed and do not count as kadr's.

    A folder that does not exist holds nothing. Raises OutputError if the folder itself is a link:
    kadr deletes nothing behind links.
    """
    if folder.is_symlink():
        raise OutputError(
            f"{folder}: is a link to {folder.readlink()}; kadr deletes nothing through links, "
            "delete the files there yourself, or the link"
        )
    layout, files, others = WorkLayout(folder), [], []
    for path in _files_and_links(folder):
        kind = None if path.is_symlink() else _kind(folder, path)
        if kind is not None:
            files.append(WorkFile(path, path.stat().st_size, kind))
        elif path not in (layout.lock, layout.lock_holder):
            others.append(path)
    return WorkFiles(folder, tuple(files), tuple(others))


def _files_and_links(folder: Path) -> Iterator[Path]:
    """Every file, and every link to a file or a folder, in a fixed order."""
    for root, folders, names in os.walk(folder):
        folders.sort()
        links = [name for name in folders if Path(root, name).is_symlink()]
        yield from (Path(root, name) for name in sorted(names + links))


def _kind(folder: Path, path: Path) -> str | None:
    """What kind of work file a file is; None for any other file."""
    kind = file_kind(path.relative_to(folder))
    if kind == FINISHED_FRAMES:
        # a frame that was edited by hand has no valid mark any more, and stays
        state = FrameFolder(path.parent, lambda index: path.stem).find(0, "")
        return kind if state in (FrameState.CURRENT, FrameState.STALE) else None
    return kind


def delete_work_files(work_files: WorkFiles) -> int:
    """Delete the files that ``find_work_files`` listed, and folders that are then empty.

    Returns the number of bytes freed. A file that no longer exists is skipped. Raises OutputError
    if another kadr uses the folder, or naming the file that cannot be deleted.
    """
    folder = work_files.folder
    if not folder.is_dir():
        return 0
    freed = 0
    with lock_folder(folder):
        for file in work_files.files:
            if not _is_inside(file.path, folder):
                continue
            try:
                file.path.unlink()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise OutputError(f"{file.path}: cannot be deleted ({error.strerror})") from error
            freed += file.size
        _remove_empty_folders(folder)
    _remove_lock(WorkLayout(folder))
    return freed


def _is_inside(path: Path, folder: Path) -> bool:
    """Whether the file lies in the folder, even if a link was put on the way meanwhile."""
    try:
        return path.parent.resolve(strict=True).is_relative_to(folder.resolve())
    except OSError:
        return False


def _remove_empty_folders(folder: Path) -> None:
    for root, folders, _ in os.walk(folder, topdown=False):
        for name in folders:
            with contextlib.suppress(OSError):  # not empty, or a link
                Path(root, name).rmdir()


def _remove_lock(layout: WorkLayout) -> None:
    """Remove the lock's files and the folder, if it holds nothing else."""
    files = {layout.lock, layout.lock_holder}
    with contextlib.suppress(OSError):
        if set(layout.folder.iterdir()) <= files:
            for file in files:
                file.unlink(missing_ok=True)
            layout.folder.rmdir()


def cached_work() -> list[Path]:
    """The work folders in the cache: of runs without a project, and of plans."""
    folders, runs = [surveys_folder()], cache_root() / RUNS
    if runs.is_dir():
        folders += sorted(runs.iterdir())
    return [path for path in folders if path.is_dir() and not path.is_symlink()]
