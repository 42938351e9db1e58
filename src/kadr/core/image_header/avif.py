"""Read the header of an AVIF file, through Pillow."""

from __future__ import annotations

from typing import Any, BinaryIO

from kadr.core.colour_space import profile_of_code_points
from kadr.core.image_header.header import HeaderError, ImageHeader
from kadr.core.image_header.tiff import exif_orientation

_MOST_HEADER = 1 << 16
"""Bytes in which the properties of the picture are expected."""


def open_avif(file: BinaryIO) -> Any:
    """An AVIF file as Pillow's image, not decoded. Raises HeaderError if Pillow cannot read it."""
    from PIL import features

    # older versions of Pillow, and some builds, do not have the library
    if not features.check("avif"):
        raise HeaderError("AVIF needs Pillow 11.3 or newer; update it, or save the image as PNG")
    from PIL.AvifImagePlugin import AvifImageFile

    file.seek(0)
    try:
        # not Image.open, whose own limit and warnings would contradict kadr's
        return AvifImageFile(file)
    except Exception as error:  # on hostile bytes the plugin raises more than it documents
        raise HeaderError(str(error) or type(error).__name__) from error


def read_avif_header(file: BinaryIO) -> ImageHeader:
    """The header of an AVIF. Raises HeaderError if it is damaged or cannot be read here."""
    image = open_avif(file)
    profile = image.info.get("icc_profile")
    if profile is None:
        file.seek(0)
        profile = _profile(file.read(_MOST_HEADER))
    return ImageHeader(
        type="AVIF",
        width=image.width,
        height=image.height,
        mode=image.mode,
        bits=8,
        has_alpha=image.mode == "RGBA",
        frames=max(image.n_frames, 1),
        orientation=exif_orientation(image.info.get("exif", b"")),
        profile=profile,
    )


def _profile(head: bytes) -> bytes | None:
    """The profile of the code points in the colour box; None for sRGB and where there is none."""
    start = head.find(b"colrnclx") + 8
    points = head[start : start + 4]
    if start < 8 or len(points) < 4:
        return None
    return profile_of_code_points(points[1], points[3])
