"""A path or URL of an input in, its path on this machine out: files at URLs go into the cache.

A run reads every byte of its clip anyway: the index of the frames is made from all packets, and the
hash of the content names all results. So a file is read as a whole, once, in large blocks; a later
run asks the server whether it is still the same and reads it again only if not.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from kadr.core.locations import register_copy, url_of
from kadr.errors import InputError, OutputError
from kadr.files import TEMPORARY_NAME, read_json_object, write_json_object
from kadr.remote.blocks import read_file
from kadr.remote.connection import Connection, connect
from kadr.remote.listing import RemoteFile, file_facts, file_name, is_pattern, is_store, list_images
from kadr.remote.looked_up import looked_up
from kadr.remote.transfers import TransferProgress
from kadr.storage.cache import cache_root
from kadr.storage.lock import lock_folder, wait_for_lock

MOST_BYTES = 50_000_000_000
"""The most that copies keep together; the longest unused go first."""
MOST_DAYS = 30

_IN_USE_SECONDS = 24 * 3600.0
"""A copy that was asked for more recently may still be read by a run."""

_FILES_AT_ONCE = 8
_UNSAFE = re.compile(r"[^\w.,=+ -]")
_MOST_CHARACTERS = 120


def local_copy(path: str | Path) -> Path:
    """The path itself if it is one on this machine; for a URL, its copy, read now if need be.

    A folder or a pattern of images is listed once, and its new and changed images are read.
    Raises InputError with the cause if there is no such file or it cannot be read, BackendError if
    a library is missing, OutputError if the cache cannot be written.
    """
    url = url_of(path)
    if url is None:
        return Path(path)
    return looked_up(url, _read)


def _read(url: str) -> Path:
    source = connect(url.rstrip("/"))
    name = file_name(source.url)
    if not name or source.url.count("/") < 3:
        raise InputError(
            f"{source.url}: names no file; give the URL of a clip or of a folder of images"
        )
    if is_store(source) and is_pattern(name):
        copies = _Copies(_parent(source))
        copies.update(list_images(copies.source, name) or (), name)
        return copies.content / name
    images, facts = None, None
    # a name without a suffix is a folder's, most probably: to list it tells all at once
    if is_store(source) and not PurePosixPath(name).suffix:
        images = list_images(source)
    if images is None:
        facts = file_facts(source)
    if facts is None:
        copies = _Copies(source)
        copies.update(list_images(source) or () if images is None else images)
        return copies.content
    query = source.url.partition("?")[2] if source.scheme.startswith("http") else ""
    copies = _Copies(_parent(source), query)
    facts = replace(facts, name=_local_name(name))
    copies.update_file(source, facts)
    return copies.content / facts.name


def _parent(source: Connection) -> Connection:
    key = source.key.partition("?")[0] if source.scheme.startswith("http") else source.key
    url = source.url.partition("?")[0] if source.scheme.startswith("http") else source.url
    return Connection(url.rpartition("/")[0], source.files, key.rpartition("/")[0])


def _local_name(name: str) -> str:
    """A name for a file on this machine; that of the URL, if a disk can have it."""
    return _UNSAFE.sub("_", unquote(name))[-_MOST_CHARACTERS:].lstrip(".") or "clip"


@dataclass(frozen=True)
class _Copies:
    """The copies of files of one folder at a URL.

    query: that of a file on a web server, which tells files of one name apart.
    """

    source: Connection
    query: str = ""

    @property
    def root(self) -> Path:
        """The folder in the cache: the copies, the versions that they are of, and the lock."""
        digest = hashlib.sha256(f"{self.source.url}?{self.query}".encode()).hexdigest()[:12]
        return copies_folder() / digest

    @property
    def content(self) -> Path:
        """The folder of the copies; it has the name of the folder that they are of."""
        folder = self.root / (_local_name(file_name(self.source.url)) or "files")
        register_copy(folder, self.source.url)
        return folder

    def update_file(self, source: Connection, facts: RemoteFile) -> None:
        """Read one file if there is no copy of this version."""
        with self._locked() as versions:
            if self._has(facts, versions):
                return
            trim_copies(facts.size or 0, keep=self.root)
            progress = TransferProgress(source.url, "reading", facts.size)
            versions.pop(facts.name, None)
            read_file(source, facts, self.content / facts.name, progress)
            again = file_facts(source)
            if again is None or replace(again, name=facts.name) != facts:
                raise InputError(
                    f"{source.url}: changes while it is read; wait until it is complete"
                )
            versions[facts.name] = facts.version

    def update(self, files: Sequence[RemoteFile], pattern: str = "") -> None:
        """Read the files of a folder that have no copy of their version; drop what is gone."""
        with self._locked() as versions:
            names = {file.name for file in files}
            if not pattern:
                for path in self.content.iterdir():
                    if path.name not in names:
                        path.unlink()
                        versions.pop(path.name, None)
            missing = [file for file in files if not self._has(file, versions)]
            total = sum(file.size or 0 for file in missing)
            trim_copies(total, keep=self.root)
            progress = TransferProgress(self.source.url, "reading", total)

            def read(file: RemoteFile) -> RemoteFile:
                target = self.content / file.name
                read_file(self.source.child(file.name), file, target, progress)
                return file

            with ThreadPoolExecutor(_FILES_AT_ONCE, "kadr-read") as pool:
                try:
                    for file in pool.map(read, missing):
                        versions[file.name] = file.version
                except BaseException:
                    pool.shutdown(cancel_futures=True)
                    raise

    def _has(self, file: RemoteFile, versions: dict[str, str]) -> bool:
        path = self.content / file.name
        is_same = bool(file.version) and versions.get(file.name) == file.version
        return is_same and path.is_file() and path.stat().st_size == file.size

    @contextlib.contextmanager
    def _locked(self) -> Iterator[dict[str, str]]:
        """The version of each copy, which is stored at the end; other processes wait."""
        with wait_for_lock(self.root):
            self.content.mkdir(exist_ok=True)
            record = self.root / "versions.json"
            versions = dict(read_json_object(record))
            try:
                yield versions
            finally:
                write_json_object(record, versions)


def copies_folder() -> Path:
    """Where copies of what is at URLs are kept. It need not exist yet."""
    return cache_root() / "remote"


def trim_copies(needed: int = 0, *, keep: Path | None = None) -> None:
    """Delete copies that were not used for long, and the oldest until ``needed`` bytes fit in.

    What may still be read stays, and so does ``keep``.
    """
    folders = copies_folder()
    if not folders.is_dir():
        return
    _remove_abandoned(folders)
    dated = sorted(
        (record.stat().st_mtime, record.parent) for record in folders.glob("*/versions.json")
    )
    sizes = {folder: _bytes_in(folder) for _, folder in dated}
    total, now = sum(sizes.values()) + needed, time.time()
    for last_used, folder in dated:
        age = now - last_used
        is_old = age > MOST_DAYS * 24 * 3600 or (total > MOST_BYTES and age > _IN_USE_SECONDS)
        if folder == keep or not is_old:
            continue
        with contextlib.suppress(OutputError), lock_folder(folder):  # another kadr may use it
            for path in folder.iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
            (folder / "versions.json").unlink(missing_ok=True)
            total -= sizes[folder]


def _remove_abandoned(folder: Path) -> None:
    """Delete what writers of this folder left that were killed."""
    for path in folder.iterdir():
        is_old = time.time() - path.stat().st_mtime > _IN_USE_SECONDS
        if is_old and TEMPORARY_NAME.fullmatch(path.name) and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
