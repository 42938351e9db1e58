"""Keep arrays between steps, each entry under a fingerprint of what it was made from."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from kadr.core.png_pixels import decode_png, encode_png
from kadr.errors import OutputError
from kadr.files import Sync, atomic_file
from kadr.storage.ownership import holds_file, refuse_links

Arrays = Mapping[str, NDArray[Any]]

_SUFFIX = ".zip"


class _End:
    """The last record of a zip file without a comment: a complete file ends with it."""

    mark = b"PK\x05\x06"
    size = 22


_log = logging.getLogger(__name__)


def fingerprint(step: str, version: int, *parts: object) -> str:
    """The name of a step's result: a hash of the step, its version and all that went in.

    parts: arrays (dtype, shape and bytes count), paths by their text, numbers, strings, None,
    dataclasses, and lists and mappings of these. Raises TypeError for anything else, whose text
    might change from run to run or leave out what matters.
    """
    digest = hashlib.sha256(f"{step}\x1f{version}".encode())
    for part in parts:
        digest.update(b"\x1e")
        digest.update(json.dumps(part, sort_keys=True, default=_plain).encode())
    return digest.hexdigest()[:32]


def _plain(value: object) -> object:
    """A value that JSON does not know, as one that it knows; distinct values stay distinct."""
    if isinstance(value, np.ndarray):
        data = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return {"array": data, "dtype": value.dtype.str, "shape": value.shape}
    if isinstance(value, np.generic):
        return {"number": repr(value.item()), "dtype": value.dtype.str}
    if isinstance(value, (Path, Fraction)):
        return {"path" if isinstance(value, Path) else "fraction": str(value)}
    if is_dataclass(value) and not isinstance(value, type):
        content = {item.name: getattr(value, item.name) for item in fields(value)}
        return {type(value).__name__: content}
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no fingerprint; pass its numbers, text or arrays")


class Store(Protocol):
    """Keeps arrays under fingerprints; ``get`` returns what was ``put``, bit for bit.

    A fingerprint may have parts that group entries: "propagate/0123…/000012".
    """

    def put(self, fingerprint: str, arrays: Arrays) -> None:
        """Keep ``arrays``; a second put under one fingerprint replaces the first."""
        ...

    def get(
        self, fingerprint: str, only: Collection[str] | None = None
    ) -> dict[str, NDArray[Any]] | None:
        """The entry's arrays, or ``only`` some of them; None if there is no complete entry."""
        ...

    def has(self, fingerprint: str) -> bool:
        """Whether there is an entry; its arrays are not read."""
        ...

    def discard(self, fingerprint: str) -> None:
        """Remove one entry, if it is there."""
        ...


class MemoryStore:
    """A Store in memory; for tests and very short clips."""

    def __init__(self) -> None:
        self._entries: dict[str, dict[str, NDArray[Any]]] = {}

    def put(self, fingerprint: str, arrays: Arrays) -> None:
        """Keep copies of ``arrays``."""
        self._entries[fingerprint] = {name: array.copy() for name, array in arrays.items()}

    def get(
        self, fingerprint: str, only: Collection[str] | None = None
    ) -> dict[str, NDArray[Any]] | None:
        """Copies of the arrays, or None."""
        entry = self._entries.get(fingerprint)
        if entry is None:
            return None
        names = entry if only is None else [name for name in entry if name in only]
        return {name: entry[name].copy() for name in names}

    def has(self, fingerprint: str) -> bool:
        """Whether there is an entry."""
        return fingerprint in self._entries

    def discard(self, fingerprint: str) -> None:
        """Remove one entry, if it is there."""
        self._entries.pop(fingerprint, None)


class FolderStore:
    """A Store of one file an entry, written beside and renamed, with a checksum of each array.

    A file that exists is whole, except after a power cut or a fault of the disk: no entry waits for
    the disk. So ``get`` checks what it reads. Images are kept as PNG, which halves them at little
    cost; other arrays as they are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._truncated: set[Path] = set()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be made ({error.strerror})") from error

    def path(self, fingerprint: str) -> Path:
        """The file that holds an entry, or would."""
        parts = fingerprint.split("/")
        return self.folder.joinpath(*parts[:-1], f"{parts[-1]}{_SUFFIX}")

    def entry(self, path: Path) -> str:
        """The entry that a file below the folder holds: the inverse of ``path``."""
        return path.relative_to(self.folder).as_posix().removesuffix(_SUFFIX)

    def put(self, fingerprint: str, arrays: Arrays) -> None:
        """Write the entry whole or not at all.

        Raises OutputError, e.g. when the disk is full or a folder on the way is a link.
        """
        path = self.path(fingerprint)
        refuse_links(self.folder, path.parent)
        with (
            atomic_file(path, Sync.NOTHING) as temporary,
            zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive,
        ):
            for name, array in arrays.items():
                if _is_image(array):
                    archive.writestr(f"{name}.png", encode_png(array))
                else:
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                        np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)

    def get(
        self, fingerprint: str, only: Collection[str] | None = None
    ) -> dict[str, NDArray[Any]] | None:
        """Read the entry; one that cannot be read counts as missing and is logged."""
        path = self.path(fingerprint)
        if not path.exists():
            return None
        try:
            with zipfile.ZipFile(path) as archive:
                members = {name[:-4]: name for name in archive.namelist()}
                return {
                    name: _decode(archive, member)
                    for name, member in members.items()
                    if only is None or name in only
                }
        except Exception as error:  # zipfile, NumPy and OpenCV raise many kinds for bad bytes
            _log.warning("%s: damaged (%s); it will be made again", path, error)
            return None

    def has(self, fingerprint: str) -> bool:
        """Whether there is an entry whose file is not truncated."""
        path = self.path(fingerprint)
        try:
            with path.open("rb") as file:
                file.seek(-min(_End.size, path.stat().st_size), os.SEEK_END)
                complete = file.read(4) == _End.mark
        except OSError:
            return False
        if not complete and path not in self._truncated:
            self._truncated.add(path)
            _log.warning("%s: damaged, it was cut short; it will be made again", path)
        return complete

    def intact(self, fingerprint: str) -> bool:
        """Whether there is an entry whose bytes are as they were written; slower than ``has``."""
        try:
            with zipfile.ZipFile(self.path(fingerprint)) as archive:
                return archive.testzip() is None
        except Exception as error:  # zipfile raises many kinds for bad bytes
            _log.debug("%s: %s", self.path(fingerprint), error)
            return False

    def discard(self, fingerprint: str) -> None:
        """Remove one entry, if it is there, but nothing behind a link."""
        path = self.path(fingerprint)
        if holds_file(self.folder, path):
            path.unlink(missing_ok=True)


class WorkFolder:
    """A run's work folder: one that the user names is kept, a temporary one is deleted."""

    def __init__(self, folder: Path | None) -> None:
        self._named = folder
        self._temporary: Path | None = None

    def __enter__(self) -> Self:
        if self._named is None:
            self._temporary = Path(tempfile.mkdtemp(prefix="kadr-"))
        return self

    @property
    def folder(self) -> Path:
        """The folder; one that the user names need not exist yet."""
        folder = self._named or self._temporary
        assert folder is not None, "used outside its with block"
        return folder

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)


def _is_image(array: NDArray[Any]) -> bool:
    """Whether a PNG gives the array back as it is."""
    layout = array.shape[2:] in ((), (3,), (4,)) and array.ndim in (2, 3)
    return array.dtype in (np.uint8, np.uint16) and layout and array.size > 0


def _decode(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    if name.endswith(".png"):
        image = decode_png(archive.read(name))
        if image is None:
            raise ValueError(f"{name} is damaged")
        return image
    with archive.open(name) as member:
        array: NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
    return array
