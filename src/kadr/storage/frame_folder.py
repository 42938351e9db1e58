"""A folder of finished frames, one PNG a frame, each with a mark of what it was made from.

The mark is a text chunk of the PNG: the fingerprint of what made the frame, the file's length and
the error. A file whose mark or length does not fit was edited by hand; it is kept.
"""

from __future__ import annotations

import logging
import os
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.png import with_text
from kadr.errors import InputError
from kadr.files import atomic_file
from kadr.image_files import PNG_OPTIONS, read_image

_KEYWORD = b"kadr"
_AFTER_HEADER = 33
"""Bytes of a PNG's signature and first chunk. The mark follows, so one short read finds it."""
_MOST_TEXT = 256
_END = b"\0\0\0\0IEND\xaeB`\x82"

_log = logging.getLogger(__name__)


class FrameState(Enum):
    """What the file of a frame is."""

    MISSING = "missing"
    CURRENT = "current"
    """Made by kadr from the same input and options: used as it is."""
    STALE = "stale"
    """Made by kadr from other input or options: it may be replaced."""
    EDITED = "edited"
    """Edited or put there by hand: it is kept."""


@dataclass(frozen=True)
class _Mark:
    """The mark in a frame's file."""

    made_by: str
    length: int
    error: float


class FrameFolder:
    """A folder of finished frames. ``stem(index)`` names the file of a frame."""

    def __init__(self, folder: Path, stem: Callable[[int], str]) -> None:
        self.folder, self._stem = folder, stem

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
        """Write a frame, (H, W, 3 or 4) uint8, whole or not at all.

        made_by: a fingerprint. error: 0–1, the share of the frame that no key explains. texts:
        other text chunks of the file, by keyword.
        Raises OutputError, e.g. when the disk is full.
        """
        code = cv2.COLOR_RGBA2BGRA if image.shape[2] == 4 else cv2.COLOR_RGB2BGR
        encoded, png = cv2.imencode(".png", cv2.cvtColor(image, code), PNG_OPTIONS)
        if not encoded:
            raise ValueError(f"frame {index}: {image.shape} {image.dtype} cannot be stored as PNG")
        content = png.tobytes()
        for name, text in (texts or {}).items():
            content = with_text(content, name, text)
        chunk = _chunk(made_by, 0, error)
        chunk = _chunk(made_by, len(content) + len(chunk), error)
        with atomic_file(self.path(index)) as temporary, temporary.open("wb") as file:
            file.write(content[:_AFTER_HEADER])
            file.write(chunk)
            file.write(content[_AFTER_HEADER:])

    def find(self, index: int, made_by: str) -> FrameState:
        """The state of a frame's file, for a frame with the fingerprint ``made_by``."""
        path = self.path(index)
        try:
            length = path.stat().st_size
        except OSError:
            return FrameState.MISSING
        mark = _read_mark(path)
        if length == 0 or (mark is not None and length < mark.length and not _is_whole(path)):
            _log.warning("%s: damaged, it was cut short; it will be made again", path)
            return FrameState.STALE
        if mark is None or mark.length != length:
            return FrameState.EDITED
        return FrameState.CURRENT if mark.made_by == made_by else FrameState.STALE

    def error(self, index: int) -> float | None:
        """The error in a frame's mark, 0–1; None if there is no file or no mark."""
        mark = _read_mark(self.path(index))
        return None if mark is None else mark.error

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


def _chunk(made_by: str, length: int, error: float) -> bytes:
    """A tEXt chunk (PNG specification 11.3.3.2) of a fixed length for a given ``made_by``."""
    data = _KEYWORD + b"\0" + f"{made_by} {length:012d} {error:.6f}".encode("latin-1")
    typed = b"tEXt" + data
    return struct.pack(">I", len(data)) + typed + struct.pack(">I", zlib.crc32(typed))


def _is_whole(path: Path) -> bool:
    """Whether a PNG ends with its last chunk."""
    with path.open("rb") as file:
        file.seek(-len(_END), os.SEEK_END)
        return file.read() == _END


def _read_mark(path: Path) -> _Mark | None:
    try:
        with path.open("rb") as file:
            head = file.read(_AFTER_HEADER + _MOST_TEXT)
    except OSError:
        return None
    start = _AFTER_HEADER + 8
    if head[start - 4 : start + 5] != b"tEXt" + _KEYWORD + b"\0":
        return None
    (length,) = struct.unpack(">I", head[start - 8 : start - 4])
    mark_fields = head[start + 5 : start + length].decode("latin-1").split(" ")
    try:
        made_by, size, error = mark_fields
        return _Mark(made_by, int(size), float(error))
    except ValueError:
        return None
