"""Paint frames in watercolour: washes with dark rims on rough paper. No learned weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Image
from kadr.core.row_bands import run_bands
from kadr.core.seeds import derive_seed
from kadr.option_fields import check_fields, option
from kadr.stylize.looks.blur import blur, enlarge_to, reduce_by
from kadr.stylize.looks.each_frame import EachFrame, frame_scale, seed_option
from kadr.stylize.looks.kuwahara import kuwahara
from kadr.stylize.looks.lines import flow_lines
from kadr.stylize.looks.paper import paper_grain, smooth_noise
from kadr.stylize.looks.structure_tensor import local_directions
from kadr.stylize.looks.tone import LUMA, even_tone, smooth_step, soft_levels

Plane = NDArray[np.float32]

_PAPER = np.array([253, 250, 243], np.float32)
_BAND = 64
_DARKEST = 1.9
"""Density (natural logarithm) of the darkest wash: watercolour is never black."""


@dataclass(frozen=True)
class WatercolourOptions:
    """How a frame is painted. Lengths are pixels of a frame 540 high; they scale with the frame."""

    radius: float = option(7.0, "size of what washes leave out", low=1, high=20)
    washes: int = option(5, "washes that lie over each other in the darkest places", low=2, high=12)
    edges: float = option(0.5, "how dark the rims of washes are", low=0, high=1)
    wobble: float = option(1.6, "how far the brush departs from the outlines", low=0, high=10)
    detail: float = option(0.5, "how strongly the finest brush draws", low=0, high=1)
    flow: float = option(0.4, "how unevenly the pigment flows", low=0, high=1)
    grain: float = option(0.4, "how much pigment settles in the grain of the paper", low=0, high=1)
    saturation: float = option(1.5, "saturation of colours; 1: as filmed", low=0, high=3)
    seed: int | None = seed_option()

    def __post_init__(self) -> None:
        check_fields(self)


def draw_watercolour(
    image: Image, options: WatercolourOptions, *, seed: int, threads: int | None = None
) -> Image:
    """Paint (H, W, 3) uint8: washes of pigment whose density varies, on paper.

    Density rises at the rims of a wash, where it flowed and in the valleys of the paper, as in
    Bousseau et al. 2006; washes lie over each other in steps, as the layers of Luft & Deussen 2006.
    Large frames are washed at half their size and less. The same seed gives the same bytes for any
    number of ``threads``.
    """
    image = np.ascontiguousarray(image)
    small = reduce_by(image, max(1, round(frame_scale(image) / 2)))
    density = _washes(small, options, seed, threads)
    size, scale = image.shape[:2], frame_scale(image)
    density = enlarge_to(density, size)
    lines = flow_lines(image, max(0.5, 1.8 * scale), threads) if options.detail > 0 else None
    grain = paper_grain(size, scale, seed)
    painted = np.empty(image.shape, np.uint8)

    def paint_band(start: int, stop: int) -> None:
        rows = slice(start, stop)
        height, pigment = grain[rows], density[rows]
        if lines is not None:
            drawn = options.detail * smooth_step(lines[rows], 1.5, 9.0)
            pigment = pigment * (1 + 0.6 * drawn[..., None]) + 0.55 * drawn[..., None]
        # pigment settles in valleys; thin washes hardly cover the peaks
        settled = 1 - np.float32(0.09 * options.grain) * height
        pigment = pigment * np.maximum(settled, 0)[..., None]
        paper = _PAPER * (1 + np.float32(0.01 * options.grain) * height)[..., None]
        painted[rows] = np.clip(np.rint(paper * np.exp(-pigment)), 0, 255)

    run_bands(paint_band, image.shape[0], band=_BAND, threads=threads)
    return painted


def _washes(image: Image, options: WatercolourOptions, seed: int, threads: int | None) -> Plane:
    """(H, W, 3) float32: the density of pigment for light of R, G and B, before the paper."""
    size, scale = image.shape[:2], frame_scale(image)
    directions = local_directions(image, max(1.0, 2.0 * scale), threads=threads)
    radius = max(1.0, options.radius * scale)
    flat = kuwahara(image, directions, radius, sharpness=6.0, threads=threads)
    flat = _displace(flat, options.wobble * scale, scale, seed)
    unit: Plane = flat / np.float32(255)
    luma: Plane = unit @ LUMA
    tone = even_tone(luma, scale, 0.8)
    washed, hue = _layers(tone, options.washes), _hue(unit, luma, options.saturation)
    rim = _rims(washed, scale)
    flow = np.zeros(size, np.float32)
    for cell, share in ((80.0, 0.6), (32.0, 0.4), (12.0, 0.12)):
        flow += share * smooth_noise(size, cell * scale, derive_seed(seed, "flow", int(cell)))
    # the darkest washes are full of pigment already: a rim would look like a hole beside it
    rim *= 1 - np.float32(0.8 / _DARKEST) * washed
    amount = washed * (1 + np.float32(2.4 * options.edges) * rim)
    amount *= np.maximum(1 + np.float32(0.28 * options.flow) * flow, 0)
    density: Plane = amount[..., None] * hue
    return density


def _displace(image: Plane, amplitude: float, scale: float, seed: int) -> Plane:
    """The image moved by smooth noise of this amplitude in pixels: outlines waver."""
    if amplitude == 0:
        return image
    size = image.shape[:2]
    grid: Plane = np.indices(size).astype(np.float32)
    rows, columns = grid[0], grid[1]
    for cell, share in ((26.0, 0.8), (8.0, 0.2)):
        step = np.float32(share * amplitude)
        columns += step * smooth_noise(size, cell * scale, derive_seed(seed, "wobble x", int(cell)))
        rows += step * smooth_noise(size, cell * scale, derive_seed(seed, "wobble y", int(cell)))
    moved: Plane = cv2.remap(
        image, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return moved


def _layers(tone: Plane, washes: int) -> Plane:
    """(H, W) density of pigment, in soft steps of one wash each; light places stay bare paper."""
    # most of a watercolour is lighter than its motif
    density = -np.log(np.clip(tone, 1e-3, 1)) * np.float32(0.72)
    full: Plane = np.minimum(density / np.float32(_DARKEST), 1)
    stepped = soft_levels(full, washes, 5.0)
    bare = smooth_step(full, 0.015, 0.1)
    layers: Plane = np.float32(_DARKEST) * bare * (0.35 * full + 0.65 * stepped)
    return layers


def _hue(unit: Plane, luma: Plane, saturation: float) -> Plane:
    """(H, W, 3): shares of R, G and B in the density, of mean 1; 1 each for grey."""
    colour = luma[..., None] + np.float32(saturation) * (unit - luma[..., None])
    absorbed = -np.log(np.clip(colour, 0.03, 1)) + np.float32(0.08)
    hue: Plane = absorbed / (absorbed @ LUMA)[..., None]
    return np.clip(hue, 0, 3)


def _rims(density: Plane, scale: float) -> Plane:
    """(H, W) 0–1: pigment that drying water carried to the rim of its wash."""
    narrow = np.maximum(density - blur(density, max(0.8, 1.6 * scale)), 0)
    wide = np.maximum(density - blur(density, max(1.0, 5.0 * scale)), 0)
    rims: Plane = np.minimum((1.5 * narrow + 0.6 * wide) / (density + np.float32(0.15)), 1)
    return rims


class Watercolour(EachFrame[WatercolourOptions]):
    """The stylizer that paints each frame in transparent washes on paper."""

    Options: ClassVar[type[WatercolourOptions]] = WatercolourOptions
    VERSION = 1
    name = "watercolour"
    draw = staticmethod(draw_watercolour)
