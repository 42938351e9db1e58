"""A folder or a file at a URL in; the files to read out, from one look at the server."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any

from kadr.errors import InputError
from kadr.image_files import IMAGE_SUFFIXES
from kadr.remote.connection import Connection
from kadr.remote.manifest import UNFINISHED

_NUMBER = re.compile(r"%0?\d*d|\[#+\]|#+")
_WILDCARD = re.compile(r"[*?\[]")
_NO_FILE_NAME = re.compile(r'[\\:<>|"\x00-\x1f]')
_VERSION_KEYS = (
    "ETag",
    "etag",
    "generation",
    "md5Hash",
    "Content-MD5",
    "Last-Modified",
    "LastModified",
    "mtime",
)
"""What servers tell about the content of a file; an equal one means equal content."""


@dataclass(frozen=True)
class RemoteFile:
    """A file in a folder: its name, its size in bytes (None: not told), and its version.

    version: another one means other content; "" if the server tells none.
    """

    name: str
    size: int | None
    version: str

    @classmethod
    def of(cls, name: str, entry: Mapping[str, Any]) -> RemoteFile:
        """The file of an entry that fsspec gives."""
        size = entry.get("size")
        marks = [f"{key}={entry[key]}" for key in _VERSION_KEYS if entry.get(key)]
        version = f"{size} {marks[0]}" if marks else ""
        return cls(name, size if isinstance(size, int) else None, version)


def is_pattern(name: str) -> bool:
    """Whether a name may stand for numbered images: ``f_%05d.png``, ``f_####.png``, ``*.png``."""
    return _NUMBER.search(name) is not None or _WILDCARD.search(name) is not None


def file_facts(source: Connection) -> RemoteFile | None:
    """What the server tells about one file; None for a folder. One request or two.

    Raises InputError if it does not exist or cannot be read.
    """
    refresh = {"refresh": True} if source.scheme == "s3" else {}
    with source.errors():
        entry = source.files.info(source.key, **refresh)
    if entry.get("type") == "directory":
        return None
    return RemoteFile.of(file_name(source.url), entry)


def list_images(folder: Connection, pattern: str = "") -> tuple[RemoteFile, ...] | None:
    """The images of a folder, or those that a pattern may mean; None for a URL that is a file.

    The folder is listed once: one request for a thousand files.
    Raises InputError if there is no list, or the folder holds an upload that was not finished.
    """
    if not is_store(folder):
        raise InputError(
            f"{folder.url}: a web server does not tell what is in a folder; give the URL of a "
            "video, or a folder of s3:// or gs://"
        )
    with folder.errors():
        entries = folder.files.ls(folder.key, detail=True, refresh=True)
    if [entry["name"] for entry in entries] == [folder.key]:
        return None
    files = {file_name(entry["name"]): entry for entry in entries if entry["type"] == "file"}
    if UNFINISHED in files:
        raise InputError(
            f"{folder.url}: an upload to it was not finished; run the command that wrote it again"
        )
    images = [
        name
        for name in _chosen(sorted(files), pattern)
        if PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES and not name.startswith(".")
    ]
    for name in images:
        if _NO_FILE_NAME.search(name):
            raise InputError(
                f"{folder.url}: {name!r} is no name for a file on a disk; rename it there"
            )
    return tuple(RemoteFile.of(name, files[name]) for name in images)


def _chosen(names: Iterable[str], pattern: str) -> list[str]:
    """The names that a pattern may mean; which it does mean is decided where it is opened."""
    if not pattern:
        return list(names)
    if _NUMBER.search(pattern):
        parts = _NUMBER.split(pattern)
        numbered = re.compile(r"\d+".join(re.escape(part.replace("%%", "%")) for part in parts))
        return [name for name in names if numbered.fullmatch(name)]
    return [name for name in names if fnmatchcase(name, pattern)]


def file_name(url: str) -> str:
    """The last part of a URL, without its query."""
    text = url.partition("?")[0] if url.startswith("http") else url
    return text.rstrip("/").rpartition("/")[2]


def is_store(source: Connection) -> bool:
    """Whether the URL is of object storage, which lists folders; a web server does not."""
    return source.scheme in ("s3", "gs")
