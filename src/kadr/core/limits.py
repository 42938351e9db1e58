"""Decide from an image's or video's header, before it is decoded, whether it may be read.

One number bounds everything: the most pixels of one picture. It is read from the environment at
each check, so a test or a program can change it at any time.
"""

from __future__ import annotations

import os

from kadr.core.formatting import size
from kadr.errors import InputError, OptionsError

MAX_PIXELS_VARIABLE = "KADR_MAX_PIXELS"
"""The environment variable that replaces the default number of pixels."""

_DEFAULT_PIXELS = 200_000_000
_MOST_PIXELS = 10**12
"""The largest value of the variable; a bound far above any machine's memory."""

# a picture's worth of pixels allows for this much else
_FILE_BYTES = 8
"""Bytes of a file per allowed pixel: RGBA of 16 bits, not compressed."""
_ANIMATION_BYTES = 5
"""Decoded bytes of an animation per allowed pixel: 1 GB by default."""
_PIXELS_PER_FRAME = 20_000
"""Allowed pixels per frame of an animation: 10,000 frames by default."""

_SMALLEST_FILE_LIMIT = 1 << 26
_BYTES_PER_FILE_BYTE = 1000
"""Decoded bytes that each byte of an animation's file may stand for, beyond the fixed budget."""


def max_pixels() -> int:
    """The most pixels that one picture may have.

    Raises OptionsError if the environment variable is not a whole number from 1.
    """
    text = os.environ.get(MAX_PIXELS_VARIABLE)
    if text is None or not text.strip():
        return _DEFAULT_PIXELS
    # int() would also read "1_000" and other alphabets' digits, and take long for a long text
    digits = text.strip()
    valid = digits.isascii() and digits.isdigit() and len(digits) <= len(str(_MOST_PIXELS))
    if not valid or not 1 <= int(digits) <= _MOST_PIXELS:
        raise OptionsError(
            f"{MAX_PIXELS_VARIABLE} {text[:40]!r}: expected a whole number of pixels from 1 to "
            f"{_MOST_PIXELS}, such as {_DEFAULT_PIXELS}; correct it in the environment"
        )
    return int(digits)


def max_file_bytes() -> int:
    """The most bytes that an image file may have."""
    return max(max_pixels() * _FILE_BYTES, _SMALLEST_FILE_LIMIT)


def check_size(name: object, width: int, height: int) -> None:
    """Raise InputError if a picture of ``name`` has no pixels or too many."""
    if width < 1 or height < 1:
        raise InputError(f"{name}: says that it is {width}×{height} pixels; save it again")
    limit = max_pixels()
    if width * height > limit:
        raise InputError(
            f"{name}: {width}×{height} pixels are more than the limit of {limit:,} pixels; "
            f"{_remedy(width * height)}"
        )


def check_animation(name: object, width: int, height: int, frames: int, file_bytes: int) -> None:
    """Raise InputError if an animated image has too many frames, or too many pixels in all.

    file_bytes: the size of its file. A few bytes must not stand for gigabytes; a long animation
    of a proportionate size is allowed.
    """
    check_size(name, width, height)
    limit = max_pixels()
    most_frames = max(limit // _PIXELS_PER_FRAME, 1)
    if frames > most_frames:
        raise InputError(
            f"{name}: {frames:,} frames are more than the limit of {most_frames:,} for an animated "
            f"image; {_remedy(frames * _PIXELS_PER_FRAME)}, or give a video"
        )
    decoded = width * height * 4 * frames
    most_bytes = limit * _ANIMATION_BYTES + file_bytes * _BYTES_PER_FILE_BYTE
    if decoded > most_bytes:
        raise InputError(
            f"{name}: {frames:,} frames of {width}×{height} pixels are {size(decoded)} "
            f"decoded, more than the limit of {size(most_bytes)} for an animated image of "
            f"its file's size; {_remedy(-(-decoded // _ANIMATION_BYTES))}, or give a video"
        )


def check_file_bytes(name: object, file_bytes: int) -> None:
    """Raise InputError if an image file is larger than any allowed picture."""
    limit = max_file_bytes()
    if file_bytes > limit:
        raise InputError(
            f"{name}: the file has {file_bytes:,} bytes, more than the limit of {limit:,} for an "
            f"image; {_remedy(-(-file_bytes // _FILE_BYTES))}"
        )


def _remedy(pixels: int) -> str:
    return f"if the file is right, set {MAX_PIXELS_VARIABLE}={pixels} in the environment"
