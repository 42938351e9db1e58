"""Read what stands before and behind the pixels of a PNG file: size, depth, colour, orientation."""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from kadr.core.colour_space import BROKEN, profile_of_chromaticities, profile_of_code_points
from kadr.core.image_header.header import HeaderError, ImageHeader
from kadr.core.image_header.tiff import exif_orientation
from kadr.core.png import SIGNATURE

_MOST_CHUNKS = 10_000
"""Chunks before the pixels; files have a few dozen at most."""
_MOST_BODY = 1 << 24
"""Bytes of a chunk that is read, and of a colour profile when it is decompressed."""
_TAIL = 1 << 17
"""Bytes at the end of a file in which metadata may follow the pixels."""

_READ = {b"IHDR", b"acTL", b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"eXIf", b"tRNS"}
_MODES = {0: "L", 2: "RGB", 3: "P", 4: "LA", 6: "RGBA"}
"""The names of colour types that Pillow uses too."""


def read_png_header(file: BinaryIO) -> ImageHeader:
    """The header of a PNG. Raises HeaderError if it is damaged."""
    chunks = dict[bytes, bytes]()
    for kind, body in _chunks_before_pixels(file):
        if not chunks and kind != b"IHDR":
            raise HeaderError("it does not begin with IHDR")
        chunks.setdefault(kind, body)
    if len(chunks.get(b"IHDR", b"")) != 13:
        raise HeaderError("it has no IHDR")
    width, height, depth, colour_type = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    mode = _MODES.get(colour_type)
    if mode is None or depth not in (1, 2, 4, 8, 16):
        raise HeaderError(f"colour type {colour_type} with {depth} bits is not defined")
    transparent = chunks.get(b"tRNS")
    return ImageHeader(
        type="PNG",
        width=width,
        height=height,
        mode={("L", 16): "I;16", ("L", 1): "1"}.get((mode, depth), mode),
        bits=16 if depth == 16 else 8,
        has_alpha=mode in ("LA", "RGBA") or transparent is not None,
        frames=_frames(chunks),
        orientation=exif_orientation(chunks.get(b"eXIf") or _late_exif(file)),
        profile=_profile(chunks),
        transparent_gray=_transparent_gray(mode, depth, transparent),
    )


def _chunks_before_pixels(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    file.seek(len(SIGNATURE))
    for _ in range(_MOST_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            raise HeaderError("it ends before its pixels")
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if kind in (b"IDAT", b"IEND"):
            return
        if kind in _READ and length <= _MOST_BODY:
            yield kind, file.read(length)
            file.seek(4, os.SEEK_CUR)
        else:
            # a profile too large to be read counts as broken
            yield kind, b""
            file.seek(length + 4, os.SEEK_CUR)
    raise HeaderError(f"more than {_MOST_CHUNKS} chunks come before its pixels")


def _frames(chunks: dict[bytes, bytes]) -> int:
    body = chunks.get(b"acTL", b"")
    return max(int.from_bytes(body[:4], "big"), 1) if len(body) == 8 else 1


def _late_exif(file: BinaryIO) -> bytes:
    """The body of an eXIf chunk behind the pixels, where some programs write it; else empty."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(end - _TAIL, 0))
    tail = file.read(_TAIL)
    for match in re.finditer(b"eXIf", tail):
        start = match.start()
        length = int.from_bytes(tail[max(start - 4, 0) : start], "big")
        stop = start + 4 + length
        # the four letters may also occur in other data
        if tail[stop : stop + 4] == zlib.crc32(tail[start:stop]).to_bytes(4, "big"):
            return tail[start + 4 : stop]
    return b""


def _transparent_gray(mode: str, depth: int, body: bytes | None) -> int | None:
    """The gray level, scaled as decoders scale pixels, that a tRNS chunk makes transparent."""
    if mode != "L" or body is None or len(body) != 2:
        return None
    level = int.from_bytes(body, "big") & ((1 << depth) - 1)
    return level if depth >= 8 else level * (255 // ((1 << depth) - 1))


def _profile(chunks: dict[bytes, bytes]) -> bytes | None:
    """An ICC profile of the colours; None for sRGB. The order is that of PNG's third edition."""
    if len(body := chunks.get(b"cICP", b"")) == 4:
        return profile_of_code_points(body[0], body[1])
    if b"iCCP" in chunks:
        return _inflated_profile(chunks[b"iCCP"])
    if b"sRGB" in chunks:
        return None
    gamma, chromaticities = chunks.get(b"gAMA", b""), chunks.get(b"cHRM", b"")
    return profile_of_chromaticities(
        [value / 100_000 for value in struct.unpack(">8I", chromaticities)]
        if len(chromaticities) == 32
        else None,
        int.from_bytes(gamma, "big") / 100_000 if len(gamma) == 4 else None,
    )


def _inflated_profile(body: bytes) -> bytes:
    _, _, rest = body.partition(b"\0")
    try:
        inflater = zlib.decompressobj()
        profile = inflater.decompress(rest[1:], _MOST_BODY)
    except zlib.error:
        return BROKEN
    return profile if inflater.eof else BROKEN
