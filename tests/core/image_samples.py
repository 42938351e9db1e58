"""Image files of every type, and files that claim more than they hold, made byte by byte."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image as PillowImage

SIZE = (30, 20)
"""(width, height) of every sample."""


def encode(mode: str, image_type: str, **options: Any) -> bytes:
    """A sample in one of Pillow's modes as a file."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    rgba = np.stack([x * 8, y * 12, (x + y) * 5, 255 - x * 4], axis=-1).astype(np.uint8)
    image = PillowImage.fromarray(rgba)
    if mode in ("RGB", "CMYK", "L"):
        image = image.convert("RGB")
    file = io.BytesIO()
    image.convert(mode).save(file, image_type, **options)
    return file.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    """A PNG chunk."""
    check = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)


def png(
    width: int,
    height: int,
    rows: bytes = b"",
    *,
    depth: int = 8,
    colour: int = 2,
    chunks: bytes = b"",
    end: bytes = chunk(b"IEND", b""),
) -> bytes:
    """A PNG of a claimed size; ``rows`` are its filtered rows, ``chunks`` come before them."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + head + chunks + pixels + end


def gif(width: int, height: int, frames: int) -> bytes:
    """A GIF of a claimed size in which every frame is one pixel."""
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    control = b"\x21\xf9\x04\0\x0a\0\0\0"
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    return head + (control + frame) * frames + b"\x3b"


def jpeg(width: int, height: int) -> bytes:
    """A JPEG whose frame header claims a size."""
    data = encode("RGB", "JPEG")
    start = data.index(b"\xff\xc0") + 5
    return data[:start] + struct.pack(">HH", height, width) + data[start + 4 :]


def bmp(width: int, height: int) -> bytes:
    """A BMP that claims a size."""
    data = encode("RGB", "BMP")
    return data[:18] + struct.pack("<ii", width, height) + data[26:]


def webp(width: int, height: int) -> bytes:
    """A WebP whose canvas has a claimed size."""
    data = encode("RGBA", "WEBP", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0")
    start = data.index(b"VP8X") + 12
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return data[:start] + size + data[start + 6 :]


def tiff(width: int, height: int, *more: tuple[int, int], order: str = "<") -> bytes:
    """An 8-bit gray TIFF of a claimed size, with more (tag, value) pairs."""
    tags = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: height, 279: 4}
    tags |= dict(more)
    entries = b"".join(
        struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in sorted(tags.items())
    )
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 12) + b"\0\0\0\0"
    return head + struct.pack(order + "H", len(tags)) + entries + bytes(4)


def big_tiff(width: int, height: int) -> bytes:
    """A BigTIFF directory of a claimed size."""
    tags = {256: width, 257: height, 258: 8, 262: 1}
    entries = b"".join(struct.pack("<HHQQ", tag, 16, 1, value) for tag, value in tags.items())
    return b"II" + struct.pack("<HHHQQ", 43, 8, 0, 16, len(tags)) + entries + bytes(8)


SAMPLES = {
    "png": encode("RGB", "PNG"),
    "png-alpha": encode("RGBA", "PNG"),
    "png-palette": encode("P", "PNG"),
    "png-interlaced-chunks": png(
        2, 1, b"\0" + bytes(6), chunks=chunk(b"gAMA", struct.pack(">I", 100_000))
    ),
    "jpeg": encode("RGB", "JPEG", progressive=True),
    "jpeg-cmyk": encode("CMYK", "JPEG"),
    "webp": encode("RGB", "WEBP"),
    "webp-lossless": encode("RGBA", "WEBP", lossless=True),
    "webp-extended": webp(*SIZE),
    "tiff": encode("RGB", "TIFF"),
    "tiff-alpha": encode("RGBA", "TIFF", compression="tiff_lzw"),
    "tiff-cmyk": encode("CMYK", "TIFF"),
    "bmp": encode("RGB", "BMP"),
    "gif": gif(4, 4, 2),
}
"""Good files by name."""
