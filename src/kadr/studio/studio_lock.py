"""One studio at a time may have a project open: two would both carry out its queue."""

from __future__ import annotations

import contextlib
from pathlib import Path

from filelock import FileLock, Timeout

from kadr.errors import InputError, OutputError
from kadr.files import Sync, atomic_file, make_folder


class StudioLock:
    """The lock of a project's studio; it belongs to the process and ends with it."""

    def __init__(self, root: Path, address: str) -> None:
        self._root, self._address = root, address
        self._folder = root / "studio"
        self._lock = FileLock(self._folder / "lock", thread_local=False)

    def acquire(self) -> None:
        """Take it. Raises InputError naming the other studio's address, OutputError."""
        try:
            make_folder(self._folder)
            self._lock.acquire(blocking=False)
        except Timeout:
            raise InputError(
                f"{self._root}: is open in another studio{self._other_address()}; go on there, or "
                "end that one"
            ) from None
        except OSError as error:
            if isinstance(error, OutputError):
                raise
            raise OutputError(
                f"{self._folder}: cannot be written ({error.strerror}); the studio keeps the queue "
                "there"
            ) from error
        with (
            contextlib.suppress(OutputError),
            atomic_file(self._folder / "address.txt", Sync.NOTHING) as temporary,
        ):
            temporary.write_text(self._address, encoding="utf-8")

    def release(self) -> None:
        """Give it back."""
        self._lock.release()

    def _other_address(self) -> str:
        try:
            text = (self._folder / "address.txt").read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            return ""
        return f", {text}" if text.startswith("http://") and len(text) < 100 else ""
