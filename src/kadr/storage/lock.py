"""A folder in, the sole right to write in it out, for as long as this process lives."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from kadr.errors import OutputError
from kadr.files import make_folder

LOCK = "lock"

_MARK = 1 << 30
"""The byte that is locked where locks keep others from reading: far behind the process's number."""


@contextlib.contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Hold the folder's lock in a with block; the folder is made when missing.

    The lock is the system's and ends with its process, however that ends; the file ``lock`` stays
    and says who held it. Raises OutputError naming the folder and the other's process if another
    holds it, or if the folder cannot be written.
    """
    make_folder(folder)
    path = folder / LOCK
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written ({error.strerror}); work in a folder that you may write"
        ) from error
    try:
        if not _lock(handle):
            raise OutputError(
                f"{folder}: another kadr works here{_holder(handle)}; "
                "wait for it, stop it, or choose another folder"
            )
        _sign(handle, folder)
        yield
    finally:
        os.close(handle)


def _sign(handle: int, folder: Path) -> None:
    try:
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, f"{os.getpid()}\n".encode())
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror})") from error


def _holder(handle: int) -> str:
    """Who wrote itself into the file, in words; nothing if it did not get so far."""
    os.lseek(handle, 0, os.SEEK_SET)
    try:
        text = os.read(handle, 32).decode("ascii").strip()
    except (OSError, ValueError):
        return ""
    return f" (process {text})" if text.isdecimal() else ""


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> bool:
        os.lseek(handle, _MARK, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _lock(handle: int) -> bool:
        # flock, not lockf: it also keeps two runs of one process apart
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
