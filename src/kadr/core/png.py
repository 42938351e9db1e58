"""Add a text entry to the bytes of a PNG file, and list its chunks."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_END = b"\0\0\0\0IEND\xaeB`\x82"
TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")


def with_text(png: bytes, name: str, text: str) -> bytes:
    """The same PNG with ``text`` stored under ``name`` right after IHDR; replaces an older entry.

    Raises ValueError for bytes that are not a PNG.
    """
    if not png.startswith(SIGNATURE):
        raise ValueError("expected the bytes of a PNG file")
    pieces = [SIGNATURE]
    for kind, body in png_chunks(png):
        if kind in TEXT_CHUNKS and body.split(b"\0", 1)[0] == name.encode("latin-1"):
            continue
        pieces.append(png_chunk(kind, body))
        if kind == b"IHDR":
            pieces.append(text_chunk(name, text))
    return b"".join(pieces)


def text_chunk(name: str, text: str) -> bytes:
    """A tEXt chunk if Latin-1 can encode the text, else an iTXt chunk in UTF-8 (PNG 11.3.3)."""
    key = name.encode("latin-1")
    try:
        return png_chunk(b"tEXt", key + b"\0" + text.encode("latin-1"))
    except UnicodeEncodeError:
        return png_chunk(b"iTXt", key + b"\0\0\0\0\0" + text.encode())


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk with its length and checksum."""
    check = zlib.crc32(body, zlib.crc32(kind))
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(kind, body) of every complete chunk."""
    offset = len(SIGNATURE)
    while offset + 12 <= len(data):
        length = int.from_bytes(data[offset : offset + 4], "big")
        yield data[offset + 4 : offset + 8], data[offset + 8 : offset + 8 + length]
        offset += 12 + length


def is_intact_png(data: bytes) -> bool:
    """Whether the bytes are a PNG whose chunks are all complete and fit their checksums."""
    offset, view = len(SIGNATURE), memoryview(data)
    if not data.startswith(SIGNATURE):
        return False
    while offset < len(data):
        end = offset + 8 + int.from_bytes(view[offset : offset + 4], "big")
        check = int.from_bytes(view[end : end + 4], "big")
        if end + 4 > len(data) or zlib.crc32(view[offset + 4 : end]) != check:
            return False
        offset = end + 4
    return True


def is_complete_png(data: bytes) -> bool:
    """Whether the last chunk of a PNG is there; other data may follow it."""
    if data.endswith(_END):
        return True
    return any(kind == b"IEND" for kind, _ in png_chunks(data))
