"""Hash the content of a clip: the same content has the same identity, wherever it is stored.

All files are read completely. With a cache folder they are read again only if the facts of a file
differ: its size, its times or its number. Facts may differ for equal content, on another machine
for example; the hash decides then.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from kadr.errors import InputError, OutputError
from kadr.files import FileFacts, file_digest, read_json_object, write_json_object
from kadr.remote.copies import local_copy
from kadr.storage.layout import WorkLayout
from kadr.storage.ownership import adopt_folder
from kadr.video.base import Clip, ClipInfo
from kadr.video.sequence import find_sequence, is_glob, sequence_pattern

_STABLE_AFTER = 2.0
"""Seconds: a file that changed more recently may change again under the same time stamp."""

_CODING = ("utf-8", "surrogateescape")
"""File names may contain bytes that are not text."""

_log = logging.getLogger(__name__)


def clip_identity(path: str | Path, cache: Path | None = None) -> str:
    """The SHA-256 of a clip's content in hex; for a sequence, of its names and contents in order.

    cache: a work folder, whose file ``clips.json`` holds known identities; it is made if it is
    missing. If it cannot be written or is not kadr's, the log says so.
    Raises InputError if there is no such clip, it cannot be read, or it changes meanwhile.
    """
    path = local_copy(path)
    files = clip_files(path)
    facts = _file_facts(path, files)
    state = files_state(facts)
    key = str(files[0].resolve() if path.is_file() else path.absolute())
    cache_file = None if cache is None else WorkLayout(cache).clips
    entries = {} if cache_file is None else read_json_object(cache_file)
    entry = entries.get(key)
    if isinstance(entry, dict) and entry.get("state") == state:
        identity = entry.get("identity")
        if isinstance(identity, str):
            return identity
    identity = content_hash(path, files)
    if _file_facts(path, files) != facts:
        raise InputError(f"{path}: changes while it is read; wait until it is complete")
    if cache_file is not None and _is_stable(facts):
        entries[key] = {"state": state, "identity": identity}
        try:
            adopt_folder(cache_file.parent)
        except OutputError as error:
            _log.info("%s; the clip will be read again next time", error)
        else:
            write_json_object(cache_file, entries)
    return identity


def clip_files(path: Path) -> tuple[Path, ...]:
    """The files of a clip in order: the one video file, or the images of a sequence.

    path: also a URL, of which the files are copies. Raises InputError if there are none.
    """
    path = local_copy(path)
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


def identify(clip: Clip, cache: Path | None = None) -> str:
    """The identity of an opened clip's frames; from now on nothing else is read under its name.

    That of some frames of a clip also depends on which they are.

    cache: as for ``clip_identity``. Raises InputError if a file changed since it was opened.
    """
    identity = clip.watch.identity
    if identity is None:
        identity = clip_identity(clip.info.path, cache)
        clip.watch.pin(identity)
    identity = frames_identity(identity, clip.info)
    choice = getattr(clip, "choice", None)
    if choice is None:
        return identity
    return hashlib.sha256(f"{identity} {choice}".encode()).hexdigest()


def frames_identity(identity: str, info: ClipInfo) -> str:
    """The identity of the frames of a clip, from that of its content.

    Deinterlaced frames, for one, are others than those of the same file as they are stored.
    """
    changes = (info.deinterlaced, "resized" if info.resized else "")
    if not any(changes):
        return identity
    return hashlib.sha256("\0".join((identity, *changes)).encode()).hexdigest()


def files_state(facts: Mapping[Path, FileFacts]) -> str:
    """A hash of the names and facts of files, in order; an equal one means equal content."""
    digest = hashlib.sha256()
    for file, of_file in facts.items():
        values = (of_file.size, of_file.written, of_file.number, of_file.altered)
        digest.update("\0".join([file.name, *map(str, values), ""]).encode(*_CODING))
    return digest.hexdigest()


def _file_facts(path: Path, files: Sequence[Path]) -> dict[Path, FileFacts]:
    try:
        return {file: FileFacts.of(file.stat()) for file in files}
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def content_hash(path: Path, files: Sequence[Path]) -> str:
    """The identity of a clip from the bytes of its files, in order."""
    if path.is_file():
        return file_digest(path)
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name}\0{file_digest(file)}\0".encode(*_CODING))
    return digest.hexdigest()


def _is_stable(facts: Mapping[Path, FileFacts]) -> bool:
    newest = max(max(of_file.written, of_file.altered) for of_file in facts.values())
    return newest / 1e9 < time.time() - _STABLE_AFTER
