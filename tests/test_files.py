"""Writes that are whole or not there, folders, and numbers in names."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from kadr.errors import InputError, OutputError
from kadr.files import (
    atomic_file,
    list_folder,
    make_folder,
    move_file,
    read_json_object,
    remove_empty,
    write_json_object,
)


def test_a_moved_file_replaces_another_also_on_another_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for content in ("first", "second"):
        (tmp_path / "a.txt").write_text(content)
        move_file(tmp_path / "a.txt", tmp_path / "b.txt")
        assert [path.name for path in tmp_path.iterdir()] == ["b.txt"]
        assert (tmp_path / "b.txt").read_text() == content
        replace = Path.replace

        def refuse(self: Path, target: Path, replace: Any = replace) -> Path:
            if self.name == "a.txt":
                raise OSError(errno.EXDEV, "Invalid cross-device link")
            return replace(self, target)

        monkeypatch.setattr(Path, "replace", refuse)


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


def test_json_is_trusted_by_its_checksum_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    content = {"b": [1, 2.5, None], "10": {"ü": "x"}, "9": True}
    write_json_object(path, content)
    assert read_json_object(path) == content
    text = path.read_text(encoding="utf-8")
    for damaged in (text.replace("2.5", "2.6"), text.replace('"9"', '"8"'), "{}", "[1]", text[:-9]):
        path.write_text(damaged, encoding="utf-8")
        assert read_json_object(path) == {}
    assert read_json_object(tmp_path / "none.json") == {}


def test_a_folder_that_may_not_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("b", "a"):
        (tmp_path / name).touch()
    assert [path.name for path in list_folder(tmp_path)] == ["a", "b"]

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(InputError, match=r"cannot be read \(Permission denied\); check who may"):
        list_folder(tmp_path)
