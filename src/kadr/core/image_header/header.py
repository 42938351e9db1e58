"""What an image file says about itself before its pixels: type, size, depth, colour, frames."""

from __future__ import annotations

from dataclasses import dataclass


class HeaderError(Exception):
    """A header is damaged; the text says how. ``read_header`` turns it into InputError."""


@dataclass(frozen=True)
class ImageHeader:
    """The header of one image file.

    type: PNG, JPEG, WebP, TIFF, BMP, GIF or AVIF. width, height: as stored, before it is turned.
    mode: Pillow's name of the colour model. bits: of a channel in memory. frames: of an animation;
    of a GIF 1, since they must be counted. orientation: EXIF's, 1–8.
    profile: an ICC profile; None for sRGB, empty if it is broken.
    decoded_size: what a decoder holds, if that is more than the picture.
    transparent_gray: the gray level that stands for transparent. pages: of a TIFF, 2 for more.
    """

    type: str
    width: int
    height: int
    mode: str
    bits: int
    has_alpha: bool
    frames: int = 1
    orientation: int = 1
    profile: bytes | None = None
    decoded_size: tuple[int, int] | None = None
    transparent_gray: int | None = None
    has_extra_samples: bool = False
    pages: int = 1

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the upright picture."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)
