"""Read and write image files, and write any file completely or not at all.

All paths go through Python's file functions, so names with spaces, quotes, ``%`` and any alphabet
work on every system (OpenCV's readers fail on some of them).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.png import with_text
from kadr.errors import InputError, OutputError

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"})

HIDDEN = ".kadr-"
"""Prefix of the names of unfinished files; they get their final name when they are complete."""

PNG_OPTIONS = (
    cv2.IMWRITE_PNG_COMPRESSION,
    1,
    cv2.IMWRITE_PNG_STRATEGY,
    cv2.IMWRITE_PNG_STRATEGY_RLE,
)
"""Options of OpenCV's writer: for painted frames twice as fast as its defaults, and smaller."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
_NUMBER = re.compile(r"\d+")

_log = logging.getLogger(__name__)


def read_image(path: Path) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Read one image file as (H, W, 3 or 4) RGB(A), uint8 or uint16, EXIF orientation applied.

    Gray becomes RGB. Raises InputError naming the file if it is missing or not an image.
    """
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); give an image file"
        ) from error
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
) -> None:
    """Write (H, W, 3 or 4) RGB(A) or (H, W) gray to ``path`` by its suffix, whole or not at all.

    texts: text entries of a PNG for other programs, by name; other file types ignore them.
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
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it replaces ``path``, else it is removed.

    The temporary name has the same suffix, since writers choose their format by it. OSErrors become
    OutputError, which names the file and the cause.
    """
    temporary: Path | None = None
    try:
        temporary = temporary_beside(path)
        yield temporary
        publish(temporary, path)
        temporary = None
    except OSError as error:
        if isinstance(error, OutputError) or (error.filename is None and error.errno is None):
            raise
        hint = "; free some space and try again" if error.errno in _FULL else ""
        raise OutputError(f"{path}: cannot be written ({error.strerror}){hint}") from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()


def temporary_beside(path: Path) -> Path:
    """Make an empty hidden file beside ``path``, with its suffix; makes the folder if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=HIDDEN, suffix=path.suffix, dir=path.parent)
    os.close(handle)
    return Path(name)


def publish(temporary: Path, path: Path) -> None:
    """Give a finished temporary file or folder its final name and the usual permissions."""
    mask = os.umask(0)
    os.umask(mask)
    # only the owner can read what tempfile makes
    temporary.chmod((0o777 if temporary.is_dir() else 0o666) & ~mask)
    temporary.replace(path)


def make_folder(folder: Path) -> list[Path]:
    """Make a folder and its parents; returns the folders that were missing, innermost first.

    Raises OutputError if a file is in the way or the system refuses.
    """
    missing = []
    for parent in (folder, *folder.parents):
        if parent.is_dir():
            break
        if parent.exists() or parent.is_symlink():
            raise OutputError(
                f"{folder}: cannot be made, {parent} is a file; choose another folder"
            )
        missing.append(parent)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made ({error.strerror})") from error
    return missing


def remove_empty(folders: Iterable[Path]) -> None:
    """Remove folders that ``make_folder`` made, if they are empty again."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def last_number(name: str) -> int | None:
    """The last run of digits in a file name without its suffix: ``shot 3 (12).png`` → 12."""
    numbers = _NUMBER.findall(Path(name).stem)
    return int(numbers[-1]) if numbers else None


def file_digest(path: Path) -> str:
    """The SHA-256 of a file's content in hex. Raises InputError if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def read_json_object(path: Path) -> dict[str, Any]:
    """A JSON object from a file that kadr can make again; {} if it is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        _log.info("%s: cannot be used (%s); it will be made again", path, error)
        return {}
    return content if isinstance(content, dict) else {}


def write_json_object(path: Path, content: Mapping[str, Any]) -> None:
    """Write what ``read_json_object`` reads; a file that cannot be written is only logged."""
    try:
        with atomic_file(path) as temporary:
            temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")
    except OutputError as error:
        _log.info("%s; it will be made again", error)
