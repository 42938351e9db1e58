"""Tell whether the files of an opened clip still hold what they held when it was opened.

Cheap facts of each file are compared: size, times and number. Where they moved, the content is
hashed again and decides. A clip has one watch, which its readers in all threads share.
"""

from __future__ import annotations

import functools
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from kadr.errors import InputError
from kadr.files import FileFacts
from kadr.video.identity import content_hash, files_state

_ATTEMPTS = 4
"""How often a file is opened again that is being moved about, before that counts as a change."""


class _Closable(Protocol):
    def close(self) -> None: ...


Opened = TypeVar("Opened", bound=_Closable)
Result = TypeVar("Result")


class FileWatch:
    """The files of a clip as they are now; ``check`` says later whether they changed.

    path: the clip, for its readers and messages. files: what it is read from, in order.
    Raises InputError if one of them cannot be read.
    """

    def __init__(self, path: Path, files: Sequence[Path]) -> None:
        self._path, self._files = path, tuple(files)
        self._facts = {file: _read_facts(file) for file in self._files}
        self._identity: str | None = None
        self._changed: Path | None = None
        self._lock = threading.RLock()
        self._release: Callable[[], object] = lambda: None
        self._held: tuple[int, FileFacts] | None = None
        """A descriptor of the single file, and its facts at first."""

    @property
    def identity(self) -> str | None:
        """The hash of the content, once it was pinned."""
        return self._identity

    @property
    def state(self) -> str:
        """A hash of the facts of all files: an equal one elsewhere means equal content."""
        with self._lock:
            return files_state(self._facts)

    def pin(self, identity: str) -> None:
        """Fix the content: ``identity`` is the hash of the files, read since this watch began.

        Raises InputError if a file changed meanwhile: nobody knows then which content was hashed.
        """
        with self._lock:
            for file, expected in self._facts.items():
                if _read_facts(file) != expected:
                    raise InputError(f"{file}: changes while it is read; wait until it is complete")
            self._identity = identity

    def require(self, identity: str, state: str) -> None:
        """Raise InputError unless the content is that of ``identity``, whose facts were ``state``.

        The files are hashed only if their facts are others.
        """
        if self.state != state and _hash_once(self._path, self._files, self.state) != identity:
            raise changed_error(self._path)
        self.pin(identity)

    def hold(self) -> None:
        """Keep a single file open, which tells a file written in place from one put in its place.

        Without a call of ``close`` it is released with the watch.
        """
        if len(self._files) > 1 or self._held is not None:
            return
        file, flags = self._files[0], os.O_RDONLY | getattr(os, "O_BINARY", 0)
        try:
            descriptor = self._unmoved(file, lambda: os.open(file, flags), os.close)
        except OSError as error:
            raise InputError(f"{file}: cannot be read ({error.strerror})") from error
        # some file systems tell other facts of an open file than of a name
        self._held = descriptor, FileFacts.of(os.fstat(descriptor))
        self._release = weakref.finalize(self, os.close, descriptor)

    def check(self) -> None:
        """Raise InputError if something may have been read that is not the clip's content.

        The images of a sequence are checked when they are read, see ``read``.
        """
        with self._lock:
            if self._changed is not None:
                raise changed_error(self._changed)
        if len(self._files) == 1:
            self._check_file(self._files[0])

    def open(self, opener: Callable[[], Opened]) -> Opened:
        """What ``opener`` returns, which opens the clip's one file by its name."""
        return self._unmoved(self._files[0], opener, lambda opened: opened.close())

    def read(self, file: Path) -> bytes:
        """All bytes of one of the files."""
        try:
            return self._unmoved(file, file.read_bytes, lambda content: None)
        except OSError as error:
            raise InputError(f"{file}: cannot be read ({error.strerror})") from error

    def _unmoved(
        self, file: Path, use: Callable[[], Result], undo: Callable[[Result], object]
    ) -> Result:
        """The result of using a file by its name, which has its content before and after that."""
        for _ in range(_ATTEMPTS):
            self._check_file(file)
            with self._lock:
                expected = self._facts[file]
            try:
                result = use()
            except OSError:
                self._check_file(file)
                raise
            if _read_facts(file) == expected:
                return result
            undo(result)
        raise self._fail(file)

    def close(self) -> None:
        """Release the file that is kept open."""
        self._release()
        self._held = None

    def _check_file(self, file: Path) -> None:
        """Raise InputError unless a file has the content that it had."""
        with self._lock:
            if self._changed is not None:
                raise changed_error(self._changed)
            facts, expected = _read_facts(file), self._facts[file]
            if facts == expected:
                return
            if self._held is not None:
                descriptor, first = self._held
                if not FileFacts.of(os.fstat(descriptor)).same_content(first):
                    raise self._fail(file)  # written in place, perhaps while it was read
            if self._identity is not None:
                if not self._has_pinned_content():
                    raise self._fail(file)
            elif facts.same_content(expected) and facts.number == expected.number:
                self._facts[file] = facts  # only its name or its permissions changed
            else:
                raise self._fail(file)
            if self._held is not None:
                self.close()
                self.hold()

    def _has_pinned_content(self) -> bool:
        """Hash all files again; if they are the same clip, their facts of now are expected."""
        facts = {file: _read_facts(file) for file in self._files}
        identity = _hash_once(self._path, self._files, files_state(facts))
        if identity != self._identity:
            return False
        self._facts = facts
        return True

    def _fail(self, file: Path) -> InputError:
        self._changed = self._changed or file
        return changed_error(self._changed)


def changed_error(file: Path) -> InputError:
    """The error for a clip, or one of its images, that is another than the run began with."""
    return InputError(
        f"{file}: was changed while the run read it; nothing made from the other content is kept; "
        "put it back or start again"
    )


def _read_facts(file: Path) -> FileFacts:
    try:
        return FileFacts.of(file.stat())
    except FileNotFoundError as error:
        raise changed_error(file) from error
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror})") from error


@functools.lru_cache(maxsize=8)
def _hash_once(path: Path, files: tuple[Path, ...], state: str) -> str | None:
    """The hash of files with these facts; None if they change meanwhile."""
    identity = content_hash(path, files)
    after = {file: _read_facts(file) for file in files}
    return identity if files_state(after) == state else None
