"""Paint frames like oil paintings: a filter without learned weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Image
from kadr.option_fields import check_fields, option
from kadr.stylize.base import StyledFrame, StylizeContext, StylizeJob
from kadr.stylize.looks.blur import blur
from kadr.stylize.looks.each_frame import frame_scale, seed_option, stylize_each
from kadr.stylize.looks.kuwahara import kuwahara
from kadr.stylize.looks.structure_tensor import local_directions
from kadr.stylize.paint.strokes import paint_strokes

Plane = NDArray[np.float32]

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class PaintOptions:
    """How a frame is painted. Lengths are pixels of a frame 540 high; they scale with the frame."""

    radius: float = option(8.0, "half the width of the widest brush", low=1, high=40)
    strokes: float = option(0.7, "how visible the strokes are; 0: not at all", low=0, high=1)
    sharpness: float = option(8.0, "how hard edges between colours are", low=0, high=16)
    anisotropy: float = option(1.0, "how far strokes are stretched along shapes", low=0, high=1)
    saturation: float = option(1.18, "saturation of colours; 1: as filmed", low=0, high=3)
    relief: float = option(0.5, "thickness of the paint; 0: flat", low=0, high=1)
    seed: int | None = seed_option()

    def __post_init__(self) -> None:
        check_fields(self)


class Paint:
    """The stylizer that paints each frame in brush strokes that follow its forms."""

    Options: ClassVar[type[PaintOptions]] = PaintOptions
    VERSION = 2
    name = "paint"
    joint = False
    sequential = False
    max_batch = 1

    def __init__(self, options: PaintOptions) -> None:
        self._options = options

    def stylize(
        self, jobs: Iterable[StylizeJob], context: StylizeContext
    ) -> Iterator[list[StyledFrame]]:
        """Yield each frame painted; outside ``context.mask`` pixels stay unchanged."""
        yield from stylize_each(
            jobs,
            context,
            self._options.seed,
            lambda image, seed: paint(image, self._options, seed=seed, threads=context.threads),
        )


def paint(image: Image, options: PaintOptions, *, seed: int, threads: int | None = None) -> Image:
    """Paint (H, W, 3) uint8: flat dabs (Kuwahara), strokes over them, light on their relief.

    The same seed gives the same bytes for any number of ``threads``.
    """
    scale = frame_scale(image)
    image = np.ascontiguousarray(image)
    directions = local_directions(image, sigma=max(1.0, 2.0 * scale), threads=threads)
    flat = kuwahara(
        image,
        directions,
        max(1.0, 0.45 * options.radius * scale),
        sharpness=options.sharpness,
        anisotropy=options.anisotropy,
        threads=threads,
    )
    flat = _saturate(flat, options.saturation)
    if options.strokes > 0:
        radius = max(1.5, options.radius * scale)
        canvas, height = paint_strokes(
            flat, directions, radius, strength=options.strokes, seed=seed, threads=threads
        )
        canvas += _relief_light(canvas, height, radius, options.relief)
    else:
        canvas = flat
    painted: Image = np.clip(np.rint(canvas), 0, 255).astype(np.uint8)
    return painted


def _saturate(image: Plane, saturation: float) -> Plane:
    """Move colours away from grey; strong colours least, so that none leaves the range."""
    luma = (image @ _LUMA)[..., None]
    chroma = image - luma
    strong = np.abs(chroma).max(axis=2, keepdims=True) / 128
    gain = 1 + (saturation - 1) * np.clip(1 - strong, 0, 1) if saturation > 1 else saturation
    saturated: Plane = luma + gain * chroma
    return saturated


def _relief_light(canvas: Plane, height: Plane, radius: float, relief: float) -> Plane:
    """(H, W, 3) grey steps that light from the upper left adds to paint of this relief."""
    smooth = blur(height, max(0.6, 0.07 * radius))
    gx = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8)
    gy = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8)
    slope = np.tanh((0.6 * gx + 0.8 * gy) * np.float32(0.7 * radius))
    # dark paint reflects little light and has little gloss
    lit: Plane = (relief * 0.16 * slope)[..., None] * (canvas + np.float32(22))
    return lit.astype(np.float32)
