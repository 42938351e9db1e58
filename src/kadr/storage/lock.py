"""Lock a work folder: one process at a time may write there."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from kadr.errors import FolderInUseError, OutputError
from kadr.files import Sync, atomic_file
from kadr.storage.layout import WorkLayout
from kadr.storage.ownership import adopt_folder

_CODING = ("utf-8", "surrogateescape")
"""Paths may contain bytes that are not text."""


@contextlib.contextmanager
def lock_folder(folder: Path, purpose: str = "") -> Iterator[None]:
    """Hold the folder's lock in a with block; the folder is made when missing, and marked.

    The lock belongs to the process and ends with it, however it ends. The file ``lock.pid`` beside
    it names the process and the purpose, such as the output of a run.
    Raises FolderInUseError naming the folder and the other process if that holds the lock,
    OutputError if the folder is not kadr's or cannot be written, or if something else stands in
    the place of the lock file.
    """
    adopt_folder(folder)
    layout = WorkLayout(folder)
    _check_lock_file(layout.lock)
    lock = FileLock(layout.lock, mode=0o666, thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        process, other_purpose = _holder(layout.lock_holder)
        raise FolderInUseError(
            f"{folder}: another kadr works here{process}; "
            "wait for it, stop it, or choose another folder",
            other_purpose,
        ) from None
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written ({error.strerror}); work in a folder that you may write"
        ) from error
    try:
        with atomic_file(layout.lock_holder, Sync.NOTHING) as temporary:
            text = f"{os.getpid()}\n" + (f"{purpose}\n" if purpose else "")
            temporary.write_text(text, *_CODING)
        yield
    finally:
        lock.release()


def _check_lock_file(file: Path) -> None:
    """Raise OutputError unless the file is one that kadr can have made: locking empties it."""
    try:
        status = file.lstat()
    except OSError:
        return
    if stat.S_ISLNK(status.st_mode):
        raise OutputError(f"{file}: is a link; delete it, kadr locks no file behind links")
    if stat.S_ISREG(status.st_mode) and (status.st_size or status.st_nlink > 1):
        raise OutputError(f"{file}: is not the lock of kadr, which is empty; move it elsewhere")


def _holder(file: Path) -> tuple[str, str]:
    """The process that holds the lock, for the error message, and its purpose; "": not told."""
    try:
        process, _, purpose = file.read_text(*_CODING).partition("\n")
    except (OSError, ValueError):
        return "", ""
    return f" (process {process})" if process.isdecimal() else "", purpose.removesuffix("\n")


@contextlib.contextmanager
def wait_for_lock(folder: Path) -> Iterator[None]:
    """Like ``lock_folder``, but wait while another process, or another thread, holds the lock.

    For what takes a while at most, such as filling a part of the cache.
    """
    adopt_folder(folder)
    layout = WorkLayout(folder)
    _check_lock_file(layout.lock)
    try:
        with FileLock(layout.lock, mode=0o666, thread_local=False):
            yield
    except Timeout as error:
        raise OutputError(f"{folder}: another kadr works here; wait for it, or stop it") from error
