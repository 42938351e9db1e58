"""A clip whose lower half slides while the upper stands still, and a faithful painting of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from kadr.core.events import follow
from kadr.core.frames import Image
from kadr.measure.curves import Curves
from kadr.measure.frames import KeySource, Pair, measure_frames
from scenes import show, texture, translation

HEIGHT, WIDTH, COUNT = 64, 96, 19
HALF = HEIGHT // 2
KEYS = (0, 9, 18)
_MARGIN, _SPEED = 64, 2.0

Pixels = np.ndarray[Any, np.dtype[Any]]


def _moved(wide: Pixels, index: int) -> Pixels:
    """The part of a wide image that a frame shows."""
    shift = _SPEED * index - _MARGIN / 2
    return show(wide, translation(shift, 0))[:, _MARGIN : _MARGIN + WIDTH]


def _strokes() -> Pixels:
    """(HALF, wide) float32: brushwork that no film shows, 8 levels strong."""
    noise = np.random.default_rng(3).normal(0, 1, (HALF, WIDTH + 2 * _MARGIN))
    smooth = cv2.GaussianBlur(noise.astype(np.float32), (0, 0), 1.2)
    return smooth * np.float32(8 / smooth.std())


def clean_frames() -> list[Image]:
    """The scene without noise."""
    top, wide = texture(HALF, WIDTH, seed=5), texture(HALF, WIDTH + 2 * _MARGIN, seed=2)
    return [np.vstack([top, _moved(wide, index)]) for index in range(COUNT)]


def filmed_frames(clean: Sequence[Image]) -> list[Image]:
    """The scene with noise of one level."""
    rng = np.random.default_rng(1)
    return [shifted(image, rng.integers(-1, 2, image.shape)) for image in clean]


def paint_frames(clean: Sequence[Image], *, slides: bool = False) -> list[Image]:
    """Other colours, inverted tones, and strokes that move with the scene, unless they slide."""
    strokes, frames = _strokes(), []
    for index, image in enumerate(clean):
        painted = 200 - 0.55 * image[..., [2, 0, 1]].astype(np.float32)
        painted[HALF:] += _moved(strokes, 0 if slides else index)[..., None]
        frames.append(shifted(painted, 0))
    return frames


def shifted(image: Pixels, levels: Any, rows: slice = slice(None)) -> Image:
    """The image with levels added to some rows, rounded."""
    changed = image.astype(np.float32)
    changed[rows] += levels
    return np.clip(np.rint(changed), 0, 255).astype(np.uint8)


def curves_of(
    filmed: Sequence[Image],
    output: Sequence[Image],
    painted: Sequence[Image] | None = None,
    keys: Sequence[int] = KEYS,
) -> Curves:
    """Measure frames; ``painted`` holds the keys and is the truth."""
    source = KeySource()
    if painted is not None:
        source = KeySource(keys, lambda key: painted[key], lambda key: filmed[key])
    truth = painted or [None] * len(filmed)
    pairs = (Pair(*images) for images in zip(filmed, output, truth, strict=True))
    return follow(measure_frames(pairs, source))
