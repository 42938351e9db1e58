"""Pictures for the page: JPEG proxies of the clip, of finished frames and keys, and sheets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Frame, to_8_bits
from kadr.errors import InputError, OutputError
from kadr.files import Sync, atomic_file
from kadr.image_files import read_image
from kadr.studio.worker.call import Call
from kadr.studio.worker.clip_facts import PROXY_SIDE
from kadr.video.base import Clip
from kadr.video.clip_source import ClipSource

SHEET_FRAMES, SHEET_COLUMNS, SHEET_WIDTH = 100, 10, 160
"""Frames of a sheet of thumbnails, frames in a row of it, and pixels of a thumbnail's width."""

_QUALITY, _FULL_QUALITY, _SHEET_QUALITY = 85, 92, 75
_BACKGROUND = 128
"""Gray level behind transparent pictures."""
_MOST_SKIPPED = 12
"""Frames that are decoded on the way to a later one, rather than sought."""


@dataclass
class _OpenClip:
    """The clip that was read last, and where its iterator stands."""

    source: ClipSource
    clip: Clip
    frames: Iterator[Frame] | None = None
    next_index: int = 0

    def frame(self, index: int) -> Frame:
        """A frame; the ones before it are decoded on the way if they are few."""
        if self.frames is None or not 0 <= index - self.next_index <= _MOST_SKIPPED:
            self.frames = self.clip.frames(index)
            self.next_index = index
        for frame in self.frames:
            self.next_index = frame.index + 1
            if frame.index == index:
                return frame
        raise InputError(f"{self.source.path}: has no frame {index}")


_opened: dict[ClipSource, _OpenClip] = {}


def _open(call: Call) -> _OpenClip:
    source = ClipSource(call["clip"], **call.get("reading", {}))
    if source not in _opened:
        for other in _opened.values():
            other.clip.close()
        _opened.clear()
        _opened[source] = _OpenClip(source, source.open())
    return _opened[source]


def inputs(call: Call) -> dict[str, Any]:
    """Make the proxies of frames ``first`` to ``last`` that do not exist; returns the ready ones.

    path: a pattern with ``{index}``. full: at full size.
    """
    clip, ready = _open(call), []
    for index in range(call["first"], call["last"] + 1):
        if call.cancel.cancelled:
            break
        path = Path(call["path"].format(index=index))
        if not path.is_file():
            image = clip.frame(index).rgb
            _write(path, image, full=call.get("full", False))
        ready.append(index)
    return {"ready": ready}


def picture(call: Call) -> dict[str, Any]:
    """A JPEG at ``path`` from the image file ``file``. full: at full size.

    Raises InputError if the file cannot be decoded within kadr's limits.
    """
    image = _opaque(to_8_bits(read_image(Path(call["file"]))))
    _write(Path(call["path"]), image, full=call.get("full", False))
    return {}


def sheet(call: Call) -> dict[str, Any]:
    """A sheet of thumbnails at ``path`` from the proxies of frames ``first`` to ``last``.

    proxy: a pattern with ``{index}``. size: width and height of the thumbnails.
    """
    width, height = call["size"]
    rows = -(-(call["last"] - call["first"] + 1) // SHEET_COLUMNS)
    image = np.zeros((rows * height, SHEET_COLUMNS * width, 3), np.uint8)
    for position, index in enumerate(range(call["first"], call["last"] + 1)):
        call.cancel.check()
        data = np.fromfile(call["proxy"].format(index=index), np.uint8)
        proxy = cv2.imdecode(data, cv2.IMREAD_REDUCED_COLOR_2)
        row, column = divmod(position, SHEET_COLUMNS)
        image[row * height : (row + 1) * height, column * width : (column + 1) * width] = (
            cv2.resize(proxy, (width, height), interpolation=cv2.INTER_AREA)
        )
    _put(Path(call["path"]), image, _SHEET_QUALITY)
    return {}


def sheet_size(size: tuple[int, int]) -> tuple[int, int]:
    """Width and height of thumbnails of pictures of a size."""
    return SHEET_WIDTH, max(1, round(SHEET_WIDTH * size[1] / size[0]))


def write_proxy(path: Path, image: NDArray[np.uint8]) -> None:
    """Write an RGB(A) picture as a proxy."""
    _write(path, _opaque(image), full=False)


def _opaque(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture over gray, as (H, W, 3)."""
    if image.shape[2] == 3:
        return image
    alpha = image[..., 3:].astype(np.float32) / 255
    flat: NDArray[np.uint8] = np.rint(image[..., :3] * alpha + _BACKGROUND * (1 - alpha)).astype(
        np.uint8
    )
    return flat


def _write(path: Path, image: NDArray[np.uint8], *, full: bool) -> None:
    height, width = image.shape[:2]
    scale = 1.0 if full else min(1.0, PROXY_SIDE / max(width, height))
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    bgr = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2BGR)
    _put(path, bgr.astype(np.uint8), _FULL_QUALITY if full else _QUALITY)


def _put(path: Path, bgr: NDArray[np.uint8], quality: int) -> None:
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality]
    if quality == _FULL_QUALITY:  # colours at full size too
        settings += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    is_encoded, data = cv2.imencode(".jpg", bgr, settings)
    if not is_encoded:
        raise OutputError(f"{path}: cannot be encoded as JPEG")
    try:
        _write_bytes(path, data.tobytes())
    except FileNotFoundError:  # a run that begins deletes files that are being written
        _write_bytes(path, data.tobytes())


def _write_bytes(path: Path, data: bytes) -> None:
    with atomic_file(path, Sync.NOTHING) as temporary:
        temporary.write_bytes(data)
