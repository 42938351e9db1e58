"""Write any file completely or not at all, and read JSON that kadr can make again.

What is the user's survives a power cut: the bytes are on the disk before the file gets its name,
then the name is. Work files do not wait for the disk; who reads one trusts its checksum alone.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Self

from kadr.core.locations import is_below_url
from kadr.errors import InputError, OutputError

HIDDEN = ".kadr-"
"""Prefix of the names of unfinished files; they get their final name when they are complete."""

TEMPORARY_NAME = re.compile(re.escape(HIDDEN) + r"[a-z0-9_]{8}(\.[^./]+)?")
"""Names of unfinished files and folders in full, as ``tempfile`` makes them."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
_NOT_SYNCED = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EROFS)
"""Of file systems that do not know the call; what they hold is as safe as they make it."""
_CHECKSUM = "checksum"

_log = logging.getLogger(__name__)


class Sync(Enum):
    """What is on the disk when a file was written, so that a power cut does not take it."""

    NOTHING = "nothing"
    """For work files with a checksum, and for files that are published later with their folder."""
    CONTENT = "content"
    """The bytes. For one of many files, whose folder is synced once for all of them."""
    ALL = "all"
    """The bytes and the name."""


@contextlib.contextmanager
def atomic_file(path: Path, sync: Sync = Sync.ALL) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it replaces ``path``, else it is removed.

    The temporary name has the same suffix, since writers choose their format by it. OSErrors become
    OutputError, which names the file and the cause.
    """
    temporary: Path | None = None
    try:
        temporary = temporary_beside(path)
        yield temporary
        publish(temporary, path, sync)
        temporary = None
    except OSError as error:
        if isinstance(error, OutputError) or (error.filename is None and error.errno is None):
            raise
        raise write_error(path, error) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()


def write_error(path: Path, error: OSError) -> OutputError:
    """The error for a file or folder that the system cannot write."""
    hint = "; free some space and try again" if error.errno in _FULL else ""
    return OutputError(f"{path}: cannot be written ({error.strerror}){hint}")


def temporary_beside(path: Path) -> Path:
    """Make an empty hidden file beside ``path``, with its suffix; makes the folder if needed."""
    _make_parents(path.parent)
    handle, name = tempfile.mkstemp(prefix=HIDDEN, suffix=path.suffix, dir=path.parent)
    os.close(handle)
    return Path(name)


def _make_parents(folder: Path) -> None:
    """Make a folder and its parents; their names are then on the disk."""
    refuse_url(folder)
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for parent in missing:
        sync_folder(parent.parent)


def publish(temporary: Path, path: Path, sync: Sync = Sync.ALL) -> None:
    """Give a finished temporary file or folder its final name and the usual permissions.

    Of a folder all that is in it is synced too.
    """
    mask = os.umask(0)
    os.umask(mask)
    # only the owner can read what tempfile makes
    temporary.chmod((0o777 if temporary.is_dir() else 0o666) & ~mask)
    if sync is not Sync.NOTHING:
        _sync_tree(temporary)
    temporary.replace(path)
    if sync is Sync.ALL:
        sync_folder(path.parent)


def move_file(source: Path, target: Path) -> None:
    """Give a finished file another name, whole or not at all, also on another file system.

    It replaces what has that name. Its content is as safe as it was. Raises OSError.
    """
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with atomic_file(target, Sync.CONTENT) as temporary:
            shutil.copyfile(source, temporary)
        source.unlink()


def _sync_tree(path: Path) -> None:
    if not path.is_dir():
        sync_file(path)
        return
    for folder, _, names in os.walk(path, topdown=False):
        for name in names:
            if not Path(folder, name).is_symlink():
                sync_file(Path(folder, name))
        sync_folder(Path(folder))


def sync_file(path: Path) -> None:
    """Return when the content of a file is on the disk. Raises OSError if the disk fails."""
    _sync(path, os.O_RDWR)  # Windows syncs only what may be written


def sync_folder(folder: Path) -> None:
    """Return when the names in a folder are on the disk; Windows has no call for that."""
    if os.name != "nt":
        with contextlib.suppress(PermissionError):  # one may write into it and not list it
            _sync(folder, os.O_RDONLY)


def _sync(path: Path, mode: int) -> None:
    descriptor = os.open(path, mode)
    try:
        _flush(descriptor)
    except OSError as error:
        if error.errno not in _NOT_SYNCED:
            raise
    finally:
        os.close(descriptor)


def _flush(descriptor: int) -> None:
    if sys.platform == "darwin":
        import fcntl

        # fsync leaves the bytes in the cache of the disk; some network disks know nothing better
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
    os.fsync(descriptor)


def refuse_url(path: Path, what: str = "this output") -> None:
    """Raise OutputError for a URL where only a path on this machine will do."""
    if is_below_url(path):
        raise OutputError(f"{path}: {what} cannot be at a URL; give a path on this machine")


def make_folder(folder: Path) -> list[Path]:
    """Make a folder and its parents; returns the folders that were missing, innermost first.

    Raises OutputError if a file is in the way or the system refuses.
    """
    refuse_url(folder)
    missing = []
    for parent in (folder, *folder.parents):
        if parent.is_dir():
            break
        if parent.exists() or parent.is_symlink():
            raise OutputError(
                f"{folder}: cannot be made, {parent} is a file; choose another folder"
            )
        missing.append(parent)
    try:
        _make_parents(folder)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made ({error.strerror})") from error
    return missing


def list_folder(folder: Path) -> list[Path]:
    """What is in a folder, sorted. Raises InputError if it cannot be read."""
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be read ({error.strerror}); check who may read it"
        ) from error


def remove_empty(folders: Iterable[Path]) -> None:
    """Remove folders that ``make_folder`` made, if they are empty again."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What the system tells about a file without reading it.

    size: bytes. written: the time of its last change, ns. number: of the file on its disk; a file
    that is put in the place of another has another one. altered: the time when content, name or
    permissions last changed, ns, which programs cannot set.
    """

    size: int
    written: int
    number: int
    altered: int

    @classmethod
    def of(cls, stat: os.stat_result) -> Self:
        """The facts in the result of ``os.stat`` or ``os.fstat``."""
        return cls(stat.st_size, stat.st_mtime_ns, stat.st_ino, stat.st_ctime_ns)

    def same_content(self, other: FileFacts) -> bool:
        """Whether one file with these facts was not written between the two."""
        return (self.size, self.written) == (other.size, other.written)


def file_digest(path: Path) -> str:
    """The SHA-256 of a file's content in hex. Raises InputError if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def read_json_object(path: Path) -> dict[str, Any]:
    """A JSON object from a file that kadr can make again; {} if it is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop(_CHECKSUM) != _checksum(content):
            raise ValueError("its checksum does not fit")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        _log.info("%s: cannot be used (%s); it will be made again", path, error)
        return {}
    return dict(content)


def write_json_object(path: Path, content: Mapping[str, Any]) -> None:
    """Write what ``read_json_object`` reads; a file that cannot be written is only logged."""
    plain = json.loads(json.dumps(content))
    text = json.dumps({_CHECKSUM: _checksum(plain), **plain}, indent=1)
    try:
        with atomic_file(path, Sync.NOTHING) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OutputError as error:
        _log.info("%s; it will be made again", error)


def _checksum(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
