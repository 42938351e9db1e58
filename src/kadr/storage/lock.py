"""Lock a work folder: one process at a time may write there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from kadr.errors import OutputError
from kadr.files import Sync, atomic_file, make_folder
from kadr.storage.layout import WorkLayout


@contextlib.contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Hold the folder's lock in a with block; the folder is made when missing.

    The lock belongs to the process and ends with it, however it ends. The file ``lock.pid`` beside
    it names the process. Raises OutputError naming the folder and the other process if that holds
    the lock, or if the folder cannot be written or the lock file is a link.
    """
    make_folder(folder)
    layout = WorkLayout(folder)
    if layout.lock.is_symlink():
        raise OutputError(f"{layout.lock}: is a link; delete it, kadr locks no file behind links")
    lock = FileLock(layout.lock, mode=0o666, thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise OutputError(
            f"{folder}: another kadr works here{_holder(layout.lock_holder)}; "
            "wait for it, stop it, or choose another folder"
        ) from None
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written ({error.strerror}); work in a folder that you may write"
        ) from error
    try:
        with atomic_file(layout.lock_holder, Sync.NOTHING) as temporary:
            temporary.write_text(f"{os.getpid()}\n", encoding="ascii")
        yield
    finally:
        lock.release()


def _holder(file: Path) -> str:
    """The process that holds the lock, for the error message; "" if the file does not tell."""
    try:
        text = file.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
    return f" (process {text})" if text.isdecimal() else ""
