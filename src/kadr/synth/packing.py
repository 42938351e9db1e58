"""Pack images and weights into int16 images, the layout that the kernels use."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kadr.core.row_bands import run_bands
from kadr.synth.kernels.pack import pack_rows

BAND_HEIGHT = 32
"""Rows of a band. A constant, because results must not depend on the number of threads."""

_MAX_VALUE = 16383  # so that a difference fits int16 twice over, its square int32
_MAX_SSD = 1_000_000_000  # so that, rounded, it stays under 2³⁰ and fits int32 with a penalty
_MAX_UNIT = 32.0  # finer has no benefit: 8-bit steps are then 6 units or more apart


@dataclass(frozen=True)
class Packing:
    """How channels are scaled: ``value · scales[c]``; ``unit²`` packed units are one unit of E.

    scales: one factor for each channel: style, then the channels of each guide, then padding (0).
    unit: E(p) = SSD / unit², where E is measured in 8-bit image values.
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
        """Half the patch size, rounded down."""
        return self.patch_size // 2

    def first_channel(self, guide: int) -> int:
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

    The weights of the style and of each guide are divided by their channels (E of Fišer et al.
    2016).
    """
    channel_weights = [style_weight / colors] * colors
    for count, weight in zip(guide_channels, guide_weights, strict=True):
        channel_weights += [weight / count] * count
    roots = [math.sqrt(channel_weight) for channel_weight in channel_weights]
    worst_ssd = 255.0 * 255.0 * patch_size * patch_size * max(sum(channel_weights), 1e-9)
    unit = min(
        _MAX_UNIT, math.sqrt(_MAX_SSD / worst_ssd), _MAX_VALUE / (255.0 * max(max(roots), 1e-9))
    )
    scales = [root * unit for root in roots]
    scales += [0.0] * (-len(scales) % 4)
    return Packing(unit, tuple(scales), colors, tuple(guide_channels), patch_size)


def pack_images(
    packed: NDArray[np.int16],
    images: Sequence[tuple[int, NDArray[np.generic]]],
    packing: Packing,
    *,
    needed: NDArray[np.bool_] | None = None,
    top: int = 0,
    threads: int | None = None,
) -> None:
    """Write each ``(guide, image)``, scaled and edge-padded, into ``packed``; guide −1: style.

    images: (H, W, C) uint8 or float32, of one size, written from row ``top`` of ``packed`` on.
    needed: the pixels to write, padding included; None: all.
    """
    sources = [(np.require(image, requirements=["C", "W"]), guide) for guide, image in images]

    def pack_band(start: int, stop: int) -> None:
        for image, guide in sources:  # band by band, so that a band stays in the CPU cache
            channel = packing.first_channel(guide) if guide >= 0 else 0
            scale = packing.scales[channel]
            pack_rows(image, needed, packed, channel, scale, top, packing.radius, start, stop)

    height = images[0][1].shape[0] + 2 * packing.radius
    run_bands(pack_band, height, band=BAND_HEIGHT, threads=threads)


def packed_shape(height: int, width: int, packing: Packing) -> tuple[int, int, int]:
    """The shape of the packed image of an (height, width) image, padding included."""
    pad = 2 * packing.radius
    return height + pad, width + pad, packing.channels
