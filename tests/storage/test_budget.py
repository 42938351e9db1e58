"""Keep a store below a size limit, without a file of anybody else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kadr.storage.budget import Budget, files_below, folder_bytes
from kadr.storage.layout import WorkLayout
from kadr.storage.ownership import adopt_folder


def _files(folder: Path, *sizes: int) -> list[Path]:
    adopt_folder(folder)
    paths = []
    for number, size in enumerate(sizes):
        path = folder / "store" / "propagate" / ("0a" * 16) / f"{number:06d}.zip"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))
        paths.append(path)
    return paths


def test_sizes_are_summed(tmp_path: Path) -> None:
    paths = _files(tmp_path, 10, 20, 30)
    assert folder_bytes(tmp_path / "store") == 60
    assert folder_bytes(tmp_path / "none") == 0
    assert sorted(files_below(tmp_path / "store")) == sorted(zip(paths, [10, 20, 30], strict=True))


def test_files_over_the_limit_are_deleted_in_the_given_order(tmp_path: Path) -> None:
    a, b, c, d = _files(tmp_path, 10, 20, 30, 40)
    budget = Budget(WorkLayout(tmp_path), 60)
    assert budget.free == 0
    assert budget.trim([c, a, b, d]) == 40
    assert [path.exists() for path in (a, b, c, d)] == [False, True, False, True]
    assert budget.used() == 60
    assert budget.trim([b, d]) == 0


def test_only_entries_of_the_store_are_deleted(tmp_path: Path) -> None:
    work, outside = tmp_path / "work", tmp_path / "outside"
    entries = _files(work, 10, 20)
    others = [
        work / "store" / "textures.zip",
        work / "store" / "mine" / "000001.zip",
        work / "other" / f"{'0a' * 16}.zip",
        outside / f"{'0b' * 16}.zip",
    ]
    for path in others:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    assert Budget(WorkLayout(work), 1).trim([*others, *entries]) == 30
    assert all(path.read_text() == "mine" for path in others)


def test_without_the_marker_nothing_is_deleted(tmp_path: Path) -> None:
    entries = _files(tmp_path, 10, 20)
    WorkLayout(tmp_path).marker.unlink()
    assert Budget(WorkLayout(tmp_path), 1).trim(entries) == 0
    assert all(path.exists() for path in entries)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
@pytest.mark.parametrize("name", ["store", "store/propagate"])
def test_nothing_is_deleted_through_a_link(tmp_path: Path, name: str) -> None:
    work, outside = tmp_path / "work", tmp_path / "outside"
    (path,) = _files(work, 10)
    (work / name).rename(outside)
    (work / name).symlink_to(outside)
    assert path.exists()
    assert Budget(WorkLayout(work), 1).trim([path]) == 0
    assert path.exists()


def test_without_a_limit_nothing_is_deleted(tmp_path: Path) -> None:
    (path,) = _files(tmp_path, 10)
    budget = Budget(WorkLayout(tmp_path), None)
    assert budget.free is None
    assert budget.trim([path]) == 0
    assert path.exists()


def test_missing_files_are_skipped(tmp_path: Path) -> None:
    a, b = _files(tmp_path, 10, 20)
    assert Budget(WorkLayout(tmp_path), 5).trim([tmp_path / "gone", a, b]) == 30
