"""The place for work without a project in, old work of other runs deleted: it may not grow on."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from kadr.errors import OutputError
from kadr.storage.cache import surveys_folder
from kadr.storage.clean import WorkFiles, cached_work, delete_work_files, find_work_files
from kadr.storage.lock import LOCK

MOST_BYTES = 20_000_000_000
"""What all runs without a project keep at most between them."""
MOST_DAYS = 30
"""How long the work of a run that nobody goes on with is kept."""

_DAY = 24 * 3600.0


@dataclass(frozen=True)
class TrimResult:
    """What was deleted: from how many folders, and how many bytes."""

    folders: int
    size: int


def trim_caches(
    keep: Path, *, most_bytes: int = MOST_BYTES, now: float | None = None
) -> TrimResult:
    """Delete the work of runs without a project, the longest unused first, but not ``keep``'s.

    What was not used for ``MOST_DAYS`` goes, and of the rest what is beyond ``most_bytes``, in
    which ``keep`` counts. A folder in which another kadr works stays, and so does every file that
    kadr did not make. now: seconds since 1970, by default the clock's.
    """
    oldest = (time.time() if now is None else now) - MOST_DAYS * _DAY
    found = [(_used(folder), find_work_files(folder)) for folder in cached_work()]
    left = sum(work.size for _, work in found)
    folders = size = 0
    for used, work in sorted(found, key=lambda item: item[0]):
        if work.folder == keep or not (used < oldest or left > most_bytes):
            continue
        freed = _given_up(work)
        left, size, folders = left - freed, size + freed, folders + (freed > 0)
    return TrimResult(folders, size)


def _used(folder: Path) -> float:
    """When a run last worked there: each signs the lock, and its end changes the folder."""
    places = [folder, folder / LOCK]
    if folder == surveys_folder():
        places = [folder, *folder.iterdir()]
    return max((place.stat().st_mtime for place in places if place.exists()), default=0.0)


def _given_up(work: WorkFiles) -> int:
    """Bytes freed; none where another kadr works, or the system refuses."""
    try:
        return delete_work_files(work)
    except OutputError:
        return 0
