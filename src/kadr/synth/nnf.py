"""Sizes or a coarser nnf in, an nnf to start a level from out; and its flat form, in and out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kadr.synth.atlas import Atlas


def random_nnf(atlas: Atlas, size: tuple[int, int], seed: int) -> NDArray[np.int32]:
    """A flat nnf of uniformly random valid matches, (height · width,) int32."""
    valid = np.flatnonzero(atlas.valid).astype(np.int32)
    return valid[np.random.default_rng(seed).integers(0, valid.size, size[0] * size[1])]


def flatten(
    atlas: Atlas,
    positions: NDArray[np.generic],
    source: NDArray[np.generic] | None,
) -> NDArray[np.int32]:
    """(H, W, 2) source positions (x, y), rounded and clamped into their source, as flat matches.

    Where a position is not a number, or falls on a masked source pixel, any valid match stands.
    """
    index = np.zeros(positions.shape[:2], np.intp) if source is None else source.astype(np.intp)
    known = np.isfinite(positions).all(axis=2)
    rounded = np.rint(np.where(known[..., None], positions, 0)).astype(np.int64)
    x = np.clip(rounded[..., 0], 0, atlas.widths[index] - 1)
    y = np.clip(rounded[..., 1], 0, atlas.heights[index] - 1) + atlas.tops[index]
    return _repair(atlas, (y * atlas.stride + x).ravel(), known.ravel())


def _repair(
    atlas: Atlas, flat: NDArray[np.int64], known: NDArray[np.bool_]
) -> NDArray[np.int32]:
    bad = ~(atlas.valid[flat] & known)
    if bad.any():
        valid = np.flatnonzero(atlas.valid)
        spread = np.random.default_rng(flat.size).integers(0, valid.size, int(bad.sum()))
        flat[bad] = valid[spread]
    return flat.astype(np.int32)


def unflatten(
    atlas: Atlas, flat: NDArray[np.int32], size: tuple[int, int]
) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """A flat nnf as (H, W, 2) int32 positions (x, y) in their source, and (H, W) source indices."""
    y, x = np.divmod(flat.reshape(size), np.int32(atlas.stride))
    if len(atlas.tops) == 1:
        return np.stack([x, y], axis=2), np.zeros(size, np.uint8)
    source = (np.searchsorted(atlas.tops, y, side="right") - 1).astype(np.uint8)
    y = y - atlas.tops[source].astype(np.int32)
    return np.stack([x, y], axis=2), source


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
