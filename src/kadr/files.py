"""Write any file completely or not at all, and read JSON that kadr can make again."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from kadr.errors import InputError, OutputError

HIDDEN = ".kadr-"
"""Prefix of the names of unfinished files; they get their final name when they are complete."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
_NUMBER = re.compile(r"\d+")

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it replaces ``path``, else it is removed.

    The temporary name has the same suffix, since writers choose their format by it. OSErrors become
    OutputError, which names the file and the cause.
    """
    temporary: Path | None = None
    try:
        temporary = temporary_beside(path)
        yield temporary
        publish(temporary, path)
        temporary = None
    except OSError as error:
        if isinstance(error, OutputError) or (error.filename is None and error.errno is None):
            raise
        hint = "; free some space and try again" if error.errno in _FULL else ""
        raise OutputError(f"{path}: cannot be written ({error.strerror}){hint}") from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()


def temporary_beside(path: Path) -> Path:
    """Make an empty hidden file beside ``path``, with its suffix; makes the folder if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=HIDDEN, suffix=path.suffix, dir=path.parent)
    os.close(handle)
    return Path(name)


def publish(temporary: Path, path: Path) -> None:
    """Give a finished temporary file or folder its final name and the usual permissions."""
    mask = os.umask(0)
    os.umask(mask)
    # only the owner can read what tempfile makes
    temporary.chmod((0o777 if temporary.is_dir() else 0o666) & ~mask)
    temporary.replace(path)


def make_folder(folder: Path) -> list[Path]:
    """Make a folder and its parents; returns the folders that were missing, innermost first.

    Raises OutputError if a file is in the way or the system refuses.
    """
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
        folder.mkdir(parents=True, exist_ok=True)
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


def last_number(name: str) -> int | None:
    """The last run of digits in a file name without its suffix: ``shot 3 (12).png`` → 12."""
    numbers = _NUMBER.findall(Path(name).stem)
    return int(numbers[-1]) if numbers else None


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
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:  # the last one: nested too deeply
        _log.info("%s: cannot be used (%s); it will be made again", path, error)
        return {}
    return content if isinstance(content, dict) else {}


def write_json_object(path: Path, content: Mapping[str, Any]) -> None:
    """Write what ``read_json_object`` reads; a file that cannot be written is only logged."""
    try:
        with atomic_file(path) as temporary:
            temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")
    except OutputError as error:
        _log.info("%s; it will be made again", error)
