"""Work without a project does not grow without end: what is oldest goes, what is used stays."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from kadr.storage.cache import cache_folder, surveys_folder
from kadr.storage.lock import lock_folder
from kadr.storage.store import FolderStore
from kadr.storage.trim import MOST_DAYS, trim_caches

NOW = 2e9
_DAY = 24 * 3600.0


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KADR_CACHE", str(tmp_path / "cache"))


def _aged(folder: Path, days: float) -> None:
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (NOW - days * _DAY, NOW - days * _DAY))


def _work(name: str, days: float) -> Path:
    """Work of a run so many days ago, of a little more than 10 000 bytes."""
    folder = cache_folder(f"{name}.mp4", "out.mp4")
    with lock_folder(folder):
        FolderStore(folder / "store").put("a/1", {"x": np.zeros(10_000, np.uint8)[:, None, None]})
    _aged(folder, days)
    return folder


def test_what_nobody_goes_on_with_is_deleted() -> None:
    old, young = _work("old", MOST_DAYS + 1), _work("young", MOST_DAYS - 1)
    size = sum(path.stat().st_size for path in (old / "store").rglob("*.zip"))
    trimmed = trim_caches(cache_folder("now.mp4", "out.mp4"), now=NOW)
    assert (trimmed.folders, trimmed.size) == (1, size)
    assert not old.exists()
    assert young.exists()


def test_the_longest_unused_goes_first_and_no_more_than_must() -> None:
    folders = [_work(f"{days}", days) for days in (3, 1, 2, 4)]
    trimmed = trim_caches(cache_folder("now.mp4", "out.mp4"), most_bytes=25_000, now=NOW)
    assert trimmed.folders == 2
    assert [folder.exists() for folder in folders] == [False, True, True, False]


def test_ones_own_work_counts_and_stays() -> None:
    own, other = _work("own", 100), _work("other", 1)
    trim_caches(own, most_bytes=15_000, now=NOW)
    assert own.exists()
    assert not other.exists()


def test_where_another_kadr_works_nothing_is_deleted() -> None:
    folder = _work("busy", 100)
    with lock_folder(folder):
        _aged(folder, 100)
        trimmed = trim_caches(cache_folder("now.mp4", "out.mp4"), now=NOW)
    assert trimmed.folders == 0
    assert list(folder.rglob("*.zip"))


def test_a_run_of_today_is_not_old_though_its_files_are() -> None:
    folder = _work("again", 100)
    os.utime(folder / "lock.pid", (NOW, NOW))
    assert trim_caches(cache_folder("now.mp4", "out.mp4"), now=NOW).folders == 0
    assert folder.exists()


def test_what_kadr_did_not_make_stays() -> None:
    folder = _work("mixed", 100)
    (folder / "notes.txt").write_text("mine")
    _aged(folder, 100)
    trim_caches(cache_folder("now.mp4", "out.mp4"), now=NOW)
    assert (folder / "notes.txt").read_text() == "mine"
    assert not list(folder.rglob("*.zip"))


def test_surveys_of_clips_go_when_none_was_used() -> None:
    keep = cache_folder("now.mp4", "out.mp4")
    FolderStore(surveys_folder()).put("survey-0a", {"x": np.zeros(9)})
    _aged(surveys_folder(), MOST_DAYS - 1)
    assert trim_caches(keep, now=NOW).folders == 0
    _aged(surveys_folder(), MOST_DAYS + 1)
    assert trim_caches(keep, now=NOW).folders == 1
    assert not list(surveys_folder().rglob("*.zip"))


def test_with_no_cache_there_is_nothing_to_do(tmp_path: Path) -> None:
    assert trim_caches(tmp_path / "work").folders == 0
