"""Read the chunks of a WebP file."""

from __future__ import annotations

import os
from typing import BinaryIO

from kadr.core.image_header.header import HeaderError, ImageHeader
from kadr.core.image_header.tiff import exif_orientation

_MOST_CHUNKS = 100_000
_MOST_BODY = 1 << 24
_ALPHA_FLAG, _ANIMATION_FLAG = 0x10, 0x02
_READ = {b"VP8X": 10, b"VP8 ": 10, b"VP8L": 5, b"ICCP": _MOST_BODY, b"EXIF": _MOST_BODY}
"""Chunks that are read, and how many of their bytes."""


def read_webp_header(file: BinaryIO) -> ImageHeader:
    """The header of a WebP. Raises HeaderError if it is damaged or cut off."""
    chunks, frames = _chunks(file)
    extended = chunks.get(b"VP8X", b"")
    has_alpha = bool(extended and extended[0] & _ALPHA_FLAG)
    if len(extended) == 10:
        width = int.from_bytes(extended[4:7], "little") + 1
        height = int.from_bytes(extended[7:10], "little") + 1
    elif len(lossless := chunks.get(b"VP8L", b"")) == 5 and lossless[0] == 0x2F:
        bits = int.from_bytes(lossless[1:], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        has_alpha = bool(bits >> 28 & 1)
    elif len(lossy := chunks.get(b"VP8 ", b"")) == 10 and lossy[3:6] == b"\x9d\x01\x2a":
        width = int.from_bytes(lossy[6:8], "little") & 0x3FFF
        height = int.from_bytes(lossy[8:10], "little") & 0x3FFF
    else:
        raise HeaderError("it has no picture")
    return ImageHeader(
        type="WebP",
        width=width,
        height=height,
        mode="RGBA" if has_alpha else "RGB",
        bits=8,
        has_alpha=has_alpha,
        frames=max(frames, 1) if extended and extended[0] & _ANIMATION_FLAG else 1,
        orientation=exif_orientation(chunks.get(b"EXIF", b"")),
        profile=chunks.get(b"ICCP"),
    )


def _chunks(file: BinaryIO) -> tuple[dict[bytes, bytes], int]:
    """The first chunk of each kind that is read, and the number of frames of an animation."""
    size = file.seek(0, os.SEEK_END)
    file.seek(4)
    end = int.from_bytes(file.read(4), "little") + 8
    if end > size:
        raise HeaderError(f"it ends after {size:,} of {end:,} bytes")
    chunks, frames, position = dict[bytes, bytes](), 0, 12
    for _ in range(_MOST_CHUNKS):
        if position + 8 > end:
            return chunks, frames
        file.seek(position)
        head = file.read(8)
        kind, length = head[:4], int.from_bytes(head[4:], "little")
        if kind in _READ:
            chunks.setdefault(kind, file.read(min(length, _READ[kind])))
        frames += kind == b"ANMF"
        position += 8 + length + length % 2
    raise HeaderError(f"it has more than {_MOST_CHUNKS} chunks")
