"""Paint frames like oil paintings: a filter without learned weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Image
from kadr.core.row_bands import run_bands
from kadr.option_fields import check_fields, option
from kadr.stylize.looks.blur import blur
from kadr.stylize.looks.each_frame import EachFrame, frame_scale, seed_option
from kadr.stylize.looks.kuwahara import kuwahara
from kadr.stylize.looks.structure_tensor import local_directions
from kadr.stylize.looks.tone import LUMA
from kadr.stylize.paint.strokes import paint_strokes

Plane = NDArray[np.float32]

_BAND = 64


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
    if options.strokes > 0:
        radius = max(1.5, options.radius * scale)

        def saturate_band(start: int, stop: int) -> None:
            flat[start:stop] = _saturate(flat[start:stop], options.saturation)

        run_bands(saturate_band, len(flat), band=_BAND, threads=threads)
        canvas, height = paint_strokes(
            flat, directions, radius, strength=options.strokes, seed=seed, threads=threads
        )
        light = _relief_light(height, radius) * np.float32(options.relief)
    else:
        canvas, light = flat, None
    painted = np.empty(image.shape, np.uint8)

    def finish_band(start: int, stop: int) -> None:
        rows = canvas[start:stop]
        if light is None:
            rows = _saturate(rows, options.saturation)
        else:
            # dark paint reflects little light and has little gloss
            rows = rows + light[start:stop, :, None] * (rows + np.float32(22))
        painted[start:stop] = np.clip(np.rint(rows), 0, 255)

    run_bands(finish_band, len(painted), band=_BAND, threads=threads)
    return painted


def _saturate(image: Plane, saturation: float) -> Plane:
    """Move colours away from grey; strong colours least, so that none leaves the range."""
    luma = (image @ LUMA)[..., None]
    chroma = image - luma
    red, green, blue = (np.abs(chroma[..., channel]) for channel in range(3))
    strong = np.maximum(np.maximum(red, green), blue)[..., None] / np.float32(128)
    bounded = 1 + np.float32(saturation - 1) * np.clip(1 - strong, 0, 1)
    gain = bounded if saturation > 1 else np.float32(saturation)
    saturated: Plane = luma + gain * chroma
    return saturated


def _relief_light(height: Plane, radius: float) -> Plane:
    """(H, W): light from the upper left on paint of this relief, as a share of its brightness."""
    smooth = blur(height, max(0.6, 0.07 * radius))
    gx = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=0.6 / 8)
    gy = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=0.8 / 8)
    gx += gy
    gx *= np.float32(0.7 * radius)
    light: Plane = np.tanh(gx, out=gx)
    light *= np.float32(0.16)
    return light


class Paint(EachFrame[PaintOptions]):
    """The stylizer that paints each frame in brush strokes that follow its forms."""

    Options: ClassVar[type[PaintOptions]] = PaintOptions
    VERSION = 2
    name = "paint"
    draw = staticmethod(paint)
