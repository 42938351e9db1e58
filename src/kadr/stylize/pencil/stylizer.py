"""Draw frames in pencil: lines and hatching on paper. No learned weights."""

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
from kadr.stylize.looks.lines import flow_lines
from kadr.stylize.looks.paper import paper_grain
from kadr.stylize.looks.structure_tensor import Directions, local_directions
from kadr.stylize.looks.tone import LUMA, even_tone, smooth_step
from kadr.stylize.pencil.hatching import hatch

Plane = NDArray[np.float32]

_PAPER = np.array([250, 248, 241], np.float32)
_GRAPHITE = np.array([38, 38, 42], np.float32)
_BAND = 64


@dataclass(frozen=True)
class PencilOptions:
    """How a frame is drawn. Lengths are pixels of a frame 540 high; they scale with the frame."""

    stroke_width: float = option(1.8, "width of the strokes of the hatching", low=1, high=12)
    stroke_length: float = option(22.0, "length of the strokes", low=4, high=120)
    angle: float = option(
        -52.0, "degrees at which places without a form are hatched; 0: level", low=-90, high=90
    )
    cross: float = option(1.0, "how far dark hatching crosses light; 0: not", low=0, high=1)
    tone: float = option(0.6, "how dark the hatching is; 0: lines only", low=0, high=1)
    lines: float = option(0.7, "how dark the lines are; 0: hatching only", low=0, high=1)
    detail: float = option(0.6, "how weak edges may be to get a line", low=0, high=1)
    colour: float = option(0.0, "strength of colours; 0: graphite, 1: crayons", low=0, high=1)
    grain: float = option(0.5, "how much the grain of the paper shows", low=0, high=1)
    seed: int | None = seed_option()

    def __post_init__(self) -> None:
        check_fields(self)


def draw_pencil(
    image: Image, options: PencilOptions, *, seed: int, threads: int | None = None
) -> Image:
    """Draw (H, W, 3) uint8: lines at edges, and hatching for tone, on grainy paper.

    As in Lu, Xu & Jia 2012 a drawing is the product of its lines and its tone; the tone is hatched.
    The same seed gives the same bytes for any number of ``threads``.
    """
    image = np.ascontiguousarray(image)
    scale = frame_scale(image)
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    luma *= np.float32(1 / 255)
    tone = _tone(luma, scale)
    bare = _hatching(image, tone, options, scale, seed, threads)
    line_width = max(0.5, 1.4 * scale)
    lines = flow_lines(image, line_width, threads)
    broad = flow_lines(image, 2.6 * line_width, threads)
    grain = paper_grain(image.shape[:2], scale, seed)
    drawn = np.empty(image.shape, np.uint8)
    colours = _crayons(image, scale) if options.colour > 0 else None

    def draw_band(start: int, stop: int) -> None:
        rows = slice(start, stop)
        cover = _lines(lines[rows], broad[rows], options)
        left = bare[rows] * (1 - cover)
        cover = _on_grain(1 - left, grain[rows], options.grain)[..., None]
        paper = _PAPER * (1 + np.float32(0.008 * options.grain) * grain[rows])[..., None]
        pigment = _GRAPHITE
        if colours is not None:
            pigment = _GRAPHITE + np.float32(options.colour) * (colours[rows] - _GRAPHITE)
        drawn[rows] = np.clip(np.rint(paper + cover * (pigment - paper)), 0, 255)

    run_bands(draw_band, image.shape[0], band=_BAND, threads=threads)
    return drawn


def _tone(luma: Plane, scale: float) -> Plane:
    """(H, W) 0–1: brightness to draw, with more contrast between forms that lie side by side."""
    tone = even_tone(blur(luma, max(0.5, 0.8 * scale)), scale, 0.8)
    tone += np.float32(0.55) * (tone - blur(tone, max(1.0, 22.0 * scale)))
    return np.clip(tone, 0, 1, out=tone)


def _hatching(
    image: Image,
    tone: Plane,
    options: PencilOptions,
    scale: float,
    seed: int,
    threads: int | None,
) -> Plane:
    """(H, W): the share of the paper that tone leaves bare."""
    # mid tones are left light: the darkest places get the contrast
    darkness = np.clip((1 - tone) ** np.float32(1.35) * np.float32(0.4 + options.tone), 0, 1)
    if options.tone == 0:
        return np.ones(tone.shape, np.float32)
    directions = _hatch_directions(image, options.angle, scale, threads)
    width = max(1.0, options.stroke_width * scale)
    length = max(2.0, options.stroke_length * scale)
    if options.colour > 0:
        # a light colour is as much a reason to press the crayon as a dark grey
        np.maximum(darkness, _chroma(image, options.colour, scale), out=darkness)
    bare = hatch(
        darkness, directions, width, length, cross=options.cross, seed=seed, threads=threads
    )
    # a soft ground of rubbed graphite holds the strokes together and keeps small forms readable
    bare *= 1 - np.float32(0.62) * darkness * smooth_step(darkness, 0.0, 0.4)
    return bare


def _hatch_directions(image: Image, angle: float, scale: float, threads: int | None) -> Directions:
    """Directions over wide neighbourhoods, which turn to ``angle`` where no form is clear."""
    radians = np.radians(angle)
    fixed = (float(np.cos(radians)), float(np.sin(radians)))
    return local_directions(image, max(1.0, 4.0 * scale), steady=12.0, fixed=fixed, threads=threads)


def _lines(fine: Plane, broad: Plane, options: PencilOptions) -> Plane:
    """(H, W) 0–1: cover of the lines, in proportion to the contrast of their edges."""
    least = 5.0 * 0.08**options.detail
    cover = np.maximum(
        smooth_step(fine, least, 9 * least), 0.8 * smooth_step(broad, 1.5 * least, 12 * least)
    )
    drawn: Plane = np.float32(options.lines) * cover
    return drawn


def _on_grain(cover: Plane, grain: Plane, strength: float) -> Plane:
    """(H, W) 0–1: cover as paper takes it: its peaks first, its valleys under pressure only."""
    rough = np.float32(0.45 * strength) * cover * (1 - cover)
    taken: Plane = np.clip(cover + rough * grain, 0, 1)
    return taken


def _chroma(image: Image, colour: float, scale: float) -> Plane:
    """(H, W) 0–1: how dark a crayon of this strength of colour must be for the colours."""
    chroma = (image.max(axis=2) - image.min(axis=2)).astype(np.float32)
    return blur(chroma, max(0.5, 0.8 * scale)) * np.float32(0.7 / 255 * colour)


def _crayons(image: Image, scale: float) -> Plane:
    """(H, W, 3) float32: the colour of the crayon at each place: saturated and not too dark."""
    values = blur(image.astype(np.float32), max(0.8, 2.0 * scale))
    luma = (values @ LUMA)[..., None]
    colours: Plane = np.clip(0.75 * luma + 1.5 * (values - luma), 0, 255)
    return colours


class Pencil(EachFrame[PencilOptions]):
    """The stylizer that draws each frame with a pencil or with crayons."""

    Options: ClassVar[type[PencilOptions]] = PencilOptions
    VERSION = 1
    name = "pencil"
    draw = staticmethod(draw_pencil)
