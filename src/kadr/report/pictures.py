"""Frames in, small JPEGs as text out, to be embedded in a page."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from kadr.core.frames import Image
from kadr.errors import KadrError

Fetch = Callable[[int], Image]
"""Gives the frame at an index, (H, W, 3 or 4) uint8."""

_MOST_SIDE = 480
_QUALITY = 82
_CHECKER = (104, 136)
"""Levels of the squares behind transparent pixels."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Picture:
    """A frame as filmed and as made, as data URIs of equal size in pixels; None: not to be had."""

    index: int
    filmed: str | None
    made: str | None
    width: int
    height: int


def embed(
    filmed: Iterable[int], made: Iterable[int], source: Fetch, result: Fetch
) -> list[Picture]:
    """Pictures of the frames ``filmed``, with the restyled one where the index is in ``made``.

    Each frame is fetched once, in rising order, and one is in memory at a time. One that cannot be
    read is left out with a logged note: a report is no reason to lose a run.
    """
    wanted, pictures = set(made), []
    for index in sorted(set(filmed) | wanted):
        before = _fetched(source, index)
        after = _fetched(result, index) if index in wanted else None
        shown = next((image for image in (before, after) if image is not None), None)
        if shown is None:
            continue
        width, height = _fitting(shown)
        texts = [None if im is None else _data_uri(im, (width, height)) for im in (before, after)]
        pictures.append(Picture(index, texts[0], texts[1], width, height))
    return pictures


def _fetched(fetch: Fetch, index: int) -> Image | None:
    try:
        return fetch(index)
    except (KadrError, OSError) as error:
        _log.warning("report: no picture of frame index %d (%s)", index, error)
        return None


def _fitting(image: Image) -> tuple[int, int]:
    """(width, height) whose longer side is at most 480 pixels."""
    height, width = image.shape[:2]
    scale = min(1.0, _MOST_SIDE / max(height, width))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _data_uri(image: Image, size: tuple[int, int]) -> str:
    reduced = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    opaque = _opaque(reduced)
    _, data = cv2.imencode(
        ".jpg", cv2.cvtColor(opaque, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    )
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")


def _opaque(image: Image) -> Image:
    """(H, W, 3); what is transparent shows a chequered ground."""
    if image.shape[2] == 3:
        return image
    y, x = np.indices(image.shape[:2])
    ground = np.where((y // 8 + x // 8) % 2 == 0, *_CHECKER)[..., None]
    alpha = image[..., 3:] / 255
    mixed: Image = np.rint(ground + alpha * (image[..., :3] - ground)).astype(np.uint8)
    return mixed
