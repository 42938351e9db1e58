"""Read the generation parameters in image files, and store them in a PNG."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from kadr.core.png import SIGNATURE, TEXT_CHUNKS, png_chunks, with_text
from kadr.errors import InputError
from kadr.image_files import read_image_bytes
from kadr.stylize.infotext import PARAMETERS, Infotext, parse_infotext

_MOST_TEXT = 1 << 24
"""Bytes that a compressed text may expand to; more is an attack, not a prompt."""

_MOST_CHARACTERS = 1 << 20

_EXIF_POINTER, _USER_COMMENT = 0x8769, 0x9286
_JPEG_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
"""JPEG markers without a length field."""


def read_infotext(path: Path) -> Infotext:
    """The generation parameters of a PNG, JPEG or WebP file.

    Raises InputError if the file cannot be read or has none.
    """
    return infotext_of(read_image_bytes(path), path)


def infotext_of(data: bytes, path: Path) -> Infotext:
    """The generation parameters in a file's bytes. Raises InputError if there are none."""
    text = parameters_text(data)
    if text is None:
        raise InputError(
            f"{path}: has no generation parameters; expected a PNG, JPEG or WebP as written by "
            "kadr or A1111, not one that another program saved again"
        )
    if len(text) > _MOST_CHARACTERS:
        raise InputError(
            f"{path}: generation parameters of {len(text)} characters; kadr reads up to "
            f"{_MOST_CHARACTERS}"
        )
    return parse_infotext(text)


def parameters_text(data: bytes) -> str | None:
    """The parameters text in the bytes of a PNG, JPEG or WebP; None if there is none."""
    if data.startswith(SIGNATURE):
        return png_text(data, PARAMETERS)
    if data.startswith(b"\xff\xd8"):
        return _user_comment(_jpeg_exif(data))
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _user_comment(_webp_exif(data))
    return None


def embed_parameters(png: bytes, text: str) -> bytes:
    """The same PNG with ``text`` as its parameters; they replace those that it had.

    Raises ValueError for bytes that are not a PNG.
    """
    return with_text(png, PARAMETERS, text)


def png_text(png: bytes, text_name: str) -> str | None:
    """The text with a name in the bytes of a PNG; None if there is none."""
    for kind, body in png_chunks(png):
        name, nul, rest = body.partition(b"\0")
        if kind not in TEXT_CHUNKS or name != text_name.encode() or not nul:
            continue
        if kind == b"tEXt":
            return rest.decode("latin-1")
        if kind == b"zTXt":
            return _decompress(rest[1:]).decode("latin-1")
        # iTXt: compressed or not, method, language, translated name, text
        text = rest[2:].split(b"\0", 2)[-1]
        return (_decompress(text) if rest[:1] == b"\x01" else text).decode("utf-8", "replace")
    return None


def _decompress(compressed: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(compressed, _MOST_TEXT)
    except zlib.error:
        return b""


def _jpeg_exif(data: bytes) -> bytes:
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF or marker in _JPEG_STANDALONE:
            position += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        body = data[position + 4 : position + 2 + length]
        if marker == 0xE1 and body.startswith(b"Exif\0\0"):
            return body[6:]
        if marker == 0xDA:  # the image data begin
            break
        position += 2 + length
    return b""


def _webp_exif(data: bytes) -> bytes:
    position = 12
    while position + 8 <= len(data):
        length = int.from_bytes(data[position + 4 : position + 8], "little")
        if data[position : position + 4] == b"EXIF":
            return data[position + 8 : position + 8 + length].removeprefix(b"Exif\0\0")
        position += 8 + length + length % 2
    return b""


def _user_comment(exif: bytes) -> str | None:
    """The user comment in a TIFF block: first directory, its EXIF directory, the entry."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return None
    try:
        (first,) = struct.unpack_from(f"{order}I", exif, 4)
        _, pointer = _entry(exif, order, first, _EXIF_POINTER)
        (directory,) = struct.unpack(f"{order}I", pointer)
        count, offset = _entry(exif, order, directory, _USER_COMMENT)
        (start,) = struct.unpack(f"{order}I", offset)
    except (struct.error, KeyError):
        return None
    return _comment_text(exif[start : start + count], order)


def _entry(exif: bytes, order: str, directory: int, tag: int) -> tuple[int, bytes]:
    """An entry's count and its four bytes of value or offset; KeyError if it is missing."""
    (entries,) = struct.unpack_from(f"{order}H", exif, directory)
    for position in range(directory + 2, directory + 2 + 12 * entries, 12):
        entry_tag, _, count = struct.unpack_from(f"{order}HHI", exif, position)
        if entry_tag == tag:
            return count, exif[position + 8 : position + 12]
    raise KeyError(tag)


def _comment_text(comment: bytes, order: str) -> str | None:
    code, text = comment[:8], comment[8:]
    if code == b"UNICODE\0":
        return text.decode(_utf16(text, order), "replace").rstrip("\0") or None
    return text.rstrip(b"\0").decode("utf-8", "replace") or None


def _utf16(text: bytes, order: str) -> str:
    """Guess from which half of the units is mostly zero: writers ignore the file's byte order."""
    high_first, low_first = text[0::2].count(0), text[1::2].count(0)
    if high_first == low_first:
        return "utf-16-le" if order == "<" else "utf-16-be"
    return "utf-16-be" if high_first > low_first else "utf-16-le"
