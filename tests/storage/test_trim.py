"""Trim the cached work of runs without a project: old folders are deleted, recent ones stay."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from kadr.storage.cache import cache_folder, surveys_folder
from kadr.storage.layout import MARKER
from kadr.storage.lock import lock_folder
from kadr.storage.ownership import adopt_folder
from kadr.storage.store import FolderStore
from kadr.storage.trim import MOST_DAYS, trim_caches

NOW = 2e9
FRAME = f"propagate/{'0a' * 16}/000001"
_DAY = 24 * 3600.0


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KADR_CACHE", str(tmp_path / "cache"))


def _set_age(folder: Path, days: float) -> None:
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (NOW - days * _DAY, NOW - days * _DAY))


def _work_folder(name: str, days: float) -> Path:
    """The work folder of a run ``days`` ago, with a little more than 10 000 bytes."""
    folder = cache_folder(f"{name}.mp4", "out.mp4")
    with lock_folder(folder):
        FolderStore(folder / "store").put(FRAME, {"x": np.zeros(10_000, np.uint8)[:, None, None]})
    _set_age(folder, days)
    return folder


def test_old_work_is_deleted() -> None:
    old, young = _work_folder("old", MOST_DAYS + 1), _work_folder("young", MOST_DAYS - 1)
    size = sum(path.stat().st_size for path in (old / "store").rglob("*.zip"))
    trimmed = trim_caches(cache_folder("now.mp4", "out.mp4"), now=NOW)
    assert (trimmed.folders, trimmed.size) == (1, size)
    assert not old.exists()
    assert young.exists()


def test_the_oldest_work_is_deleted_until_the_size_limit_holds() -> None:
    folders = [_work_folder(f"{days}", days) for days in (3, 1, 2, 4)]
    trimmed = trim_caches(cache_folder("now.mp4", "out.mp4"), most_bytes=25_000, now=NOW)
    assert trimmed.folders == 2
    assert [folder.exists() for folder in folders] == [False, True, True, False]


def test_the_work_of_the_current_run_counts_and_stays() -> None:
    current, other = _work_folder("current", 100), _work_folder("other", 1)
    second = _work_folder("second", 100)
    trim_caches(current, second, most_bytes=25_000, now=NOW)
    assert current.exists()
    assert second.exists()
    assert not other.exists()


def test_a_locked_folder_is_not_deleted() -> None:
    folder = _work_folder("busy", 100)
    with lock_folder(folder):
        _set_age(folder, 100)
        trimmed = trim_caches(cache_folder("now.mp4", "out.mp4"), now=NOW)
    assert trimmed.folders == 0
    assert list(folder.rglob("*.zip"))


def test_a_folder_with_a_recent_lock_is_recent() -> None:
    folder = _work_folder("again", 100)
    os.utime(folder / "lock.pid", (NOW, NOW))
    assert trim_caches(cache_folder("now.mp4", "out.mp4"), now=NOW).folders == 0
    assert folder.exists()


def test_foreign_files_stay() -> None:
    folder = _work_folder("mixed", 100)
    (folder / "notes.txt").write_text("mine")
    _set_age(folder, 100)
    trim_caches(cache_folder("now.mp4", "out.mp4"), now=NOW)
    assert (folder / "notes.txt").read_text() == "mine"
    assert not list(folder.rglob("*.zip"))


def test_a_folder_of_somebody_else_stays(tmp_path: Path) -> None:
    for name in ("exp1", "exp2"):
        folder = tmp_path / "cache" / "runs" / name
        FolderStore(folder / "store").put(FRAME, {"x": np.zeros(9)})
        (folder / "run.json").write_text("{}")
    (tmp_path / "cache" / "runs" / "exp2" / MARKER).write_text("not the text of a marker")
    before = sorted((tmp_path / "cache").rglob("*"))
    _set_age(tmp_path / "cache" / "runs", MOST_DAYS + 1)
    trimmed = trim_caches(cache_folder("now.mp4", "out.mp4"), most_bytes=0, now=NOW)
    assert trimmed.folders == 0
    assert sorted((tmp_path / "cache").rglob("*")) == before


def test_surveys_are_deleted_when_all_are_old() -> None:
    keep = cache_folder("now.mp4", "out.mp4")
    adopt_folder(surveys_folder())
    FolderStore(surveys_folder()).put(f"survey-{'0a' * 16}", {"x": np.zeros(9)})
    _set_age(surveys_folder(), MOST_DAYS - 1)
    assert trim_caches(keep, now=NOW).folders == 0
    _set_age(surveys_folder(), MOST_DAYS + 1)
    assert trim_caches(keep, now=NOW).folders == 1
    assert not list(surveys_folder().rglob("*.zip"))


def test_without_a_cache_nothing_is_deleted(tmp_path: Path) -> None:
    assert trim_caches(tmp_path / "work").folders == 0
