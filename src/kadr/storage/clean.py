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
from kadr.storage.layout import (
    FINISHED_FRAMES,
    LAYERS,
    METHODS,
    WorkLayout,
    file_kind,
    nested_folder,
)
from kadr.storage.lock import lock_folder
from kadr.storage.ownership import holds_file, is_marked, remove_marker


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
    """List the files of a work folder; links in it are not followed and do not count as kadr's.

    The folder itself may be a link. A folder that does not exist holds nothing, and in one without
    the marker that kadr made it nothing is kadr's.
    """
    marked = _marked_folders(folder)
    own_files = [path for path in _own_files(folder) if marked and not path.is_symlink()]
    files, others = [], []
    for path in _files_and_links(folder):
        kind = _kind(folder, path) if _owner(folder, path) in marked else None
        if kind is not None and holds_file(folder, path):
            files.append(WorkFile(path, path.stat().st_size, kind))
        elif path not in own_files:
            others.append(path)
    markers = {WorkLayout(path).marker for path in marked}
    # if the deletion is interrupted, what is left must still be marked as kadr's
    files.sort(key=lambda file: file.path in markers)
    return WorkFiles(folder, tuple(files), tuple(others))


def _marked_folders(folder: Path) -> list[Path]:
    """The work folder itself and those of methods and layers in it, where kadr made them."""
    if not is_marked(folder):
        return []
    layout, layers = WorkLayout(folder), folder / LAYERS
    nested = [layout.method(name).folder for name in METHODS]
    if not layers.is_symlink() and layers.is_dir():
        nested += sorted(layers.iterdir())
    return [folder, *(path for path in nested if not path.is_symlink() and is_marked(path))]


def _owner(folder: Path, path: Path) -> Path:
    """The work folder that a file below ``folder`` belongs to."""
    nested = nested_folder(path.relative_to(folder))
    return folder if nested is None else folder / nested


def _own_files(folder: Path) -> tuple[Path, ...]:
    """The files of a work folder that are deleted last, with the folder."""
    layout = WorkLayout(folder)
    return layout.lock, layout.lock_holder, layout.marker


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
    if not is_marked(folder):
        return 0
    freed = 0
    with lock_folder(folder):
        for file in work_files.files:
            if not holds_file(folder, file.path):  # a link may have been put on the way meanwhile
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


def _remove_empty_folders(folder: Path) -> None:
    for root, folders, _ in os.walk(folder, topdown=False):
        for name in folders:
            with contextlib.suppress(OSError):  # not empty, or a link
                Path(root, name).rmdir()


def _remove_lock(layout: WorkLayout) -> None:
    """Remove the lock, the marker and the folder, if it holds nothing else."""
    with contextlib.suppress(OSError):
        if set(layout.folder.iterdir()) <= set(_own_files(layout.folder)):
            for file in (layout.lock, layout.lock_holder):
                if holds_file(layout.folder, file):
                    file.unlink()
            remove_marker(layout.folder)
            layout.folder.rmdir()


def cached_work() -> list[Path]:
    """The work folders in the cache: of runs without a project, and of plans.

    A folder that kadr did not make is none of them, nor is a link.
    """
    folders, runs = [surveys_folder()], cache_root() / RUNS
    if runs.is_dir():
        folders += sorted(runs.iterdir())
    return [path for path in folders if not path.is_symlink() and is_marked(path)]
