"""Keep a folder below a size limit."""

from __future__ import annotations

from pathlib import Path

from kadr.storage.budget import Budget, files_below, folder_bytes


def _files(folder: Path, *sizes: int) -> list[Path]:
    paths = []
    for number, size in enumerate(sizes):
        path = folder / "sub" / f"{number}.zip"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))
        paths.append(path)
    return paths


def test_sizes_are_summed(tmp_path: Path) -> None:
    paths = _files(tmp_path, 10, 20, 30)
    assert folder_bytes(tmp_path) == 60
    assert folder_bytes(tmp_path / "none") == 0
    assert sorted(files_below(tmp_path)) == sorted(zip(paths, [10, 20, 30], strict=True))


def test_files_over_the_limit_are_deleted_in_the_given_order(tmp_path: Path) -> None:
    a, b, c, d = _files(tmp_path, 10, 20, 30, 40)
    budget = Budget(tmp_path, 60)
    assert budget.free == 0
    assert budget.trim([c, a, b, d]) == 40
    assert [path.exists() for path in (a, b, c, d)] == [False, True, False, True]
    assert budget.used() == 60
    assert budget.trim([b, d]) == 0


def test_without_a_limit_nothing_is_deleted(tmp_path: Path) -> None:
    (path,) = _files(tmp_path, 10)
    budget = Budget(tmp_path, None)
    assert budget.free is None
    assert budget.trim([path]) == 0
    assert path.exists()


def test_missing_files_are_skipped(tmp_path: Path) -> None:
    a, b = _files(tmp_path, 10, 20)
    assert Budget(tmp_path, 5).trim([tmp_path / "gone", a, b]) == 30
