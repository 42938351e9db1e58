"""A folder of finished frames, one PNG a frame, each with a mark of what it was made from.

The mark is a text chunk of the PNG: the fingerprint of what made the frame, the file's length, the
error, and a hash of the rest of the file. A file that does not fit its mark is damaged if it cannot
be decoded, and made again; else it was edited by hand, and is kept.
"""

from __future__ import annotations

import hashlib
import logging
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kadr.core.png import with_text
from kadr.core.png_pixels import encode_png
from kadr.errors import InputError
from kadr.files import FileFacts, Sync, atomic_file, file_digest, sync_folder, write_error
from kadr.image_files import decode_image, read_image

_KEYWORD = b"kadr"
_AFTER_HEADER = 33
"""Bytes of a PNG's signature and first chunk. The mark follows, so one short read finds it."""
_MOST_TEXT = 256
_DIGITS = 32
"""Of the hash in the mark."""
_SIGNATURE = b"\x89PNG"
_END = b"\0\0\0\0IEND\xaeB`\x82"

_log = logging.getLogger(__name__)


class FrameState(Enum):
    """What the file of a frame is."""

    MISSING = "missing"
    CURRENT = "current"
    """Made by kadr from the same input and options: used as it is."""
    STALE = "stale"
    """Made by kadr from other input or options, or damaged: it may be replaced."""
    EDITED = "edited"
    """Edited or put there by hand: it is kept."""


@dataclass(frozen=True)
class _Mark:
    """The mark in a frame's file."""

    made_by: str
    length: int
    error: float
    digest: str = ""
    """Of the file without the mark; "" in files of versions that did not write it."""


class FrameFolder:
    """A folder of finished frames. ``stem(index)`` names the file of a frame."""

    def __init__(self, folder: Path, stem: Callable[[int], str]) -> None:
        self.folder, self._stem = folder, stem
        self._checked: dict[int, tuple[FileFacts, _Mark | FrameState]] = {}
        """By frame: the facts of its file when it was read, and its mark or else its state."""

    def path(self, index: int) -> Path:
        """The file of a frame."""
        return self.folder / f"{self._stem(index)}.png"

    def put(
        self,
        index: int,
        image: NDArray[np.uint8],
        made_by: str,
        error: float,
        texts: Mapping[str, str] | None = None,
    ) -> None:
        """Write a frame, (H, W, 3 or 4) or gray (H, W), uint8, whole or not at all.

        It survives a power cut for certain only after ``sync``, which many frames may share.
        made_by: a fingerprint. error: 0–1, the share of the frame that no key explains. texts:
        other text chunks of the file, by keyword.
        Raises OutputError, e.g. when the disk is full.
        """
        content = encode_png(image)
        for name, text in (texts or {}).items():
            content = with_text(content, name, text)
        mark = _Mark(made_by, 0, error, hashlib.sha256(content).hexdigest()[:_DIGITS])
        chunk = _chunk(replace(mark, length=len(content) + len(_chunk(mark))))
        with atomic_file(self.path(index), Sync.CONTENT) as temporary:
            temporary.write_bytes(content[:_AFTER_HEADER] + chunk + content[_AFTER_HEADER:])

    def sync(self) -> None:
        """Return when the names of all frames that were put are on the disk. Raises OutputError."""
        try:
            if self.folder.is_dir():
                sync_folder(self.folder)
        except OSError as error:
            raise write_error(self.folder, error) from error

    def find(self, index: int, made_by: str) -> FrameState:
        """The state of a frame's file, for a frame with the fingerprint ``made_by``."""
        mark = self._mark(index)
        if isinstance(mark, FrameState):
            return mark
        return FrameState.CURRENT if mark.made_by == made_by else FrameState.STALE

    def is_marked(self, path: Path) -> bool:
        """Whether a file, of whatever frame, is as kadr wrote it."""
        return isinstance(_check(path), _Mark)

    def error(self, index: int) -> float | None:
        """The error in a frame's mark, 0–1; None if there is no file or no mark."""
        mark = _read_mark(self.path(index))
        return None if mark is None else mark.error

    def content(self, index: int) -> str:
        """A hash of what the file of a frame holds, or "" if there is none."""
        mark = self._mark(index)
        if mark is FrameState.MISSING:
            return ""
        return mark.digest if isinstance(mark, _Mark) else file_digest(self.path(index))

    def _mark(self, index: int) -> _Mark | FrameState:
        """The mark of a frame's file, or else its state."""
        try:
            facts = FileFacts.of(self.path(index).stat())
        except OSError:
            return FrameState.MISSING
        checked = self._checked.get(index)
        if checked is None or checked[0] != facts:
            # while the facts stay, so does the file: it is read once
            checked = self._checked[index] = (facts, _check(self.path(index)))
        return checked[1]

    def get(self, index: int, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Read a frame back, (H, W, 3 or 4) uint8.

        size: the (width, height) it must have. Raises InputError naming the file if it is damaged
        or has another size, as a file edited by hand may.
        """
        path = self.path(index)
        image = read_image(path)
        if (image.shape[1], image.shape[0]) != size:
            raise InputError(
                f"{path}: {image.shape[1]}×{image.shape[0]} pixels, expected {size[0]}×{size[1]}; "
                "delete it to have it made again"
            )
        if image.dtype != np.uint8:
            raise InputError(f"{path}: {image.dtype} pixels, expected 8 bits; save it as 8-bit PNG")
        return image.astype(np.uint8, copy=False)


def _chunk(mark: _Mark) -> bytes:
    """A tEXt chunk (PNG specification 11.3.3.2) of a fixed length for a given ``made_by``."""
    text = f"{mark.made_by} {mark.length:012d} {mark.error:.6f} {mark.digest}"
    data = _KEYWORD + b"\0" + text.encode("latin-1")
    typed = b"tEXt" + data
    return struct.pack(">I", len(data)) + typed + struct.pack(">I", zlib.crc32(typed))


def _check(path: Path) -> _Mark | FrameState:
    """The mark of a file that is as kadr wrote it; else STALE for a damaged one, or EDITED."""
    try:
        content = path.read_bytes()
    except OSError:
        return FrameState.EDITED
    mark, stop = _parse_mark(content)
    if mark is not None and mark.length == len(content) and mark.digest:
        rest = hashlib.sha256(content[:_AFTER_HEADER])
        rest.update(memoryview(content)[stop:])
        if rest.hexdigest()[:_DIGITS] == mark.digest:
            return mark
    decoded = _can_be_decoded(path, content)
    if decoded and mark is not None and not mark.digest and mark.length == len(content):
        return mark
    cut_short = mark is not None and len(content) < mark.length and not content.endswith(_END)
    was_made = mark is not None or content.startswith(_SIGNATURE) or not content.strip(b"\0")
    if not was_made or (decoded and not cut_short):
        return FrameState.EDITED
    if cut_short or not content:
        _log.warning("%s: damaged, it was cut short; it will be made again", path)
    else:
        _log.warning("%s: damaged; it will be made again", path)
    return FrameState.STALE


def _can_be_decoded(path: Path, content: bytes) -> bool:
    try:
        decode_image(path, content)
    except InputError:
        return False
    return True


def _read_mark(path: Path) -> _Mark | None:
    try:
        with path.open("rb") as file:
            return _parse_mark(file.read(_AFTER_HEADER + _MOST_TEXT))[0]
    except OSError:
        return None


def _parse_mark(content: bytes) -> tuple[_Mark | None, int]:
    """The mark at its place in a file's content, and where its chunk ends; None if it has none."""
    start = _AFTER_HEADER + 8
    if content[start - 4 : start + 5] != b"tEXt" + _KEYWORD + b"\0":
        return None, _AFTER_HEADER
    (length,) = struct.unpack(">I", content[start - 8 : start - 4])
    mark_fields = content[start + 5 : start + length].decode("latin-1").split(" ")
    try:
        made_by, size, error, *digest = mark_fields
        return _Mark(made_by, int(size), float(error), *digest), start + length + 4
    except (ValueError, TypeError):
        return None, _AFTER_HEADER
