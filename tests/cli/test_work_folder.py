"""Work folders: files of other people in them, beside them or behind links stay as they are."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_samples import Call

from kadr import new_project
from kadr.project.folder import ProjectFolder
from kadr.storage.layout import MARKER

links = pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")


def _foreign_files(folder: Path, *names: str) -> dict[Path, str]:
    files = {folder / name: f"mine: {name}" for name in names}
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return files


def _unchanged(files: dict[Path, str]) -> bool:
    return all(path.read_text() == text for path, text in files.items())


@pytest.fixture
def project(video: Path, keys: Path, tmp_path: Path) -> ProjectFolder:
    return new_project(video, [keys], tmp_path / "p.kadr")


def test_a_folder_of_somebody_else_is_refused(
    refused: Callable[..., str], video: Path, keys: Path, tmp_path: Path
) -> None:
    work = tmp_path / "mine"
    files = _foreign_files(
        work, "store/textures.zip", f"store/stylize/{'0a' * 16}.zip", "frames/a.png", "lock"
    )
    line = refused(
        "run", video, "--keys", keys, "-o", tmp_path / "out.mp4", "--work", work,
        "--work-limit", "1MB",
    )  # fmt: skip
    assert f"{work}: holds files that kadr did not make" in line
    assert "give it a new or an empty folder" in line
    assert _unchanged(files)
    assert sorted(path for path in work.rglob("*") if path.is_file()) == sorted(files)
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize(
    "command", ["run {0} --dry-run", "preview {0} --frame 2 -o {1}/x.png", "plan {0} -o {1}/plan"]
)
def test_commands_without_the_lock_leave_it_alone_too(
    command: str, kadr: Call, project: ProjectFolder, tmp_path: Path
) -> None:
    shutil.rmtree(project.work)
    files = _foreign_files(project.work, "notes.txt", "store/textures.zip")
    done = kadr(*command.format(project.root, tmp_path).split())
    if command.startswith("plan"):  # only slower without its cache, and says so
        assert done.code == 0
        assert "the clip will be surveyed again next time" in done.err
    else:
        assert done.code == 2
    assert f"{project.work}: holds files that kadr did not make" in done.err
    assert _unchanged(files)
    assert sorted(path for path in project.work.rglob("*") if path.is_file()) == sorted(files)


@links
@pytest.mark.parametrize("name", ["store", "frames", "blended", "noise"])
def test_a_folder_in_it_that_is_a_link_is_refused(
    name: str, refused: Callable[..., str], kadr: Call, video: Path, keys: Path, tmp_path: Path
) -> None:
    work, outside = tmp_path / "work", tmp_path / "outside"
    command = ("run", video, "--keys", keys, "--work", work, "--work-limit", "100MB", "-o")
    assert kadr(*command, tmp_path / "a.mp4").code == 0
    files = _foreign_files(outside, f"propagate/{'0a' * 16}/000001.zip", "frame_00001.png")
    if (work / name).exists():
        (work / name).rename(tmp_path / "old")
    (work / name).symlink_to(outside)
    line = refused(*command, tmp_path / "b.mp4")
    assert f"{work / name}: is a link; delete it" in line
    assert _unchanged(files)
    assert len(list(outside.rglob("*.*"))) == 2


@links
def test_a_link_in_the_store_is_not_followed(
    refused: Callable[..., str], kadr: Call, video: Path, keys: Path, tmp_path: Path
) -> None:
    work, outside = tmp_path / "work", tmp_path / "outside"
    command = ("run", video, "--keys", keys, "--work", work, "--work-limit", "1MB", "-o")
    assert kadr(*command, tmp_path / "a.mp4").code == 0
    names = [f"{'0b' * 16}/{number:06d}.zip" for number in range(30)]
    files = _foreign_files(outside, *names)
    for path in files:
        os.truncate(path, 1_000_000)
        files[path] = path.read_text()
    (work / "store" / "propagate").rename(tmp_path / "old")
    (work / "store" / "propagate").symlink_to(outside)
    refused(*command, tmp_path / "b.mp4", "--seed", "7")
    assert _unchanged(files)
    assert len(list(outside.rglob("*.zip"))) == 30


@links
def test_a_link_to_an_empty_folder_is_a_work_folder(
    kadr: Call, video: Path, keys: Path, tmp_path: Path
) -> None:
    scratch, work = tmp_path / "scratch", tmp_path / "work"
    scratch.mkdir()
    work.symlink_to(scratch)
    run = kadr("run", video, "--keys", keys, "--work", work, "-o", tmp_path / "a.mp4")
    assert run.code == 0
    assert (scratch / MARKER).exists()
    assert list(scratch.rglob("*.zip"))


@links
def test_partial_files_behind_links_of_a_project_stay(
    kadr: Call, refused: Callable[..., str], project: ProjectFolder, tmp_path: Path
) -> None:
    names = (".kadr-a1b2c3d4.mp4", "deep/.kadr-a1b2c3d4.png", ".kadr-a1b2c3d4/x.png")
    other_out, other_work = tmp_path / "out", tmp_path / "work"
    files = _foreign_files(other_out, *names)
    project.out.symlink_to(other_out)
    assert kadr("run", project.root).code == 0
    assert _unchanged(files)
    files |= _foreign_files(other_work, *names)
    for path in sorted(project.work.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    project.work.rmdir()
    project.work.symlink_to(other_work)
    assert "holds files that kadr did not make" in refused("run", project.root)
    assert _unchanged(files)


def test_partial_files_of_a_killed_run_are_deleted(kadr: Call, project: ProjectFolder) -> None:
    partial = _foreign_files(project.root, "out/.kadr-a1b2c3d4.mp4", "work/.kadr-a1b2c3d4.json")
    others = _foreign_files(
        project.root, "out/.kadr-notes.txt", "work/mine/.kadr-a1b2c3d4.png", "work/.kadr-my.png"
    )
    assert kadr("run", project.root).code == 0
    assert not any(path.exists() for path in partial)
    assert _unchanged(others)


@links
def test_a_lock_that_is_a_link_is_refused(
    refused: Callable[..., str], project: ProjectFolder, tmp_path: Path
) -> None:
    files = _foreign_files(tmp_path, "notes.txt")
    (project.work / "lock").unlink(missing_ok=True)
    (project.work / "lock").symlink_to(tmp_path / "notes.txt")
    assert "lock: is a link; delete it" in refused("run", project.root)
    assert _unchanged(files)


def test_clean_removes_the_marker_with_the_folder_only(kadr: Call, project: ProjectFolder) -> None:
    assert kadr("run", project.root).code == 0
    files = _foreign_files(project.work, "notes.txt", "store/mine.zip")
    assert kadr("clean", project.root, "--yes").code == 0
    assert _unchanged(files)
    assert (project.work / MARKER).exists()
    assert kadr("run", project.root).code == 0
    for path in files:
        path.unlink()
    assert kadr("clean", project.root, "--yes").code == 0
    assert not project.work.exists()
