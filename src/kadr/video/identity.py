"""Hash the content of a clip: the same content has the same identity, wherever it is stored.

All files are read completely. With a cache folder they are read again only if the size or the
modification time of a file differs.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

from kadr.errors import InputError
from kadr.files import file_digest, read_json_object, write_json_object
from kadr.storage.layout import WorkLayout
from kadr.video.sequence import find_sequence, is_glob, sequence_pattern

_STABLE_AFTER = 2.0
"""Seconds: a file that changed more recently may change again under the same time stamp."""

_CODING = ("utf-8", "surrogateescape")
"""File names may contain bytes that are not text."""


def clip_identity(path: str | Path, cache: Path | None = None) -> str:
    """The SHA-256 of a clip's content in hex; for a sequence, of its names and contents in order.

    cache: a work folder, whose file ``clips.json`` holds known identities; it is made if it is
    missing. If it cannot be written, the log says so.
    Raises InputError if there is no such clip, it cannot be read, or it changes meanwhile.
    """
    path = Path(path)
    files = clip_files(path)
    state = _file_state(path, files)
    key = str(files[0].resolve() if path.is_file() else path.absolute())
    cache_file = None if cache is None else WorkLayout(cache).clips
    entries = {} if cache_file is None else read_json_object(cache_file)
    entry = entries.get(key)
    if isinstance(entry, dict) and entry.get("state") == state:
        identity = entry.get("identity")
        if isinstance(identity, str):
            return identity
    identity = _hash(path, files)
    if _file_state(path, files) != state:
        raise InputError(f"{path}: changes while it is read; wait until it is complete")
    if cache_file is not None and _is_stable(files):
        entries[key] = {"state": state, "identity": identity}
        write_json_object(cache_file, entries)
    return identity


def clip_files(path: Path) -> tuple[Path, ...]:
    """The files of a clip in order: the one video file, or the images of a sequence.

    Raises InputError if there are none.
    """
    try:
        is_file, is_folder = path.is_file(), path.is_dir()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    if is_file:
        return (path,)
    is_sequence = is_folder or sequence_pattern(path.name) is not None or is_glob(path.name)
    if not is_sequence:
        raise InputError(f"{path}: no such file; check the path")
    return find_sequence(path).files


def clip_size(path: Path) -> int:
    """The size of all files of a clip in bytes."""
    return sum(file.stat().st_size for file in clip_files(path))


def _file_state(path: Path, files: Sequence[Path]) -> str:
    """A hash of names, sizes and modification times of the files."""
    digest = hashlib.sha256()
    try:
        for file in files:
            stat = file.stat()
            digest.update(f"{file.name}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode(*_CODING))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    return digest.hexdigest()


def _hash(path: Path, files: Sequence[Path]) -> str:
    if path.is_file():
        return file_digest(path)
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name}\0{file_digest(file)}\0".encode(*_CODING))
    return digest.hexdigest()


def _is_stable(files: Sequence[Path]) -> bool:
    return max(file.stat().st_mtime for file in files) < time.time() - _STABLE_AFTER
