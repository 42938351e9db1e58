"""Image files in, the generation parameters that they carry out; and a PNG made to carry them."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from kadr.core.png import SIGNATURE, TEXT_CHUNKS, png_chunks, with_text
from kadr.errors import InputError
from kadr.stylize.infotext import KEY, Infotext, parse_infotext

_MOST_TEXT = 1 << 24
"""Bytes that a compressed text may unfold to; more is an attack, not a prompt."""

_EXIF_POINTER, _USER_COMMENT = 0x8769, 0x9286
_JPEG_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers of a JPEG that no length follows."""


def read_infotext(path: Path) -> Infotext:
    """The generation parameters of a PNG, JPEG or WebP file.

    Raises InputError if the file cannot be read or carries none.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); give an image that kadr or A1111 made"
        ) from error
    text = parameters_text(data)
    if text is None:
        raise InputError(
            f"{path}: carries no generation parameters; expected a PNG, JPEG or WebP as written "
            "by kadr or A1111, not one that another program saved again"
        )
    return parse_infotext(text)


def parameters_text(data: bytes) -> str | None:
    """The parameters text in the bytes of a PNG, JPEG or WebP; None if there is none."""
    if data.startswith(SIGNATURE):
        return _png_text(data)
    if data.startswith(b"\xff\xd8"):
        return _user_comment(_jpeg_exif(data))
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _user_comment(_webp_exif(data))
    return None


def embed_parameters(png: bytes, text: str) -> bytes:
    """The same PNG with ``text`` as its parameters, in place of any it had.

    Raises ValueError for bytes that are not a PNG.
    """
    return with_text(png, KEY, text)


def _png_text(data: bytes) -> str | None:
    for kind, body in png_chunks(data):
        name, nul, rest = body.partition(b"\0")
        if kind not in TEXT_CHUNKS or name != KEY.encode() or not nul:
            continue
        if kind == b"tEXt":
            return rest.decode("latin-1")
        if kind == b"zTXt":
            return _unfolded(rest[1:]).decode("latin-1")
        # iTXt: compressed or not, method, language, translated name, text
        text = rest[2:].split(b"\0", 2)[-1]
        return (_unfolded(text) if rest[:1] == b"\x01" else text).decode("utf-8", "replace")
    return None


def _unfolded(packed: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed, _MOST_TEXT)
    except zlib.error:
        return b""


def _jpeg_exif(data: bytes) -> bytes:
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF or marker in _JPEG_STANDALONE:
            at += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + length]
        if marker == 0xE1 and body.startswith(b"Exif\0\0"):
            return body[6:]
        if marker == 0xDA:  # the picture itself begins
            break
        at += 2 + length
    return b""


def _webp_exif(data: bytes) -> bytes:
    at = 12
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"EXIF":
            return data[at + 8 : at + 8 + length].removeprefix(b"Exif\0\0")
        at += 8 + length + length % 2
    return b""


def _user_comment(exif: bytes) -> str | None:
    """The comment in a TIFF block as EXIF nests it: first directory, its EXIF part, the entry."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return None
    try:
        (first,) = struct.unpack_from(f"{order}I", exif, 4)
        (nested,) = struct.unpack(f"{order}I", _entry(exif, order, first, _EXIF_POINTER)[1])
        count, where = _entry(exif, order, nested, _USER_COMMENT)
        (start,) = struct.unpack(f"{order}I", where)
    except (struct.error, KeyError):
        return None
    return _comment_text(exif[start : start + count], order)


def _entry(exif: bytes, order: str, directory: int, tag: int) -> tuple[int, bytes]:
    """An entry's count and its four bytes of value or offset; KeyError if it is not there."""
    (entries,) = struct.unpack_from(f"{order}H", exif, directory)
    for at in range(directory + 2, directory + 2 + 12 * entries, 12):
        found, _, count = struct.unpack_from(f"{order}HHI", exif, at)
        if found == tag:
            return count, exif[at + 8 : at + 12]
    raise KeyError(tag)


def _comment_text(comment: bytes, order: str) -> str | None:
    code, text = comment[:8], comment[8:]
    if code == b"UNICODE\0":
        return text.decode(_utf16(text, order), "replace").rstrip("\0") or None
    return text.rstrip(b"\0").decode("utf-8", "replace") or None


def _utf16(text: bytes, order: str) -> str:
    """Which half of each unit is mostly zero tells; writers disagree with the file's own order."""
    high_first, low_first = text[0::2].count(0), text[1::2].count(0)
    if high_first == low_first:
        return "utf-16-le" if order == "<" else "utf-16-be"
    return "utf-16-be" if high_first > low_first else "utf-16-le"
