"""Find and delete the work files of kadr; all other files stay."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from project_samples import make_project

from kadr.errors import OutputError
from kadr.storage.cache import cache_folder, surveys_folder
from kadr.storage.clean import WorkFiles, cached_work, delete_work_files, find_work_files
from kadr.storage.frame_folder import FrameFolder
from kadr.storage.layout import LOCK, MARKER
from kadr.storage.lock import lock_folder
from kadr.storage.ownership import adopt_folder
from kadr.storage.store import FolderStore

STYLE, PASS = f"stylize/{'ab' * 16}", f"propagate/{'cd' * 16}"

links = pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")


def _frames(folder: Path) -> FrameFolder:
    return FrameFolder(folder, lambda index: f"frame_{index:05d}")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder with every kind of work file."""
    folder = tmp_path / "work"
    adopt_folder(folder)
    store = FolderStore(folder / "store")
    store.put(STYLE, {"image": np.zeros((4, 4, 3), np.uint8)})
    store.put(f"{PASS}/000012", {"image": np.zeros((4, 4, 3), np.uint8)})
    _frames(folder / "frames").put(3, np.zeros((4, 4, 3), np.uint8), "ef56", 0.1)
    (folder / "noise").mkdir()
    np.save(folder / "noise" / f"{0x1A2B:032x}.npy", np.zeros((4, 2, 2), np.float32))
    for name in (
        "run.json",
        "passes.json",
        "shots-0a1b2c3d4e5f.json",
        "key-fit-0a1b2c3d4e5f.json",
        f"store/{PASS}/.kadr-a1b2c3_z.zip",
    ):
        (folder / name).write_text("{}")
    return folder


def _names(work_files: WorkFiles) -> list[str]:
    return [file.path.relative_to(work_files.folder).as_posix() for file in work_files.files]


def test_all_work_files_are_found_and_deleted(work: Path) -> None:
    work_files = find_work_files(work)
    assert sorted(_names(work_files)) == [
        "frames/frame_00003.png",
        "key-fit-0a1b2c3d4e5f.json",
        "noise/00000000000000000000000000001a2b.npy",
        "passes.json",
        "run.json",
        "shots-0a1b2c3d4e5f.json",
        f"store/{PASS}/.kadr-a1b2c3_z.zip",
        f"store/{PASS}/000012.zip",
        f"store/{STYLE}.zip",
    ]
    assert work_files.others == ()
    files = [path for path in work.rglob("*") if path.is_file() and path.name != MARKER]
    size = sum(path.stat().st_size for path in files)
    assert work_files.size == size == sum(size for _, size in work_files.kinds.values())
    assert delete_work_files(work_files) == size
    assert not work.exists()


def test_a_comparison_has_a_folder_for_each_method(work: Path, tmp_path: Path) -> None:
    comparison = tmp_path / "comparison"
    adopt_folder(comparison)
    for method in ("keyframes", "every-frame"):
        shutil.copytree(work, comparison / method)
        (comparison / method / LOCK).touch()
    work_files = find_work_files(comparison)
    assert work_files.others == ()
    marker_size = (work / MARKER).stat().st_size
    assert delete_work_files(work_files) == 2 * (find_work_files(work).size + marker_size)
    assert not comparison.exists()


def test_foreign_files_stay(work: Path) -> None:
    foreign = [
        "notes.txt",
        "store/notes.zip.txt",
        "store/propagate/README.md",
        "frames/mine.png",
        "frames/frame_00003.txt",
        "my run.json",
        "deep/run.json",
        "paintings/frame_00003.png",
    ]
    for name in foreign:
        (work / name).parent.mkdir(exist_ok=True)
        (work / name).write_text("mine")
    work_files = find_work_files(work)
    assert sorted(path.relative_to(work).as_posix() for path in work_files.others) == sorted(
        foreign
    )
    delete_work_files(work_files)
    remaining = [path for path in work.rglob("*") if path.is_file()]
    assert sorted(path.relative_to(work).as_posix() for path in remaining) == sorted(
        [*foreign, "lock", "lock.pid", MARKER]
    )


def test_an_edited_frame_stays(work: Path) -> None:
    frames = _frames(work / "frames")
    frames.put(4, np.zeros((4, 4, 3), np.uint8), "ef56", 0.1)
    with frames.path(4).open("ab") as file:
        file.write(b"more")
    work_files = find_work_files(work)
    assert work_files.others == (frames.path(4),)
    delete_work_files(work_files)
    assert frames.path(4).exists()


@links
def test_links_are_not_followed(work: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    name = "ef" * 16
    FolderStore(outside).put(name, {"image": np.zeros((4, 4, 3), np.uint8)})
    linked, one = work / "store" / "linked", work / "store" / f"{name}.zip"
    linked.symlink_to(outside)
    one.symlink_to(outside / f"{name}.zip")
    work_files = find_work_files(work)
    assert set(work_files.others) == {linked, one}
    delete_work_files(work_files)
    assert (outside / f"{name}.zip").exists()
    assert one.is_symlink()


@links
def test_the_work_folder_itself_may_be_a_link(work: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(work)
    work_files = find_work_files(link)
    assert len(work_files.files) == len(find_work_files(work).files)
    assert delete_work_files(work_files) == work_files.size
    assert list(work.iterdir()) == []
    assert link.is_symlink()


@links
def test_nothing_behind_a_link_to_a_folder_of_others_is_listed(tmp_path: Path) -> None:
    others = tmp_path / "others"
    FolderStore(others / "store").put(STYLE, {"image": np.zeros((4, 4, 3), np.uint8)})
    link = tmp_path / "work"
    link.symlink_to(others)
    work_files = find_work_files(link)
    assert work_files.files == ()
    assert delete_work_files(work_files) == 0
    assert (others / "store" / f"{STYLE}.zip").exists()


def test_without_the_marker_nothing_is_listed_or_deleted(work: Path) -> None:
    work_files = find_work_files(work)
    (work / MARKER).unlink()
    assert find_work_files(work).files == ()
    assert delete_work_files(work_files) == 0
    assert all(file.path.exists() for file in work_files.files)


def test_the_folder_of_a_method_without_a_marker_is_not_kadrs(work: Path, tmp_path: Path) -> None:
    shutil.copytree(work, work / "keyframes")
    (work / "keyframes" / MARKER).unlink()
    work_files = find_work_files(work)
    assert all("keyframes" not in file.path.parts for file in work_files.files)
    delete_work_files(work_files)
    assert (work / "keyframes" / "store" / f"{STYLE}.zip").exists()


def test_an_interrupted_deletion_leaves_a_folder_that_is_marked(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(work, work / "keyframes")
    work_files = find_work_files(work)
    assert work_files.files[-1].path == work / "keyframes" / MARKER
    assert (work / MARKER) not in [file.path for file in work_files.files]


@links
def test_a_lock_that_is_a_link_stays(work: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.write_text("mine")
    (work / LOCK).symlink_to(foreign)
    work_files = find_work_files(work)
    assert work_files.others == (work / LOCK,)
    with pytest.raises(OutputError, match="lock: is a link"):
        delete_work_files(work_files)
    assert foreign.read_text() == "mine"


@links
def test_a_link_created_after_the_search_is_not_followed(work: Path, tmp_path: Path) -> None:
    work_files = find_work_files(work)
    (work / "store").rename(tmp_path / "elsewhere")
    (work / "store").symlink_to(tmp_path / "elsewhere")
    delete_work_files(work_files)
    assert (tmp_path / "elsewhere" / f"{STYLE}.zip").exists()


def test_a_locked_folder_is_not_deleted(work: Path) -> None:
    work_files = find_work_files(work)
    with lock_folder(work), pytest.raises(OutputError, match="another kadr works here"):
        delete_work_files(work_files)
    assert (work / "store" / f"{STYLE}.zip").exists()


def test_files_deleted_meanwhile_do_not_count(work: Path) -> None:
    work_files = find_work_files(work)
    path = work / "store" / f"{STYLE}.zip"
    size = path.stat().st_size
    path.unlink()
    assert delete_work_files(work_files) == work_files.size - size


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="every folder can be written by root"
)
def test_a_file_that_cannot_be_deleted_is_named(work: Path) -> None:
    work_files = find_work_files(work)
    (work / "store" / "stylize").chmod(0o555)
    try:
        with pytest.raises(OutputError, match=r"\.zip: cannot be deleted"):
            delete_work_files(work_files)
    finally:
        (work / "store" / "stylize").chmod(0o755)


def test_a_missing_folder_has_no_work_files(tmp_path: Path) -> None:
    work_files = find_work_files(tmp_path / "none")
    assert (work_files.files, work_files.others, work_files.size) == ((), (), 0)
    assert delete_work_files(work_files) == 0
    assert not (tmp_path / "none").exists()


def test_a_project_keeps_everything_but_its_work_files(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    FolderStore(project.work / "store").put(STYLE, {"image": np.zeros((4, 4, 3), np.uint8)})
    _frames(project.frames).put(3, np.zeros((4, 4, 3), np.uint8), "ef56", 0.1)
    delete_work_files(find_work_files(project.work))
    assert not project.work.exists()
    assert project.toml.exists()
    assert len(list(project.keys.iterdir())) == 2
    assert _frames(project.frames).path(3).exists()


def test_cached_work_folders_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KADR_CACHE", str(tmp_path / "cache"))
    assert cached_work() == []
    folders = [cache_folder(f"{name}.mp4", "out.mp4") for name in "ab"]
    for folder in folders:
        adopt_folder(folder)
    (tmp_path / "cache" / "runs" / "file").write_text("")
    assert cached_work() == sorted(folders)
    (tmp_path / "cache" / "runs" / "exp1").mkdir()
    assert cached_work() == sorted(folders)
    adopt_folder(surveys_folder())
    assert cached_work() == [surveys_folder(), *sorted(folders)]
