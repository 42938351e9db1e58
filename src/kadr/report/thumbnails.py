"""Make small JPEG images of frames as data URIs, to embed in a page."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from kadr.core.frames import Image
from kadr.core.resize import fit_in_box
from kadr.errors import KadrError

GetFrame = Callable[[int], Image]
"""Index of a frame → the frame, (H, W, 3 or 4) uint8."""

_MAX_SIDE = 480
_QUALITY = 82
_CHECKER = (104, 136)
"""Gray levels of the checkerboard behind transparent pixels."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FrameThumbnails:
    """An original frame and its result as data URIs of one size in pixels; None: not available."""

    index: int
    original: str | None
    result: str | None
    width: int
    height: int


def make_thumbnails(
    original_indices: Iterable[int],
    result_indices: Iterable[int],
    get_original: GetFrame,
    get_result: GetFrame,
) -> list[FrameThumbnails]:
    """Thumbnails of the original frames at some indices, with results at ``result_indices``.

    Each frame is fetched once, in rising order, one at a time. A frame that cannot be read is left
    out with a logged warning: a failed report must not fail the run.
    """
    with_result, thumbnails = set(result_indices), []
    for index in sorted(set(original_indices) | with_result):
        original = _fetch(get_original, index)
        result_image = _fetch(get_result, index) if index in with_result else None
        available = next((image for image in (original, result_image) if image is not None), None)
        if available is None:
            continue
        width, height = thumbnail_size(available)
        texts = [
            None if im is None else data_uri(im, (width, height)) for im in (original, result_image)
        ]
        thumbnails.append(FrameThumbnails(index, texts[0], texts[1], width, height))
    return thumbnails


def _fetch(get_frame: GetFrame, index: int) -> Image | None:
    try:
        return get_frame(index)
    except (KadrError, OSError) as error:
        _log.warning("report: no image of frame index %d (%s)", index, error)
        return None


def thumbnail_size(image: Image) -> tuple[int, int]:
    """(width, height) whose longer side is at most 480 pixels."""
    return fit_in_box((image.shape[1], image.shape[0]), (_MAX_SIDE, _MAX_SIDE))


def data_uri(image: Image, size: tuple[int, int]) -> str:
    """A JPEG of an image, reduced to a size (width, height), as a data URI."""
    reduced = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    opaque = _opaque(reduced)
    _, data = cv2.imencode(
        ".jpg", cv2.cvtColor(opaque, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    )
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")


def _opaque(image: Image) -> Image:
    """(H, W, 3); a checkerboard shows through transparent pixels."""
    if image.shape[2] == 3:
        return image
    y, x = np.indices(image.shape[:2])
    ground = np.where((y // 8 + x // 8) % 2 == 0, *_CHECKER)[..., None]
    alpha = image[..., 3:] / 255
    mixed: Image = np.rint(ground + alpha * (image[..., :3] - ground)).astype(np.uint8)
    return mixed
