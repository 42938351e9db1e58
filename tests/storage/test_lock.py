"""Lock a folder for one holder at a time, in one or more processes, until the holder ends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kadr.errors import FolderInUseError, OutputError
from kadr.storage.layout import LOCK, LOCK_HOLDER
from kadr.storage.lock import lock_folder
from kadr.storage.ownership import adopt_folder

HOLD = """
import sys, pathlib
from kadr.storage.lock import lock_folder
with lock_folder(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock of ``tmp_path / "work"``."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "work")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_error_for_a_second_process_names_the_first(
    holder: subprocess.Popen[str], tmp_path: Path
) -> None:
    message = rf"work: another kadr works here \(process {holder.pid}\); wait for it"
    with pytest.raises(OutputError, match=message), lock_folder(tmp_path / "work"):
        pytest.fail("held twice")


def test_a_killed_holder_leaves_no_lock(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    holder.kill()
    holder.wait(10)
    with lock_folder(tmp_path / "work"):
        assert (tmp_path / "work" / LOCK_HOLDER).read_text() == f"{os.getpid()}\n"


def test_one_process_cannot_hold_a_lock_twice(tmp_path: Path) -> None:
    with lock_folder(tmp_path / "work"):
        with pytest.raises(OutputError, match="another kadr"), lock_folder(tmp_path / "work"):
            pytest.fail("held twice")
        with lock_folder(tmp_path / "other"):
            pass
    with lock_folder(tmp_path / "work"):
        pass


def test_an_error_inside_releases_the_lock(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), lock_folder(tmp_path):
        _ = 1 / 0
    with lock_folder(tmp_path):
        pass


def test_a_child_process_does_not_keep_the_lock(tmp_path: Path) -> None:
    with lock_folder(tmp_path):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with child, lock_folder(tmp_path):
        child.kill()


def test_the_error_says_what_the_holder_does(tmp_path: Path) -> None:
    purpose = "/films/r\udce9sum\u00e9 1.mp4"
    with lock_folder(tmp_path, purpose):
        with pytest.raises(FolderInUseError) as caught, lock_folder(tmp_path):
            pytest.fail("held twice")
        assert caught.value.purpose == purpose
        assert f"(process {os.getpid()})" in str(caught.value)


def test_invalid_text_in_the_holder_file_is_not_reported(tmp_path: Path) -> None:
    with lock_folder(tmp_path):
        (tmp_path / LOCK_HOLDER).write_text("who knows\n")
        with (
            pytest.raises(OutputError, match="another kadr works here; wait"),
            lock_folder(tmp_path),
        ):
            pytest.fail("held twice")


def test_a_folder_that_cannot_be_locked_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    adopt_folder(folder)
    (folder / LOCK).mkdir()
    with pytest.raises(OutputError, match="cannot be written"), lock_folder(folder):
        pytest.fail("a folder is no lock")
    (folder / "file").touch()
    with pytest.raises(OutputError, match="is a file"), lock_folder(folder / "file"):
        pytest.fail("a file is no folder")


def test_links_are_not_followed(tmp_path: Path) -> None:
    foreign, folder = tmp_path / "foreign", tmp_path / "work"
    foreign.write_text("mine\n")
    adopt_folder(folder)
    (folder / LOCK_HOLDER).symlink_to(foreign)
    with lock_folder(folder):
        assert (folder / LOCK_HOLDER).read_text() == f"{os.getpid()}\n"
    (folder / LOCK).unlink()
    (folder / LOCK).symlink_to(foreign)
    with pytest.raises(OutputError, match="lock: is a link"), lock_folder(folder):
        pytest.fail("locked through a link")
    assert foreign.read_text() == "mine\n"


def test_a_file_in_the_place_of_the_lock_is_not_emptied(tmp_path: Path) -> None:
    foreign, folder = tmp_path / "foreign", tmp_path / "work"
    adopt_folder(folder)
    (folder / LOCK).write_text("mine\n")
    with pytest.raises(OutputError, match="lock: is not the lock of kadr"), lock_folder(folder):
        pytest.fail("locked a file of somebody else")
    assert (folder / LOCK).read_text() == "mine\n"
    (folder / LOCK).unlink()
    foreign.touch()
    (folder / LOCK).hardlink_to(foreign)  # may be filled and emptied at any time
    with pytest.raises(OutputError, match="lock: is not the lock of kadr"), lock_folder(folder):
        pytest.fail("locked a file that has another name")


def test_a_folder_with_files_of_others_is_not_locked(tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text("mine\n")
    with pytest.raises(OutputError, match="kadr did not make"), lock_folder(tmp_path):
        pytest.fail("locked a folder of somebody else")
    assert [path.name for path in tmp_path.iterdir()] == [LOCK]
    assert (tmp_path / LOCK).read_text() == "mine\n"
