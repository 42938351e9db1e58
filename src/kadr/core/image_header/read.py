"""Read the header of an image file by its content, and check it against the limits."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import BinaryIO

from kadr.core.image_header.avif import read_avif_header
from kadr.core.image_header.header import HeaderError, ImageHeader
from kadr.core.image_header.jpeg import read_jpeg_header
from kadr.core.image_header.png import read_png_header
from kadr.core.image_header.tiff import read_tiff_header
from kadr.core.image_header.webp import read_webp_header
from kadr.core.limits import check_animation, check_size
from kadr.errors import InputError

READABLE_TYPES = "PNG, JPEG, WebP, TIFF, BMP or AVIF"
"""The types of image files that are read, for messages."""

_AVIF_BRANDS = (b"avif", b"avis")
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")

_OTHER_TYPES = (
    (b"8BPS", "a Photoshop document"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?", "Radiance HDR"),
    (b"\0\0\x01\0", "an icon"),
    (b"gimp xcf", "a GIMP document"),
    (b"DDS ", "a DirectDraw surface"),
    (b"%PDF", "PDF"),
    (b"<?xml", "SVG or other XML"),
    (b"<svg", "SVG"),
    *((b"P%d" % number, "a portable pixmap") for number in range(1, 8)),
    (b"PF", "a portable float map"),
    (b"Pf", "a portable float map"),
)
"""Types that some decoder here would open, or that people have, by the bytes that they begin with.
They are refused by name."""


def read_header(name: object, file: BinaryIO) -> ImageHeader:
    """The header of an open image file; ``name`` begins the messages.

    Nothing is decoded. Raises InputError if it is none of READABLE_TYPES (or GIF), damaged, or
    beyond the limits.
    """
    file.seek(0)
    head = file.read(32)
    reader = _reader(head)
    if reader is None:
        raise InputError(
            f"{name}: {_other_type(head)} that can be read; expected {READABLE_TYPES}; "
            "save it as PNG"
        )
    try:
        header = reader(file)
    except (HeaderError, struct.error) as error:
        raise InputError(
            f"{name}: damaged or cut off ({error}), not an image that can be read; save it again"
        ) from error
    check_size(name, *(header.decoded_size or (header.width, header.height)))
    check_size(name, header.width, header.height)
    if header.frames > 1:
        size = file.seek(0, os.SEEK_END)
        check_animation(name, header.width, header.height, header.frames, size)
    return header


def is_image(file: BinaryIO) -> bool:
    """Whether an open file begins as one of READABLE_TYPES, or as a GIF."""
    file.seek(0)
    return _reader(file.read(32)) is not None


def _reader(head: bytes) -> Callable[[BinaryIO], ImageHeader] | None:
    """The function that reads the header of a file that begins with ``head``."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return read_png_header
    if head.startswith(b"\xff\xd8\xff"):
        return read_jpeg_header
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return read_webp_header
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return read_tiff_header
    if head.startswith(b"BM"):
        return _read_bmp_header
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return _read_gif_header
    return read_avif_header if _is_brand(head, _AVIF_BRANDS) else None


def _other_type(head: bytes) -> str:
    if _is_brand(head, _HEIF_BRANDS):
        return "HEIF, not an image"
    if head[4:8] == b"ftyp" or head[:4] == b"\x1aE\xdf\xa3":
        return "a video, not an image"
    for start, name in _OTHER_TYPES:
        if head.startswith(start):
            return f"{name}, not an image"
    return "not an image"


def _is_brand(head: bytes, brands: tuple[bytes, ...]) -> bool:
    """Whether a file of the ISO base format has one of the brands, first or compatible."""
    names = (head[8:12], *(head[start : start + 4] for start in range(16, 32, 4)))
    return head[4:8] == b"ftyp" and any(name in brands for name in names)


def _read_bmp_header(file: BinaryIO) -> ImageHeader:
    file.seek(0)
    head = file.read(30)
    (header_size,) = struct.unpack_from("<I", head, 14)
    if header_size == 12:  # OS/2
        width, height, _, depth = struct.unpack_from("<HHHH", head, 18)
    else:
        width, height, _, depth = struct.unpack_from("<iiHH", head, 18)
    mode = {1: "1", 4: "P", 8: "P"}.get(depth, "RGB")
    # rows of a negative height are stored from the top
    return ImageHeader("BMP", width, abs(height), mode, 8, has_alpha=False)


def _read_gif_header(file: BinaryIO) -> ImageHeader:
    file.seek(6)
    width, height = struct.unpack("<HH", file.read(4))
    return ImageHeader("GIF", width, height, "P", 8, has_alpha=False)
