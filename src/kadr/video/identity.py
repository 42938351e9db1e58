"""A clip's path in, a name for its content out: the same pixels, the same name, wherever it lies.

The content is read whole; with a folder to remember in, it is read again only when the size or the
time of change of a file differs.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kadr.errors import InputError, OutputError
from kadr.files import atomic_file, file_digest
from kadr.video.sequence import find_sequence, is_glob, sequence_pattern

MEMORY = "clips.json"
"""The file in a ``cache`` folder that holds what was read already."""

_SETTLED = 2.0
"""Seconds: a file changed more lately may change again under the same time stamp."""

_log = logging.getLogger(__name__)


def clip_identity(path: str | Path, cache: Path | None = None) -> str:
    """The SHA-256 of a clip's content in hex; of a sequence, of its names and contents in order.

    cache: a folder that is remembered in; made when missing. One that cannot be written is done
    without, with a word in the log.
    Raises InputError if there is no such clip, it cannot be read, or it changes meanwhile.
    """
    path = Path(path)
    files = clip_files(path)
    state = _state(path, files)
    place = str(files[0].resolve() if path.is_file() else path.absolute())
    known = {} if cache is None else _recall(cache / MEMORY)
    entry = known.get(place)
    if isinstance(entry, dict) and entry.get("state") == state:
        identity = entry.get("identity")
        if isinstance(identity, str):
            return identity
    identity = _hash(path, files)
    if _state(path, files) != state:
        raise InputError(f"{path}: changes while it is read; wait until it is whole")
    if cache is not None and _is_settled(files):
        known[place] = {"state": state, "identity": identity}
        _remember(cache / MEMORY, known)
    return identity


def clip_files(path: Path) -> tuple[Path, ...]:
    """The files that make up a clip, in order: a video's one, a sequence's images.

    Raises InputError when there are none.
    """
    if path.is_file():
        return (path,)
    many = path.is_dir() or sequence_pattern(path.name) is not None or is_glob(path.name)
    if not many:
        raise InputError(f"{path}: no such file; check the path")
    return find_sequence(path).files


def clip_size(path: Path) -> int:
    """Bytes of all the files that make up a clip."""
    return sum(file.stat().st_size for file in clip_files(path))


def _state(path: Path, files: Sequence[Path]) -> str:
    """What can be said of the files without reading them."""
    digest = hashlib.sha256()
    try:
        for file in files:
            now = file.stat()
            digest.update(f"{file.name}\0{now.st_size}\0{now.st_mtime_ns}\0".encode(*_CODING))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    return digest.hexdigest()


_CODING = ("utf-8", "surrogateescape")
"""File names may hold bytes that are no text."""


def _hash(path: Path, files: Sequence[Path]) -> str:
    if path.is_file():
        return file_digest(path)
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name}\0{file_digest(file)}\0".encode(*_CODING))
    return digest.hexdigest()


def _is_settled(files: Sequence[Path]) -> bool:
    return max(file.stat().st_mtime for file in files) < time.time() - _SETTLED


def _recall(memory: Path) -> dict[str, Any]:
    """What was remembered; nothing if the file is missing or damaged."""
    try:
        known = json.loads(memory.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        _log.info("%s: cannot be used (%s); the clip is read again", memory, error)
        return {}
    return known if isinstance(known, dict) else {}


def _remember(memory: Path, known: dict[str, Any]) -> None:
    try:
        with atomic_file(memory) as temporary:
            temporary.write_text(json.dumps(known, indent=1), encoding="utf-8")
    except OutputError as error:
        _log.info("%s; the clip will be read again next time", error)
