"""Read the markers of a JPEG file up to its pixels."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

from kadr.core.image_header.header import HeaderError, ImageHeader
from kadr.core.image_header.tiff import exif_orientation

_MOST_MARKERS = 10_000
_START_OF_SCAN, _END = 0xDA, 0xD9
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers without a length."""
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers that begin a frame: size, depth and number of components."""
_PROFILE = b"ICC_PROFILE\0"
_MODES = {1: "L", 3: "RGB", 4: "CMYK"}


def read_jpeg_header(file: BinaryIO) -> ImageHeader:
    """The header of a JPEG. Raises HeaderError if it is damaged."""
    frame, exif, parts = b"", b"", dict[int, bytes]()
    for marker, body in _segments(file):
        if marker in _FRAMES:
            if frame:
                raise HeaderError("it has two frame headers")
            frame = body
        elif marker == 0xE1 and body.startswith(b"Exif\0\0"):
            exif = exif or body
        elif marker == 0xE2 and body.startswith(_PROFILE) and len(body) > 14:
            parts.setdefault(body[12], body[14:])
    if len(frame) < 6:
        raise HeaderError("it has no frame header")
    mode = _MODES.get(frame[5])
    if mode is None or frame[0] not in (8, 12):
        raise HeaderError(f"{frame[5]} components of {frame[0]} bits are not defined")
    return ImageHeader(
        type="JPEG",
        width=int.from_bytes(frame[3:5], "big"),
        height=int.from_bytes(frame[1:3], "big"),
        mode=mode,
        bits=8,
        has_alpha=False,
        orientation=exif_orientation(exif),
        profile=b"".join(parts[number] for number in sorted(parts)) if parts else None,
    )


def _segments(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """(marker, body) of the segments before the pixels."""
    file.seek(2)
    for _ in range(_MOST_MARKERS):
        marker = file.read(2)
        while marker == b"\xff\xff":  # fill bytes
            marker = b"\xff" + file.read(1)
        if len(marker) < 2 or marker[0] != 0xFF:
            raise HeaderError("it ends before its pixels")
        if marker[1] in (_START_OF_SCAN, _END):
            return
        if marker[1] in _STANDALONE:
            continue
        length = int.from_bytes(file.read(2), "big")
        if length < 2:
            raise HeaderError("it ends before its pixels")
        body = file.read(length - 2)
        if len(body) < length - 2:
            raise HeaderError("it ends before its pixels")
        yield marker[1], body
    raise HeaderError(f"more than {_MOST_MARKERS} markers come before its pixels")


def is_complete_jpeg(data: bytes) -> bool:
    """Whether the mark of the end follows the first pixels, in which it cannot occur."""
    file = io.BytesIO(data)
    for _ in _segments(file):
        pass
    return data.find(bytes((0xFF, _END)), file.tell() - 2) >= 0
