"""Look at a project's folder: did files change, and does another kadr work there?"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from kadr.storage.layout import WorkLayout

_FileFacts = tuple[str, int, int]


@dataclass(frozen=True)
class FolderLook:
    """What was seen. settings, painted, results: path, size and time of files, sorted.

    settings: the project file and the keys; painted: exported frames; results: of runs.
    settings_time: ns, when settings changed last.
    """

    settings: tuple[_FileFacts, ...] = ()
    painted: tuple[_FileFacts, ...] = ()
    results: tuple[_FileFacts, ...] = ()
    settings_time: int = 0


def look_at(root: Path, keys: Path, paint: Path, results: Collection[Path]) -> FolderLook:
    """Look at the files that the page shows something of."""
    settings = sorted([*_facts(root / "project.toml"), *_tree(keys)])
    result_facts = sorted(item for path in results for item in _facts(path))
    newest = max((written for _, _, written in settings), default=0)
    return FolderLook(tuple(settings), tuple(sorted(_tree(paint))), tuple(result_facts), newest)


def _tree(folder: Path) -> Iterator[_FileFacts]:
    """The files of a folder and of folders in it; and these folders, whose times tell removals."""
    yield from _facts(folder)
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.is_symlink():
                continue
            yield from _facts(Path(entry.path))
            if entry.is_dir():
                yield from _files(Path(entry.path))


def _files(folder: Path) -> Iterator[_FileFacts]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith("."):
                yield from _facts(Path(entry.path))


def _facts(path: Path) -> Iterator[_FileFacts]:
    with contextlib.suppress(OSError):
        stat = path.stat()
        yield str(path), 0 if path.is_dir() else stat.st_size, stat.st_mtime_ns


def find_holder(work: Path, own: Collection[int]) -> int | None:
    """The process of another kadr that works in a work folder; 0 if its number is unknown.

    own: processes of this studio, which do not count.
    """
    layout = WorkLayout(work)
    process = _holder_process(layout.lock_holder)
    if process in own or (process is not None and not _is_running(process)):
        return None
    if not layout.lock.is_file() or layout.lock.is_symlink():
        return None
    lock = FileLock(layout.lock, thread_local=False)
    try:
        # only where the process that had it last still runs, so that no other one meets this
        lock.acquire(blocking=False)
    except Timeout:
        return process or 0
    except OSError:
        return None
    lock.release()
    return None


def _holder_process(file: Path) -> int | None:
    try:
        text = file.read_text(encoding="utf-8", errors="surrogateescape").partition("\n")[0]
    except OSError:
        return None
    return int(text) if text.isdecimal() and len(text) < 12 else None


def _is_running(process: int) -> bool:
    if os.name == "nt":  # there, signal 0 would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
