"""Keep the cache folder small: delete the old work of runs without a project."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from kadr.errors import OutputError
from kadr.storage.cache import surveys_folder
from kadr.storage.clean import WorkFiles, cached_work, delete_work_files, find_work_files
from kadr.storage.layout import WorkLayout

MOST_BYTES = 20_000_000_000
"""The most that all runs without a project keep together."""
MOST_DAYS = 30
"""How long the work of a run is kept that is not resumed."""

_DAY = 24 * 3600.0


@dataclass(frozen=True)
class TrimResult:
    """What was deleted: from how many folders, and how many bytes."""

    folders: int
    size: int


def trim_caches(*keep: Path, most_bytes: int = MOST_BYTES, now: float | None = None) -> TrimResult:
    """Delete work folders in the cache, the longest unused first; the folders ``keep`` stay.

    Folders that were not used for ``MOST_DAYS`` are deleted, then the oldest until all folders,
    ``keep`` included, hold ``most_bytes`` at most. A folder that another kadr uses stays, and so
    does every file that kadr did not make. now: seconds since 1970; default: the clock.
    """
    oldest = (time.time() if now is None else now) - MOST_DAYS * _DAY
    dated = [(_last_used(folder), find_work_files(folder)) for folder in cached_work()]
    total = sum(work_files.size for _, work_files in dated)
    folders = size = 0
    for last_used, work_files in sorted(dated, key=lambda item: item[0]):
        if work_files.folder in keep or not (last_used < oldest or total > most_bytes):
            continue
        freed = _delete(work_files)
        total, size, folders = total - freed, size + freed, folders + (freed > 0)
    return TrimResult(folders, size)


def _last_used(folder: Path) -> float:
    """When a run last used a folder: it writes its process id at the start, and files later."""
    paths = [folder, WorkLayout(folder).lock_holder]
    if folder == surveys_folder():
        paths = [folder, *folder.iterdir()]
    return max((path.stat().st_mtime for path in paths if path.exists()), default=0.0)


def _delete(work_files: WorkFiles) -> int:
    """Delete files; the number of bytes freed, 0 where another kadr works or the system refuses."""
    try:
        return delete_work_files(work_files)
    except OutputError:
        return 0
