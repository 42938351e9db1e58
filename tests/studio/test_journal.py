"""Undo and redo bring files back as they were, and never take what others wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from kadr.errors import OutputError
from kadr.studio.worker.journal import Journal


def _change(root: Path, name: str, text: str | None, label: str = "edit") -> None:
    path = root / name
    with Journal(root).edit(label, path):
        if text is None:
            path.unlink()
        else:
            path.write_text(text)


def test_undo_and_redo_go_back_and_forth(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    _change(tmp_path, "a.txt", "one", "first")
    _change(tmp_path, "a.txt", "two", "second")
    _change(tmp_path, "a.txt", None, "third")
    texts = []
    for _ in range(3):
        Journal(tmp_path).step("undo")
        texts.append(file.read_text() if file.exists() else None)
    assert texts == ["two", "one", None]
    for _ in range(2):
        Journal(tmp_path).step("redo")
    assert file.read_text() == "two"
    journal = Journal(tmp_path)
    assert journal.label("undo") == {"label": "second"}
    assert journal.label("redo") == {"label": "third"}


def test_a_new_edit_forgets_what_was_undone(tmp_path: Path) -> None:
    _change(tmp_path, "a.txt", "one")
    Journal(tmp_path).step("undo")
    _change(tmp_path, "a.txt", "other")
    assert Journal(tmp_path).label("redo") is None
    with pytest.raises(OutputError, match="nothing to redo"):
        Journal(tmp_path).step("redo")


def _fail_half_way(root: Path) -> None:
    with Journal(root).edit("fails", root / "a.txt", root / "b.txt"):
        (root / "a.txt").write_text("half")
        (root / "b.txt").write_text("half")
        raise ValueError("bad")


def test_an_edit_that_fails_leaves_everything_as_it_was(tmp_path: Path) -> None:
    _change(tmp_path, "a.txt", "one")
    with pytest.raises(ValueError, match="bad"):
        _fail_half_way(tmp_path)
    assert (tmp_path / "a.txt").read_text() == "one"
    assert not (tmp_path / "b.txt").exists()
    assert Journal(tmp_path).label("undo") == {"label": "edit"}


def test_what_another_program_wrote_is_not_undone(tmp_path: Path) -> None:
    _change(tmp_path, "a.txt", "one")
    (tmp_path / "a.txt").write_text("by hand")
    with pytest.raises(OutputError, match="another program"):
        Journal(tmp_path).step("undo")
    assert (tmp_path / "a.txt").read_text() == "by hand"


def test_copies_do_not_grow_without_end(tmp_path: Path) -> None:
    for number in range(104):
        _change(tmp_path, "a.txt", str(number))
    copies = [path for path in (tmp_path / "studio" / "undo").iterdir() if path.stem.isdecimal()]
    assert len(copies) == 100
