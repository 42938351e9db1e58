"""Finished files of this machine in, the same files at a URL out: whole, and a manifest last.

An object appears under its name when all of it has arrived, so one that is cut short leaves nothing
there. A folder of images holds a mark until its manifest is written.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

from kadr.core.locations import mask_secrets
from kadr.errors import OutputError
from kadr.image_files import IMAGE_SUFFIXES
from kadr.remote.connection import Connection, connect
from kadr.remote.listing import file_name
from kadr.remote.manifest import MANIFEST, UNFINISHED, manifest_text
from kadr.remote.transfers import TransferProgress

_PART_BYTES = 8 << 20
_PARTS_AT_ONCE = 4
_MOST_PARTS = 9_000
"""Of one object; servers take 10 000."""
_FILES_AT_ONCE = 8


class Upload:
    """Where an output goes: a file, or a folder of images.

    Raises OutputError at once if it cannot be written: the bucket is missing or denied, or the
    output exists and ``overwrite`` is off. BackendError if a library is missing.
    """

    def __init__(self, url: str, *, folder: bool, overwrite: bool) -> None:
        if not url.startswith(("s3:", "gs:")):
            raise OutputError(
                f"{mask_secrets(url)}: web servers are only read from; write to s3:// or gs://, or "
                "to a path on this machine"
            )
        self._target = connect(url.rstrip("/"))
        if not file_name(self._target.url) or self._target.url.count("/") < 3:
            raise OutputError(f"{url}: names only a bucket; add a name, such as {url}/film.mp4")
        self._is_folder, self._overwrite = folder, overwrite
        self._check_free()

    @property
    def url(self) -> str:
        """The URL of the output."""
        return self._target.url

    def _check_free(self) -> set[str]:
        """The files in the folder. Raises OutputError if the output may not be written."""
        target = self._target
        with target.errors(OutputError):
            if self._is_folder:
                names = self._names()
                is_taken = UNFINISHED not in names and any(
                    PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES or name == MANIFEST
                    for name in names
                )
            else:
                names, is_taken = set(), target.exists()
            if not is_taken:
                # a missing bucket looks like a missing file
                target.files.info(target.bucket)
        if is_taken and not self._overwrite:
            raise OutputError(f"{target.url}: exists already; use --overwrite or another name")
        return names

    def _names(self) -> set[str]:
        """The names of the files in the folder; none if it does not exist."""
        try:
            entries = self._target.files.ls(self._target.key, detail=True, refresh=True)
        except FileNotFoundError:
            return set()
        return {file_name(entry["name"]) for entry in entries if entry["type"] == "file"}

    def send(self, files: Sequence[Path]) -> None:
        """Upload the one file, or all files of the folder; then the manifest.

        Raises OutputError if that fails; what was sent of a new output is removed then.
        """
        before = self._check_free()
        if self._is_folder:
            self._send_folder(files, before)
        else:
            self._send_file(files[0])

    def _send_file(self, file: Path) -> None:
        target = self._target
        manifest = Connection(f"{target.url}.{MANIFEST}", target.files, f"{target.key}.{MANIFEST}")
        progress = TransferProgress(target.url, "writing", file.stat().st_size)
        with target.errors(OutputError):
            if manifest.exists():
                target.files.rm_file(manifest.key)  # of the output that is replaced
            _put(target, file, progress)
            _put_text(manifest, manifest_text([file]))

    def _send_folder(self, files: Sequence[Path], before: set[str]) -> None:
        target = self._target
        progress = TransferProgress(target.url, "writing", sum(map(_size, files)))
        sent: list[Connection] = []

        def put(file: Path) -> None:
            sent.append(target.child(file.name))
            _put(sent[-1], file, progress)

        mark = target.child(UNFINISHED)
        with target.errors(OutputError), _removing(sent, keep=self._overwrite):
            _put_text(mark, "an upload of kadr; this folder is complete when this file is gone\n")
            sent.append(mark)
            if MANIFEST in before:
                target.files.rm_file(target.child(MANIFEST).key)
            with ThreadPoolExecutor(_FILES_AT_ONCE, "kadr-write") as pool:
                try:
                    list(pool.map(put, files))
                except BaseException:
                    pool.shutdown(cancel_futures=True)
                    raise
            self._remove_others(before, files)
            _put_text(target.child(MANIFEST), manifest_text(files))
            sent.append(target.child(MANIFEST))
            target.files.rm_file(mark.key)

    def _remove_others(self, before: set[str], files: Sequence[Path]) -> None:
        """Remove what an upload that was interrupted left, so that the folder holds one result."""
        if UNFINISHED not in before:
            return
        for name in before - {file.name for file in files} - {UNFINISHED, MANIFEST}:
            if PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES:
                self._target.files.rm_file(self._target.child(name).key)


@contextlib.contextmanager
def _removing(sent: Sequence[Connection], *, keep: bool) -> Iterator[None]:
    """Remove what was sent after an error; keep: it may have replaced what was there before."""
    try:
        yield
    except BaseException:
        for file in () if keep else reversed(sent):
            with contextlib.suppress(Exception):  # the network may be gone; the mark stays then
                file.files.rm_file(file.key)
        raise


def _put(target: Connection, file: Path, progress: TransferProgress) -> None:
    count = _size(file)
    options: dict[str, Any] = {"chunksize": max(_PART_BYTES, -(-count // _MOST_PARTS))}
    if target.scheme == "s3":
        options["max_concurrency"] = _PARTS_AT_ONCE
    target.files.put_file(str(file), target.key, **options)
    progress.add(count)


def _put_text(target: Connection, text: str) -> None:
    with tempfile.TemporaryDirectory(prefix="kadr-") as folder:
        file = Path(folder) / "text.json"
        file.write_text(text, encoding="utf-8")
        target.files.put_file(str(file), target.key)


def _size(file: Path) -> int:
    return file.stat().st_size
