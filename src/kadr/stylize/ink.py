"""Draw frames in ink: lines along edges, black shadows, flat colours. No learned weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Image
from kadr.core.row_bands import run_bands
from kadr.option_fields import check_fields, option
from kadr.stylize.looks.blur import enlarge_to, reduce_by
from kadr.stylize.looks.each_frame import EachFrame, frame_scale, seed_option
from kadr.stylize.looks.kuwahara import kuwahara
from kadr.stylize.looks.lines import flow_lines
from kadr.stylize.looks.paper import paper_grain
from kadr.stylize.looks.structure_tensor import local_directions
from kadr.stylize.looks.tone import LUMA, even_tone, smooth_step, soft_levels

Plane = NDArray[np.float32]

_INK = np.array([24, 21, 27], np.float32)
_PAPER = np.array([250, 246, 236], np.float32)
_BAND = 64


@dataclass(frozen=True)
class InkOptions:
    """How a frame is inked. Lengths are pixels of a frame 540 high; they scale with the frame."""

    line_width: float = option(2.0, "width of the lines", low=0.5, high=12)
    detail: float = option(0.45, "how weak edges may be to get a line", low=0, high=1)
    blacks: float = option(0.5, "how much of the shadows is filled with ink", low=0, high=1)
    colour: float = option(1.0, "strength of the colours; 0: ink on paper", low=0, high=1)
    radius: float = option(7.0, "size of what colours flatten", low=1, high=20)
    shades: int = option(5, "steps of brightness of the colours", low=2, high=24)
    saturation: float = option(1.25, "saturation of colours; 1: as filmed", low=0, high=3)
    grain: float = option(0.4, "how much the grain of the paper shows", low=0, high=1)
    seed: int | None = seed_option()

    def __post_init__(self) -> None:
        check_fields(self)


def draw_ink(image: Image, options: InkOptions, *, seed: int, threads: int | None = None) -> Image:
    """Ink (H, W, 3) uint8: colours in flat steps, then shadows and lines over them.

    Lines are those of Kang, Lee & Chui 2007, drawn and filled with soft thresholds as in
    Winnemöller, Kyprianidis & Olsen 2012; colours are flattened in steps as in Winnemöller, Olsen &
    Gooch 2006. The same seed gives the same bytes for any number of ``threads``.
    """
    image = np.ascontiguousarray(image)
    scale = frame_scale(image)
    flat = _flat_colours(image, options.radius, scale, threads)
    tone = even_tone((flat @ LUMA) / np.float32(255), scale, 0.7)
    width = max(0.5, options.line_width * scale)
    fine, broad = flow_lines(image, 0.6 * width, threads), flow_lines(image, 2.0 * width, threads)
    grain = paper_grain(image.shape[:2], scale, seed)
    drawn = np.empty(image.shape, np.uint8)

    def draw_band(start: int, stop: int) -> None:
        rows = slice(start, stop)
        ink = _ink(fine[rows], broad[rows], tone[rows], grain[rows], options)
        paper = _PAPER * (1 + np.float32(0.012 * options.grain) * grain[rows])[..., None]
        wash = _wash(flat[rows], tone[rows], options)
        wash = paper * (1 - np.float32(options.colour) * (1 - wash))
        mixed = wash + ink[..., None] * (_INK - wash)
        drawn[rows] = np.clip(np.rint(mixed), 0, 255)

    run_bands(draw_band, image.shape[0], band=_BAND, threads=threads)
    return drawn


def _flat_colours(image: Image, radius: float, scale: float, threads: int | None) -> Plane:
    """(H, W, 3) float32: colours without detail; large frames at half their size and less."""
    small = reduce_by(image, max(1, round(scale / 2)))
    scale = frame_scale(small)
    directions = local_directions(small, max(1.0, 2.0 * scale), threads=threads)
    flat = kuwahara(small, directions, max(1.0, radius * scale), sharpness=6.0, threads=threads)
    return enlarge_to(flat, image.shape)


def _ink(fine: Plane, broad: Plane, tone: Plane, grain: Plane, options: InkOptions) -> Plane:
    """(H, W) 0–1: how much ink covers the paper."""
    # grey steps of contrast at which a line begins
    least = 6.0 * 0.05**options.detail
    lines = np.maximum(
        smooth_step(fine, least, 3 * least), smooth_step(broad, 1.2 * least, 4 * least)
    )
    # a dry brush leaves the valleys of the paper white
    shadow = tone + np.float32(0.006 * options.grain) * grain
    level = 0.05 + 0.3 * options.blacks
    fill = 1 - smooth_step(shadow, level - 0.025, level + 0.025)
    if options.blacks == 0:
        return lines
    ink: Plane = np.maximum(lines, fill)
    return ink


def _wash(colours: Plane, tone: Plane, options: InkOptions) -> Plane:
    """(H, W, 3) 0–1: flat colours in steps of brightness, lifted as those of printed drawings."""
    unit = colours / np.float32(255)
    luma = (unit @ LUMA)[..., None]
    lifted = (soft_levels(tone, options.shades, 6.0) ** np.float32(0.75))[..., None]
    # as much chroma for the brightness as was filmed, or dark colours would turn garish
    gain = options.saturation * np.sqrt(lifted / np.maximum(luma, np.float32(0.04)))
    wash: Plane = np.clip(lifted + gain * (unit - luma), 0, 1)
    return wash


class Ink(EachFrame[InkOptions]):
    """The stylizer that draws each frame with pen, brush and flat colours."""

    Options: ClassVar[type[InkOptions]] = InkOptions
    VERSION = 1
    name = "ink"
    draw = staticmethod(draw_ink)
