"""Sizes or a coarser nnf in, an nnf to start a level from out; and its flat form, in and out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kadr.core.bands import run_bands
from kadr.synth.atlas import Atlas
from kadr.synth.kernels.match import flatten_rows, unflatten_rows
from kadr.synth.packing import BAND


def random_nnf(atlas: Atlas, size: tuple[int, int], seed: int) -> NDArray[np.int32]:
    """A flat nnf of uniformly random valid matches, (height · width,) int32."""
    valid = np.flatnonzero(atlas.valid).astype(np.int32)
    return valid[np.random.default_rng(seed).integers(0, valid.size, size[0] * size[1])]


def flatten(
    atlas: Atlas,
    positions: NDArray[np.generic],
    source: NDArray[np.generic] | None,
    threads: int | None = None,
) -> NDArray[np.int32]:
    """(H, W, 2) source positions (x, y), rounded and clamped into their source, as flat matches.

    Where a position is not a number, or falls on a masked source pixel, any valid match stands.
    """
    size = positions.shape[:2]
    points = np.require(positions, np.float32, ["C", "W"])
    index = np.zeros(size, np.uint8) if source is None else np.require(source, np.uint8, ["C", "W"])
    flat = np.empty(size[0] * size[1], np.int32)
    run_bands(
        lambda start, stop: flatten_rows(
            points, index, atlas.tops, atlas.heights, atlas.widths, atlas.stride, atlas.valid,
            flat, start, stop,
        ),
        size[0],
        band=BAND,
        threads=threads,
    )  # fmt: skip
    bad = flat < 0
    if bad.any():
        valid = np.flatnonzero(atlas.valid)
        flat[bad] = valid[np.random.default_rng(flat.size).integers(0, valid.size, bad.sum())]
    return flat


def unflatten(
    atlas: Atlas, flat: NDArray[np.int32], size: tuple[int, int], threads: int | None = None
) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """A flat nnf as (H, W, 2) int32 positions (x, y) in their source, and (H, W) source indices."""
    positions, source = np.empty((*size, 2), np.int32), np.empty(size, np.uint8)
    run_bands(
        lambda start, stop: unflatten_rows(
            flat, atlas.tops, atlas.stride, positions, source, start, stop
        ),
        size[0],
        band=BAND,
        threads=threads,
    )
    return positions, source


def upsample(
    coarse: Atlas,
    flat: NDArray[np.int32],
    coarse_size: tuple[int, int],
    fine: Atlas,
    fine_size: tuple[int, int],
) -> NDArray[np.int32]:
    """Carry a flat nnf to the next level: doubled, each pixel keeping its parity."""
    positions, source = unflatten(coarse, flat, coarse_size)
    y = np.arange(fine_size[0])[:, None]
    x = np.arange(fine_size[1])[None, :]
    cy = np.minimum(y // 2, coarse_size[0] - 1)
    cx = np.minimum(x // 2, coarse_size[1] - 1)
    doubled = positions[cy, cx] * 2
    doubled[..., 0] += (x % 2).astype(np.int32)
    doubled[..., 1] += (y % 2).astype(np.int32)
    return flatten(fine, doubled, source[cy, cx])
