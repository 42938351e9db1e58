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
from kadr.storage.layout import LOCK
from kadr.storage.lock import lock_folder
from kadr.storage.store import FolderStore

links = pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")


def _frames(folder: Path) -> FrameFolder:
    return FrameFolder(folder, lambda index: f"frame_{index:05d}")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder with every kind of work file, as its makers write them."""
    folder = tmp_path / "work"
    store = FolderStore(folder / "store")
    store.put("ab12", {"image": np.zeros((4, 4, 3), np.uint8)})
    store.put("propagate/cd34/000012", {"image": np.zeros((4, 4, 3), np.uint8)})
    _frames(folder / "frames").put(3, np.zeros((4, 4, 3), np.uint8), "ef56", 0.1)
    (folder / "noise").mkdir()
    np.save(folder / "noise" / f"{0x1A2B:032x}.npy", np.zeros((4, 2, 2), np.float32))
    for name in (
        "run.json",
        "passes.json",
        "shots-0a1b.json",
        "store/propagate/cd34/.kadr-xyz.zip",
    ):
        (folder / name).write_text("{}")
    return folder


def _names(found: WorkFiles) -> list[str]:
    return [file.path.relative_to(found.folder).as_posix() for file in found.files]


def test_all_work_files_are_found_and_deleted(work: Path) -> None:
    found = find_work_files(work)
    assert sorted(_names(found)) == [
        "frames/frame_00003.png",
        "noise/00000000000000000000000000001a2b.npy",
        "passes.json",
        "run.json",
        "shots-0a1b.json",
        "store/ab12.zip",
        "store/propagate/cd34/.kadr-xyz.zip",
        "store/propagate/cd34/000012.zip",
    ]
    assert found.others == ()
    size = sum(path.stat().st_size for path in work.rglob("*") if path.is_file())
    assert found.size == size == sum(size for _, size in found.kinds.values())
    assert delete_work_files(found) == size
    assert not work.exists()


def test_a_comparison_has_a_folder_for_each_way(work: Path, tmp_path: Path) -> None:
    both = tmp_path / "both"
    for way in ("keyframes", "every-frame"):
        shutil.copytree(work, both / way)
        (both / way / LOCK).touch()
    found = find_work_files(both)
    assert found.others == ()
    assert delete_work_files(found) == 2 * find_work_files(work).size
    assert not both.exists()


def test_what_kadr_did_not_make_stays(work: Path) -> None:
    strange = [
        "notes.txt",
        "store/notes.zip.txt",
        "store/propagate/README.md",
        "frames/mine.png",
        "frames/frame_00003.txt",
        "my run.json",
        "deep/run.json",
        "paintings/frame_00003.png",
    ]
    for name in strange:
        (work / name).parent.mkdir(exist_ok=True)
        (work / name).write_text("mine")
    found = find_work_files(work)
    assert sorted(path.relative_to(work).as_posix() for path in found.others) == sorted(strange)
    delete_work_files(found)
    left = [path for path in work.rglob("*") if path.is_file()]
    assert sorted(path.relative_to(work).as_posix() for path in left) == sorted(
        [*strange, "lock", "lock.pid"]
    )


def test_a_frame_painted_over_stays(work: Path) -> None:
    frames = _frames(work / "frames")
    frames.put(4, np.zeros((4, 4, 3), np.uint8), "ef56", 0.1)
    with frames.path(4).open("ab") as file:
        file.write(b"more")
    found = find_work_files(work)
    assert found.others == (frames.path(4),)
    delete_work_files(found)
    assert frames.path(4).exists()


@links
def test_links_are_not_followed(work: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    FolderStore(outside).put("ab", {"image": np.zeros((4, 4, 3), np.uint8)})
    (work / "store" / "linked").symlink_to(outside)
    (work / "store" / "one.zip").symlink_to(outside / "ab.zip")
    found = find_work_files(work)
    assert set(found.others) == {work / "store" / "linked", work / "store" / "one.zip"}
    delete_work_files(found)
    assert (outside / "ab.zip").exists()
    assert (work / "store" / "one.zip").is_symlink()


@links
def test_a_folder_that_is_a_link_is_refused(work: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(work)
    with pytest.raises(OutputError, match="deletes nothing through links"):
        find_work_files(link)


@links
def test_a_link_put_there_meanwhile_leads_nowhere(work: Path, tmp_path: Path) -> None:
    found = find_work_files(work)
    (work / "store").rename(tmp_path / "elsewhere")
    (work / "store").symlink_to(tmp_path / "elsewhere")
    delete_work_files(found)
    assert (tmp_path / "elsewhere" / "ab12.zip").exists()


def test_a_folder_in_use_is_left_alone(work: Path) -> None:
    found = find_work_files(work)
    with lock_folder(work), pytest.raises(OutputError, match="another kadr works here"):
        delete_work_files(found)
    assert (work / "store" / "ab12.zip").exists()


def test_files_that_are_gone_already_do_not_count(work: Path) -> None:
    found = find_work_files(work)
    gone = work / "store" / "ab12.zip"
    size = gone.stat().st_size
    gone.unlink()
    assert delete_work_files(found) == found.size - size


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="every folder can be written by root"
)
def test_a_file_that_cannot_be_deleted_is_named(work: Path) -> None:
    found = find_work_files(work)
    (work / "store").chmod(0o555)
    try:
        with pytest.raises(OutputError, match=r"ab12\.zip: cannot be deleted"):
            delete_work_files(found)
    finally:
        (work / "store").chmod(0o755)


def test_without_a_folder_there_is_nothing(tmp_path: Path) -> None:
    found = find_work_files(tmp_path / "none")
    assert (found.files, found.others, found.size) == ((), (), 0)
    assert delete_work_files(found) == 0
    assert not (tmp_path / "none").exists()


def test_a_project_keeps_all_but_its_work(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    FolderStore(project.work / "store").put("ab", {"image": np.zeros((4, 4, 3), np.uint8)})
    _frames(project.frames).put(3, np.zeros((4, 4, 3), np.uint8), "ef56", 0.1)
    delete_work_files(find_work_files(project.work))
    assert not project.work.exists()
    assert project.toml.exists()
    assert len(list(project.keys.iterdir())) == 2
    assert _frames(project.frames).path(3).exists()


def test_work_without_a_project_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KADR_CACHE", str(tmp_path / "cache"))
    assert cached_work() == []
    folders = [cache_folder(f"{name}.mp4", "out.mp4") for name in "ab"]
    for folder in folders:
        folder.mkdir(parents=True)
    (tmp_path / "cache" / "runs" / "file").write_text("")
    assert cached_work() == sorted(folders)
    surveys_folder().mkdir()
    assert cached_work() == [surveys_folder(), *sorted(folders)]
