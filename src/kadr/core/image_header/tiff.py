"""Read the first directory of a TIFF or BigTIFF file; EXIF data have the same layout."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Sequence
from typing import BinaryIO

from kadr.core.colour_space import BROKEN
from kadr.core.image_header.header import HeaderError, ImageHeader

_MOST_BYTES = 1 << 24
"""Bytes of one tag's values that are read."""

# numbers of tags
_WIDTH, _LENGTH, _BITS, _PHOTOMETRIC, _ORIENTATION, _SAMPLES = 256, 257, 258, 262, 274, 277
_TILE_WIDTH, _TILE_LENGTH, _EXTRA_SAMPLES, _SAMPLE_FORMAT, _PROFILE = 322, 323, 338, 339, 34675
_USED = frozenset(
    {_WIDTH, _LENGTH, _BITS, _PHOTOMETRIC, _ORIENTATION, _SAMPLES, _TILE_WIDTH, _TILE_LENGTH}
    | {_EXTRA_SAMPLES, _SAMPLE_FORMAT, _PROFILE}
)
# struct letters of values, by the number of their type
_TYPES = {1: "B", 2: "B", 3: "H", 4: "I", 5: "Q", 6: "b", 7: "B", 8: "h", 9: "i", 10: "q"}
_TYPES |= {11: "f", 12: "d", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_INTEGERS = "BHIQ"

_GRAY, _RGB, _PALETTE, _CMYK, _YCBCR, _LAB = (0, 1), 2, 3, 5, 6, (8, 9, 10)
_FLOAT = 3


def read_tiff_header(file: BinaryIO) -> ImageHeader:
    """The header of a TIFF's first page. Raises HeaderError if it is damaged."""
    tags, pages = _read_tags(file)

    def value(tag: int, default: int) -> int:
        return (tags.get(tag) or (default,))[0]

    width, height = value(_WIDTH, 0), value(_LENGTH, 0)
    # decoders hold whole tiles, which may be larger than the picture
    tile_width, tile_length = value(_TILE_WIDTH, 1), value(_TILE_LENGTH, 1)
    padded = (max(width, tile_width), max(height, tile_length))
    samples, bits = value(_SAMPLES, 1), max(tags.get(_BITS) or (1,))
    extra = tags.get(_EXTRA_SAMPLES, ())
    mode = _mode(value(_PHOTOMETRIC, 1), samples - len(extra), bits)
    has_alpha = bool(extra and extra[0] in (1, 2)) or (mode == "RGB" and samples == 4)
    is_float = _FLOAT in tags.get(_SAMPLE_FORMAT, ())
    return ImageHeader(
        type="TIFF",
        width=width,
        height=height,
        decoded_size=padded,
        mode="F" if is_float else f"{mode}A" if has_alpha and mode in ("L", "P", "RGB") else mode,
        bits=bits if bits > 8 else 8,
        has_alpha=has_alpha,
        has_extra_samples=bool(extra),
        orientation=_orientation(tags),
        profile=bytes(tags[_PROFILE]) or BROKEN if _PROFILE in tags else None,
        pages=pages,
    )


def exif_orientation(exif: bytes) -> int:
    """The orientation in EXIF data, 1–8; 1 (upright) if there is none or they are damaged."""
    try:
        tags, _ = _read_tags(io.BytesIO(exif.removeprefix(b"Exif\0\0")))
    except HeaderError:
        return 1
    return _orientation(tags)


def _orientation(tags: dict[int, Sequence[int]]) -> int:
    orientation = (tags.get(_ORIENTATION) or (1,))[0]
    return orientation if 1 <= orientation <= 8 else 1


def _mode(photometric: int, colours: int, bits: int) -> str:
    """Pillow's name of the colour model."""
    if photometric in _GRAY:
        return "1" if bits == 1 else "I;16" if bits == 16 and colours == 1 else "L"
    names = {_RGB: "RGB", _PALETTE: "P", _CMYK: "CMYK", _YCBCR: "RGB", **dict.fromkeys(_LAB, "LAB")}
    return names.get(photometric, f"photometric {photometric}")


def _read_tags(file: BinaryIO) -> tuple[dict[int, Sequence[int]], int]:
    """The integers of each tag that is used here, and 1 or, if more pages follow, 2."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        raise HeaderError("it is no TIFF")
    try:
        is_big = struct.unpack(f"{order}H", head[2:4]) == (43,)
        start = struct.unpack(f"{order}{'Q' if is_big else 'I'}", head[8:] if is_big else head[4:8])
        file.seek(min(start[0], size))
        return _read_directory(file, size, order, is_big)
    except struct.error as error:
        raise HeaderError("its directory is cut off") from error


def _read_directory(
    file: BinaryIO, size: int, order: str, is_big: bool
) -> tuple[dict[int, Sequence[int]], int]:
    count_format, entry_format = ("Q", "HHQ8s") if is_big else ("H", "HHI4s")
    (count,) = struct.unpack(order + count_format, file.read(struct.calcsize("<" + count_format)))
    entry_size = struct.calcsize("<" + entry_format)
    if count * entry_size > size:
        raise HeaderError("its directory is longer than the file")
    entries = file.read(count * entry_size)
    following = file.read(8 if is_big else 4).strip(b"\0")
    tags, total = dict[int, Sequence[int]](), 0
    for tag, type_, values, field in struct.iter_unpack(order + entry_format, entries):
        letter = _TYPES.get(type_, "B")
        length = values * struct.calcsize("<" + letter)
        total += length if length > len(field) else 0
        if tag not in _USED or letter not in _INTEGERS or not values:
            continue
        if length > _MOST_BYTES:
            tags[tag] = ()
            continue
        data = field[:length]
        if length > len(field):
            (offset,) = struct.unpack(f"{order}{'Q' if is_big else 'I'}", field)
            file.seek(min(offset, size))
            data = file.read(length)
        # bytes are integers as they are; a profile would be a long tuple
        is_bytes = letter == "B" and len(data) == length
        tags.setdefault(tag, data if is_bytes else struct.unpack(f"{order}{values}{letter}", data))
    # tags that share their bytes would make a decoder read the file many times over
    if total > size:
        raise HeaderError("its tags are longer than the file")
    return tags, 2 if following else 1
