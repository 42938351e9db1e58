"""Create the flat nnf that a level starts from: random, from positions, or from a coarser level."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kadr.core.row_bands import run_bands
from kadr.synth.atlas import Atlas
from kadr.synth.kernels.match import double_rows, flatten_rows
from kadr.synth.packing import BAND_HEIGHT


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

    A position that is NaN or falls on a masked source pixel is replaced by any valid match.
    """
    height, width = positions.shape[:2]
    points = np.require(positions, np.float32, ["C", "W"])
    source_indices = None if source is None else np.require(source, np.uint8, ["C", "W"])
    flat = np.empty(height * width, np.int32)
    run_bands(
        lambda start, stop: flatten_rows(
            points, source_indices, atlas.tops, atlas.heights, atlas.widths, atlas.stride,
            atlas.valid, flat, start, stop,
        ),
        height,
        band=BAND_HEIGHT,
        threads=threads,
    )  # fmt: skip
    return _replace_invalid(atlas, flat)


def upsample(
    coarse: Atlas,
    nnf: NDArray[np.int32],
    coarse_size: tuple[int, int],
    fine: Atlas,
    size: tuple[int, int],
    threads: int | None = None,
) -> NDArray[np.int32]:
    """Upsample a flat nnf to the next level: positions doubled, each pixel keeps its parity."""
    flat = np.empty(size[0] * size[1], np.int32)
    run_bands(
        lambda start, stop: double_rows(
            nnf, coarse_size[1], coarse.tops, coarse.stride, fine.tops, fine.heights, fine.widths,
            fine.stride, fine.valid, flat, size[1], start, stop,
        ),
        size[0],
        band=BAND_HEIGHT,
        threads=threads,
    )  # fmt: skip
    return _replace_invalid(fine, flat)


def _replace_invalid(atlas: Atlas, flat: NDArray[np.int32]) -> NDArray[np.int32]:
    """Replace invalid (negative) matches by random valid ones; deterministic."""
    invalid = flat < 0
    if invalid.any():
        valid = np.flatnonzero(atlas.valid)
        flat[invalid] = valid[
            np.random.default_rng(flat.size).integers(0, valid.size, invalid.sum())
        ]
    return flat
