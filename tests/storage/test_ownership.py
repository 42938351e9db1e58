"""A work folder is marked as kadr's; a folder with files of other people is refused and stays."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from kadr.errors import OutputError
from kadr.storage.layout import MARKER
from kadr.storage.ownership import adopt_folder, holds_file, is_marked, refuse_links
from kadr.storage.store import FolderStore

links = pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
FRAME = f"propagate/{'0a' * 16}/000001"


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("exists", [False, True])
def test_a_missing_or_empty_folder_is_marked_once(tmp_path: Path, exists: bool) -> None:
    folder = tmp_path / "a" / "work"
    if exists:
        folder.mkdir(parents=True)
    assert not is_marked(folder)
    adopt_folder(folder)
    marker = (folder / MARKER).read_text()
    assert _names(folder) == [MARKER]
    (folder / "run.json").write_text("{}")
    adopt_folder(folder)
    assert is_marked(folder)
    assert (folder / MARKER).read_text() == marker
    adopt_folder(tmp_path / "other")
    assert (tmp_path / "other" / MARKER).read_text() != marker


@pytest.mark.parametrize("name", ["notes.txt", "run.json", "lock", ".kadr-a1b2c3d4.png", "store"])
def test_a_folder_that_holds_anything_else_is_refused(tmp_path: Path, name: str) -> None:
    if name == "store":
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_text("mine")
    with pytest.raises(OutputError, match=r"did not make \(" + name + r"\); .* an empty folder"):
        adopt_folder(tmp_path)
    assert _names(tmp_path) == [name]


def test_a_file_with_the_name_of_the_marker_is_no_marker(tmp_path: Path) -> None:
    (tmp_path / MARKER).write_text("my notes about kadr")
    with pytest.raises(OutputError, match="did not make"):
        adopt_folder(tmp_path)
    assert (tmp_path / MARKER).read_text() == "my notes about kadr"


def test_a_marker_that_was_not_finished_is_written_again(tmp_path: Path) -> None:
    (tmp_path / MARKER).touch()
    adopt_folder(tmp_path)
    assert is_marked(tmp_path)


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "work").touch()
    with pytest.raises(OutputError, match="work is a file"):
        adopt_folder(tmp_path / "work")


@links
def test_a_marker_that_is_a_link_does_not_count_and_is_not_written(tmp_path: Path) -> None:
    adopt_folder(tmp_path / "work")
    theirs, copied = tmp_path / "theirs", tmp_path / "copied"
    theirs.mkdir()
    target = tmp_path / "target"
    (theirs / MARKER).symlink_to(target)
    with pytest.raises(OutputError, match="did not make"):
        adopt_folder(theirs)
    assert not target.exists()
    copied.mkdir()
    (copied / MARKER).symlink_to(tmp_path / "work" / MARKER)
    assert not is_marked(copied)


@links
def test_links_below_the_folder_are_refused(tmp_path: Path) -> None:
    work, outside = tmp_path / "link", tmp_path / "outside"
    (tmp_path / "work" / "store").mkdir(parents=True)
    work.symlink_to(tmp_path / "work")
    outside.mkdir()
    (outside / "a.zip").write_text("mine")
    (work / "store" / "linked").symlink_to(outside)
    (work / "store" / "a.zip").symlink_to(outside / "a.zip")
    (work / "store" / "b.zip").write_text("ours")
    assert holds_file(work, work / "store" / "b.zip")
    assert not holds_file(work, work / "store" / "a.zip")
    assert not holds_file(work, work / "store" / "linked" / "a.zip")
    assert not holds_file(work, work / "store")
    assert not holds_file(work, work / "store" / "none.zip")
    assert not holds_file(work, outside / "a.zip")
    assert not holds_file(work / "store", work / "store" / ".." / "store" / "b.zip")
    with pytest.raises(OutputError, match="linked: is a link; delete it"):
        refuse_links(work, work / "store" / "linked" / "deep")
    refuse_links(work, work / "store" / "none" / "deep")


@links
def test_a_store_writes_and_deletes_nothing_behind_a_link(tmp_path: Path) -> None:
    store, outside = FolderStore(tmp_path / "store"), tmp_path / "outside"
    store.put(FRAME, {"x": np.zeros(3)})
    (tmp_path / "store" / "propagate").rename(outside)
    (tmp_path / "store" / "propagate").symlink_to(outside)
    before = sorted(outside.rglob("*"))
    with pytest.raises(OutputError, match="propagate: is a link"):
        store.put(FRAME.replace("01", "02"), {"x": np.zeros(3)})
    store.discard(FRAME)
    assert sorted(outside.rglob("*")) == before
