"""Read and write image files.

All paths go through Python's file functions, so names with spaces, quotes, ``%`` and any alphabet
work on every system (OpenCV's readers fail on some of them).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.png import with_text
from kadr.errors import InputError, OutputError
from kadr.files import Sync, atomic_file

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"})

PNG_OPTIONS = (
    cv2.IMWRITE_PNG_COMPRESSION,
    1,
    cv2.IMWRITE_PNG_STRATEGY,
    cv2.IMWRITE_PNG_STRATEGY_RLE,
)
"""Options of OpenCV's writer: for painted frames twice as fast as its defaults, and smaller."""


def read_image(path: Path) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Read one image file as (H, W, 3 or 4) RGB(A), uint8 or uint16, EXIF orientation applied.

    Gray becomes RGB. Raises InputError naming the file if it is missing or not an image.
    """
    return decode_image(path, read_bytes(path))


def read_bytes(path: Path) -> bytes:
    """The content of an image file. Raises InputError naming the file if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); give an image file"
        ) from error


def decode_image(path: Path, content: bytes) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """The image in the content of a file, as ``read_image`` gives it; ``path`` is for messages."""
    data = np.frombuffer(content, np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    if image is None:
        raise InputError(
            f"{path}: not an image that can be read; expected PNG, JPEG, WebP, TIFF or BMP"
        )
    if image.ndim == 2 or image.shape[2] == 1:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    elif image.shape[2] == 4:
        return _checked(path, cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA))
    else:
        # IMREAD_UNCHANGED ignores EXIF orientation; a second decode with colour applies it
        if data[:2].tobytes() == b"\xff\xd8":
            image = cv2.imdecode(data, cv2.IMREAD_COLOR)
        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    return _checked(path, image)


def _checked(path: Path, image: NDArray[np.generic]) -> NDArray[np.uint8]:
    if image.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{path}: {image.dtype} pixels; expected 8 or 16 bits a channel")
    return np.ascontiguousarray(image)


def write_image(
    path: Path,
    image: NDArray[np.uint8] | NDArray[np.uint16],
    texts: Mapping[str, str] | None = None,
    sync: Sync = Sync.ALL,
) -> None:
    """Write (H, W, 3 or 4) RGB(A) or (H, W) gray to ``path`` by its suffix, whole or not at all.

    texts: text entries of a PNG for other programs, by name; other file types ignore them.
    sync: what is on the disk at the end.
    """
    suffix = path.suffix.lower()
    if suffix not in IMAGE_SUFFIXES:
        raise OutputError(f"{path}: unknown image type {suffix!r}; use .png, .jpg, .webp or .tif")
    if image.ndim == 3:
        code = cv2.COLOR_RGBA2BGRA if image.shape[2] == 4 else cv2.COLOR_RGB2BGR
        image = cv2.cvtColor(image, code)
    options = {
        ".png": PNG_OPTIONS,
        ".jpg": [cv2.IMWRITE_JPEG_QUALITY, 95],
        ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, 95],
        ".webp": [cv2.IMWRITE_WEBP_QUALITY, 101],  # over 100 is lossless
    }.get(suffix, ())
    success, data = cv2.imencode(suffix, image, options)
    if not success:
        raise OutputError(f"{path}: {image.shape} {image.dtype} cannot be stored as {suffix}")
    content = data.tobytes()
    if suffix == ".png":
        for name, text in (texts or {}).items():
            content = with_text(content, name, text)
    with atomic_file(path, sync) as temporary:
        temporary.write_bytes(content)
