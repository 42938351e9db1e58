"""Writes that are whole or not there, folders, and numbers in names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kadr.errors import OutputError
from kadr.files import atomic_file, last_number, make_folder, remove_empty


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failed_write_leaves_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "new" / "x.txt"
    path.parent.mkdir()
    path.write_text("old")

    def fail() -> None:
        with atomic_file(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_a_finished_write_has_the_usual_permissions(tmp_path: Path) -> None:
    with atomic_file(tmp_path / "deep" / "er" / "x.txt") as temporary:
        temporary.write_text("new")
    (tmp_path / "plain").write_text("")
    path = tmp_path / "deep" / "er" / "x.txt"
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_file_where_a_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"x\.txt"), atomic_file(tmp_path / "file" / "x.txt"):
        pass
    with pytest.raises(OutputError, match="file is a file"):
        make_folder(tmp_path / "file" / "deep")


def test_only_folders_that_were_made_are_removed(tmp_path: Path) -> None:
    folders = make_folder(tmp_path / "a" / "b" / "c")
    assert folders == [tmp_path / "a" / "b" / "c", tmp_path / "a" / "b", tmp_path / "a"]
    assert make_folder(tmp_path / "a") == []
    (tmp_path / "a" / "mine").write_text("")
    remove_empty(folders)
    assert os.listdir(tmp_path) == ["a"]  # noqa: PTH208
    assert os.listdir(tmp_path / "a") == ["mine"]  # noqa: PTH208


@pytest.mark.parametrize(
    ("name", "number"),
    [("shot 3 (12).png", 12), ("00001.png", 1), ("a.png", None), ("f.0042.jpg", 42)],
)
def test_last_number(name: str, number: int | None) -> None:
    assert last_number(name) == number
