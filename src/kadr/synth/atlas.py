"""Pack one level of one or several sources into one image, the atlas.

Sources lie below each other, each edge-padded by the patch radius on all sides. So a match is a
single flat index, and a search can move from one source to another without special handling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kadr.core.row_bands import run_bands
from kadr.synth.kernels.pack import lane_rows
from kadr.synth.packing import BAND_HEIGHT, Packing, pack_images


@dataclass(frozen=True, eq=False)
class Atlas:
    """Packed sources at one level.

    features: flat int16, rows · stride · channels. style: flat uint64, rows · stride · words,
    four 16-bit lanes in a word, one colour each.
    valid: (rows · stride,) bool, True where the top-left of a complete, unmasked patch may lie.
    tops, heights, widths: (sources,) number of rows above each source, and its size.
    """

    features: NDArray[np.int16]
    style: NDArray[np.uint64]
    valid: NDArray[np.bool_]
    stride: int
    tops: NDArray[np.int64]
    heights: NDArray[np.int64]
    widths: NDArray[np.int64]

    @property
    def rows(self) -> int:
        """Rows of the atlas, padding included."""
        return self.valid.size // self.stride


def build_atlas(
    images: Sequence[Sequence[NDArray[np.uint8] | NDArray[np.float32]]],
    masks: Sequence[NDArray[np.bool_] | None],
    packing: Packing,
    threads: int | None = None,
) -> Atlas:
    """Pack ``images[source] = [style, guide, guide, …]``, all (H, W, C), one size each source."""
    radius, pad = packing.radius, 2 * packing.radius
    heights = np.array([group[0].shape[0] for group in images], np.int64)
    widths = np.array([group[0].shape[1] for group in images], np.int64)
    tops = np.concatenate([[0], np.cumsum(heights + pad)[:-1]]).astype(np.int64)
    stride = int(widths.max()) + pad
    rows = int((heights + pad).sum())
    features = np.zeros((rows, stride, packing.channels), np.int16)
    style = np.zeros((rows, stride, (packing.colors + 3) // 4), np.uint64)
    valid = np.zeros((rows, stride), np.bool_)
    for group, mask, top, height, width in zip(images, masks, tops, heights, widths, strict=True):
        pack_images(features, list(enumerate(group, -1)), packing, top=int(top), threads=threads)
        _write_style(style, group[0], int(top), radius, threads)
        valid[top : top + height, :width] = True if mask is None else mask
    return Atlas(
        features.reshape(-1), style.reshape(-1), valid.reshape(-1), stride, tops, heights, widths
    )


def _write_style(
    style: NDArray[np.uint64],
    image: NDArray[np.generic],
    top: int,
    radius: int,
    threads: int | None,
) -> None:
    pixels = np.require(image, requirements=["C", "W"])
    run_bands(
        lambda start, stop: lane_rows(pixels, style, top, radius, start, stop),
        image.shape[0] + 2 * radius,
        band=BAND_HEIGHT,
        threads=threads,
    )
