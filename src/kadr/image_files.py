"""Read and write image files.

All paths go through Python's file functions, so names with spaces, quotes, ``%`` and any alphabet
work on every system (OpenCV's readers fail on some of them). What may be read is decided from the
header, before anything is decoded.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.image_header.avif import open_avif
from kadr.core.image_header.header import ImageHeader
from kadr.core.image_header.jpeg import is_complete_jpeg
from kadr.core.image_header.read import READABLE_TYPES, is_image, read_header
from kadr.core.limits import check_file_bytes
from kadr.core.locations import is_below_url
from kadr.core.png import is_complete_png, with_text
from kadr.core.png_pixels import decode_png, encode_png
from kadr.core.to_srgb import Warn, cmyk_to_srgb, to_srgb
from kadr.errors import InputError, OutputError
from kadr.files import Sync, atomic_file

WRITABLE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"})
"""Suffixes of the image files that ``write_image`` writes."""

ALPHALESS_SUFFIXES = frozenset({".jpg", ".jpeg", ".bmp"})
"""Suffixes of the image files that ``write_image`` writes without alpha: BMP has no agreed one."""

DEEP_SUFFIXES = frozenset({".png", ".tif", ".tiff"})
"""Suffixes of the image files that ``write_image`` writes with 16 bits too."""

IMAGE_SUFFIXES = WRITABLE_SUFFIXES | {".avif", ".jfif", ".jpe"}
"""Suffixes of the image files that are read."""


_OPENCV_PIXELS = 1 << 30
"""Pixels that OpenCV decodes unless an environment variable of its own allows more."""

_Pixels: TypeAlias = NDArray[Any]

_log = logging.getLogger(__name__)


def read_image(path: Path, *, as_stored: bool = False) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Read one image file as (H, W, 3 or 4) upright sRGB(A), uint8 or uint16.

    Gray becomes RGB. as_stored: keep the numbers of the file, for masks and other images that hold
    no colours.
    Raises InputError naming the file if it is missing, not a still image, cut off, or beyond the
    limits (see ``kadr.core.limits``).
    """
    with _open_file(path) as file:
        header = read_header(path, file)
        _check_still(path, header)
        file.seek(0)
        data = file.read()
    return _decode(path, data, header, as_stored, _log_of(path))


def decode_image(
    name: object, data: bytes, *, as_stored: bool = False, warn: Warn | None = None
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Decode the bytes of an image file as ``read_image`` does; ``name`` begins the messages.

    warn: takes what to tell people about the image; None: it is logged.
    """
    check_file_bytes(name, len(data))
    header = read_header(name, io.BytesIO(data))
    _check_still(name, header)
    return _decode(name, data, header, as_stored, warn or _log_of(name))


def read_image_header(path: Path) -> ImageHeader:
    """The header of an image file, checked against the limits; nothing is decoded.

    Raises InputError as ``read_image``, but not for animations.
    """
    with _open_file(path) as file:
        return read_header(path, file)


def is_image_file(path: Path) -> bool:
    """Whether a file begins as an image of a type that is read, or as a GIF."""
    with _open_file(path) as file:
        return is_image(file)


def read_image_bytes(path: Path) -> bytes:
    """The bytes of an image file. Raises InputError if it is no regular file, or too large."""
    with _open_file(path) as file:
        return file.read()


@contextlib.contextmanager
def _open_file(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file of an allowed size; pipes, devices and folders would not end."""
    if is_below_url(path):
        raise InputError(
            f"{path}: is a URL, which only clips, keys, masks and backgrounds may be; copy the "
            "file to this machine"
        )
    # without O_NONBLOCK opening a pipe waits for its other end
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        with open(os.open(path, flags), "rb") as file:  # noqa: PTH123 - Path.open takes no flags
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise InputError(f"{path}: is not a regular file; give an image file")
            check_file_bytes(path, status.st_size)
            yield file
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); give an image file"
        ) from error


def _check_still(name: object, header: ImageHeader) -> None:
    if header.type == "GIF" or header.frames > 1:
        kind = "a GIF" if header.type == "GIF" else f"an animated {header.type}"
        raise InputError(f"{name}: is {kind}, expected one still image; save the frame as PNG")


def _log_of(name: object) -> Warn:
    return lambda text: _log.warning("%s: %s", name, text)


def _decode(name: object, data: bytes, header: ImageHeader, as_stored: bool, warn: Warn) -> _Pixels:
    if header.pages > 1:
        warn("has several pages; the first is used")
    if header.mode in ("F", "LAB"):
        pixels = "float32 pixels" if header.mode == "F" else "CIELAB colours"
        raise InputError(f"{name}: {pixels}; expected 8 or 16 bits a channel, gray or RGB")
    if (header.type == "PNG" and not is_complete_png(data)) or (
        header.type == "JPEG" and not is_complete_jpeg(data)
    ):
        raise InputError(f"{name}: cut off, its end is missing; copy or save it again")
    image = _decode_as_rgb(name, data, header, as_stored, warn)
    if header.type != "TIFF":  # its decoders turn it themselves
        image = _turned(image, header.orientation)
    if (image.shape[1], image.shape[0]) != header.size:
        raise InputError(
            f"{name}: decoded to {image.shape[1]}×{image.shape[0]} pixels, its header says "
            f"{header.size[0]}×{header.size[1]}; save it again"
        )
    return np.ascontiguousarray(image)


def _decode_as_rgb(
    name: object, data: bytes, header: ImageHeader, as_stored: bool, warn: Warn
) -> _Pixels:
    """(H, W, 3 or 4) sRGB(A), not turned."""
    if header.mode == "CMYK":
        return cmyk_to_srgb(_decode_with_pillow(name, data, header), header.profile, warn)
    stored = _decode_channels(name, data, header)
    image = to_srgb(name, stored, None if as_stored else header.profile, warn)
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    if header.transparent_gray is not None and stored.ndim == 2:
        largest = np.iinfo(image.dtype).max
        alpha = np.where(stored == header.transparent_gray, 0, largest).astype(image.dtype)
        image = np.dstack([image, alpha])
    return image


def _decode_channels(name: object, data: bytes, header: ImageHeader) -> _Pixels:
    """(H, W) gray or (H, W, 3 or 4) RGB(A) of 8 or 16 bits, as stored."""
    # OpenCV multiplies the colours of a TIFF by its alpha, and leaves out the alpha of gray
    has_tiff_alpha = header.type == "TIFF" and header.has_extra_samples and header.has_alpha
    if header.type == "AVIF" or (has_tiff_alpha and header.bits == 8):
        mode = "RGBA" if header.has_alpha else "RGB"
        return np.asarray(_decode_with_pillow(name, data, header).convert(mode))
    quickly = decode_png(data) if header.type == "PNG" else None
    if quickly is not None:
        return quickly
    image = _decode_with_opencv(name, data, header)
    if image.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{name}: {image.dtype} pixels; expected 8 or 16 bits a channel")
    channels = image.shape[2] if image.ndim == 3 else 1
    if channels == 1:
        return image.reshape(image.shape[:2])
    if channels == 2:
        return image[..., [0, 0, 0, 1]]
    code = cv2.COLOR_BGRA2RGBA if channels == 4 else cv2.COLOR_BGR2RGB
    colours: _Pixels = cv2.cvtColor(image, code)
    return colours


def _decode_with_opencv(name: object, data: bytes, header: ImageHeader) -> NDArray[Any]:
    try:
        image: NDArray[Any] | None = cv2.imdecode(
            np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED
        )
    except cv2.error as error:
        if header.width * header.height > _OPENCV_PIXELS:
            raise InputError(
                f"{name}: OpenCV decodes at most {_OPENCV_PIXELS:,} pixels by itself; set "
                f"OPENCV_IO_MAX_IMAGE_PIXELS={header.width * header.height} in the environment too"
            ) from error
        raise InputError(f"{name}: cannot be decoded ({error.err}); save it again") from error
    if image is None:
        raise InputError(
            f"{name}: damaged or cut off, not an image that can be read; expected "
            f"{READABLE_TYPES}; save it again"
        )
    return image


def _decode_with_pillow(name: object, data: bytes, header: ImageHeader) -> Any:
    """Pillow's image, decoded; its plugins are called directly, since kadr's limits are checked."""
    from PIL.JpegImagePlugin import JpegImageFile
    from PIL.TiffImagePlugin import TiffImageFile

    openers: dict[str, Callable[[BinaryIO], Any]]
    openers = {"AVIF": open_avif, "JPEG": JpegImageFile, "TIFF": TiffImageFile}
    try:
        image = openers[header.type](io.BytesIO(data))
        image.load()
    # on damaged data the plugins raise more than OSError
    except Exception as error:
        raise InputError(f"{name}: cannot be decoded ({error}); save it again") from error
    return image


def _turned(image: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn and mirror an image as its EXIF orientation says."""
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return image


def over_black(image: NDArray[Any]) -> NDArray[Any]:
    """(H, W, 4) straight alpha, 8 or 16 bits → (H, W, 3), laid over black."""
    largest = np.iinfo(image.dtype).max
    product = image[..., :3].astype(np.uint32) * image[..., 3:]
    mixed: NDArray[Any] = ((product + largest // 2) // largest).astype(image.dtype)
    return mixed


def write_image(
    path: Path,
    image: NDArray[np.uint8] | NDArray[np.uint16],
    texts: Mapping[str, str] | None = None,
    sync: Sync = Sync.ALL,
) -> None:
    """Write (H, W, 3 or 4) RGB(A) or (H, W) gray to ``path`` by its suffix, whole or not at all.

    Alpha is laid over black where the file type has none (JPEG, BMP).
    texts: text entries of a PNG for other programs, by name; other file types ignore them.
    sync: what is on the disk at the end.
    """
    suffix = path.suffix.lower()
    if suffix not in WRITABLE_SUFFIXES:
        raise OutputError(f"{path}: unknown image type {suffix!r}; use .png, .jpg, .webp or .tif")
    if image.ndim == 3 and image.shape[2] == 4 and suffix in ALPHALESS_SUFFIXES:
        image = over_black(image)
    has_alpha = image.ndim == 3 and image.shape[2] == 4
    if has_alpha and image.dtype == np.uint8 and suffix in (".tif", ".tiff"):
        content = _encode_rgba_tiff(image.astype(np.uint8, copy=False))
    elif suffix == ".png":
        content = encode_png(image)
    else:
        content = _encode_with_opencv(path, image, suffix)
    if suffix == ".png":
        for name, text in (texts or {}).items():
            content = with_text(content, name, text)
    with atomic_file(path, sync) as temporary:
        temporary.write_bytes(content)


def _encode_with_opencv(path: Path, image: NDArray[Any], suffix: str) -> bytes:
    if image.ndim == 3:
        code = cv2.COLOR_RGBA2BGRA if image.shape[2] == 4 else cv2.COLOR_RGB2BGR
        image = cv2.cvtColor(image, code)
    options = {
        ".jpg": [cv2.IMWRITE_JPEG_QUALITY, 95],
        ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, 95],
        ".webp": [cv2.IMWRITE_WEBP_QUALITY, 101],  # over 100 is lossless
    }.get(suffix, ())
    success, data = cv2.imencode(suffix, image, options)
    if not success:
        raise OutputError(f"{path}: {image.shape} {image.dtype} cannot be stored as {suffix}")
    return bytes(data)


def _encode_rgba_tiff(image: NDArray[np.uint8]) -> bytes:
    """OpenCV does not say what the fourth channel is: other programs then take it for anything."""
    from PIL import Image as PillowImage

    file = io.BytesIO()
    predictor = {317: 2}  # differences of neighbours, which compress better
    PillowImage.fromarray(image).save(file, "TIFF", compression="tiff_lzw", tiffinfo=predictor)
    return file.getvalue()
