"""Threads that are lent and given back; memory as the system and a container tell of it."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from kadr.core.row_bands import default_threads
from kadr.tasks import resources


def test_threads_are_limited_and_restored() -> None:
    before = default_threads(), cv2.getNumThreads()
    with resources.limited_threads(1):
        assert (default_threads(), cv2.getNumThreads()) == (1, 1)
        with resources.limited_threads(before[0]):
            assert default_threads() == before[0]
        assert (default_threads(), cv2.getNumThreads()) == (1, 1)
    assert (default_threads(), cv2.getNumThreads()) == before


def test_threads_that_a_worker_uses_stay_until_others_are_named() -> None:
    cores = default_threads()
    with resources.limited_threads(cores):
        resources.use_threads(1)
        assert (default_threads(), cv2.getNumThreads()) == (1, 1)
        resources.use_threads(cores)
        assert (default_threads(), cv2.getNumThreads()) == (cores, cores)


def test_more_threads_than_cores_are_not_to_be_had() -> None:
    cores = default_threads()
    with resources.limited_threads(cores + 7):
        assert default_threads() == cores


MEMINFO = "MemTotal:       1000 kB\nMemFree:  100 kB\nMemAvailable:    600 kB\n"


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for what the system tells."""
    monkeypatch.setattr(resources, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(resources, "_CGROUP", tmp_path)
    monkeypatch.setattr("sys.platform", "linux")
    (tmp_path / "meminfo").write_text(MEMINFO)
    return tmp_path


def test_free_memory_is_what_can_be_had_without_swapping(system: Path) -> None:
    assert resources.free_memory() == 600 * 1024
    (system / "memory.max").write_text("max\n")
    assert resources.free_memory() == 600 * 1024


@pytest.mark.parametrize(("limit", "free"), [(900_000, 600 * 1024), (400_000, 400_000 - 250_000)])
def test_a_container_may_leave_less(system: Path, limit: int, free: int) -> None:
    (system / "memory.max").write_text(f"{limit}\n")
    (system / "memory.current").write_text("280000\n")
    (system / "memory.stat").write_text("anon 1\ninactive_file 30000\nother 3\n")
    assert resources.free_memory() == free


@pytest.mark.parametrize("text", ["", "MemFree: 3 kB\n", "MemAvailable: many\n", "nonsense"])
def test_a_system_that_does_not_say_is_not_guessed_at(system: Path, text: str) -> None:
    (system / "meminfo").write_text(text)
    assert resources.free_memory() is None
    (system / "meminfo").unlink()
    assert resources.free_memory() is None
