"""Weights and images in, packed int16 images out: the layout that the kernels work on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kadr.core.row_bands import run_bands
from kadr.synth.kernels.pack import pack_rows

BAND = 32
"""Rows of a band. A constant: results may not depend on how many threads share the work."""

_MAX_VALUE = 16383  # so that a difference fits int16 twice over, its square int32
_MAX_SSD = 1_000_000_000  # so that, rounded, it stays under 2³⁰ and fits int32 with a penalty
_MAX_UNIT = 32.0  # finer than this buys nothing: 8-bit steps are then 6 units or more apart


@dataclass(frozen=True)
class Packing:
    """How channels are scaled: ``value · scales[c]``, with ``unit²`` packed units to one of E.

    scales: one factor a channel, style first, then each guide's channels, then padding (0).
    unit: k of the packing. E(p) = SSD / unit², with 8-bit image values as its unit.
    """

    unit: float
    scales: tuple[float, ...]
    colors: int
    guide_channels: tuple[int, ...]
    patch_size: int

    @property
    def channels(self) -> int:
        """Channels in the packed image, a multiple of four."""
        return len(self.scales)

    @property
    def radius(self) -> int:
        """Half the patch."""
        return self.patch_size // 2

    def first(self, guide: int) -> int:
        """The first packed channel of a guide."""
        return self.colors + sum(self.guide_channels[:guide])


def make_packing(
    colors: int,
    guide_channels: Sequence[int],
    guide_weights: Sequence[float],
    patch_size: int,
    style_weight: float = 1.0,
) -> Packing:
    """Choose the unit so that no patch cost can overflow, whatever the weights.

    The style's weight and each guide's are shared out over their channels (E of Fišer et al. 2016).
    """
    shares = [style_weight / colors] * colors
    for count, weight in zip(guide_channels, guide_weights, strict=True):
        shares += [weight / count] * count
    roots = [math.sqrt(share) for share in shares]
    worst = 255.0 * 255.0 * patch_size * patch_size * max(sum(shares), 1e-9)
    unit = min(_MAX_UNIT, math.sqrt(_MAX_SSD / worst), _MAX_VALUE / (255.0 * max(max(roots), 1e-9)))
    scales = [root * unit for root in roots]
    scales += [0.0] * (-len(scales) % 4)
    return Packing(unit, tuple(scales), colors, tuple(guide_channels), patch_size)


def pack_images(
    packed: NDArray[np.int16],
    images: Sequence[tuple[int, NDArray[np.generic]]],
    packing: Packing,
    *,
    wanted: NDArray[np.bool_] | None = None,
    top: int = 0,
    threads: int | None = None,
) -> None:
    """Write each ``(guide, image)``, scaled and edge-padded, into ``packed``; guide −1: the style.

    images: (H, W, C) uint8 or float32, of one size. They go to row ``top`` of ``packed``. wanted:
    the pixels to write, padding included; None: all.
    """
    sources = [(np.require(image, requirements=["C", "W"]), guide) for guide, image in images]

    def rows(start: int, stop: int) -> None:
        for image, guide in sources:  # band by band, so that a band stays in the cache
            first = packing.first(guide) if guide >= 0 else 0
            scale = packing.scales[first]
            pack_rows(image, wanted, packed, first, scale, top, packing.radius, start, stop)

    height = images[0][1].shape[0] + 2 * packing.radius
    run_bands(rows, height, band=BAND, threads=threads)


def empty_packed(height: int, width: int, packing: Packing) -> NDArray[np.int16]:
    """A packed image of zeros for an (height, width) image, padding included."""
    pad = 2 * packing.radius
    return np.zeros((height + pad, width + pad, packing.channels), np.int16)
