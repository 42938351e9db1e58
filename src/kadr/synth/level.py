"""One level's search and vote: a packed target with its nnf in, both improved out."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.bands import run_bands
from kadr.core.seeds import derive_seed
from kadr.options import SynthOptions
from kadr.synth.atlas import Atlas
from kadr.synth.kernels.error import error_rows
from kadr.synth.kernels.pack import pad_edges, penalty_rows
from kadr.synth.kernels.search import search_rows
from kadr.synth.kernels.vote import vote_rows
from kadr.synth.packing import BAND, Packing

_NO_MODULATION = np.empty(0, np.int16)


@dataclass(eq=False)
class Target:
    """The image being made at one level.

    features: (H + 2r, W + 2r, channels) int16 packed. nnf, ssd: (H · W,) int32.
    image: (H, W, colors) uint8. mask: (H, W) bool, the pixels to make.
    modulation: packed like features, or empty.
    """

    features: NDArray[np.int16]
    nnf: NDArray[np.int32]
    ssd: NDArray[np.int32]
    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    modulation: NDArray[np.int16]

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)"""
        return self.mask.shape[0], self.mask.shape[1]


class LevelSolver:
    """Holds what the passes of one level share: arrays, packing, options and threads."""

    def __init__(
        self,
        atlas: Atlas,
        target: Target,
        packing: Packing,
        options: SynthOptions,
        radius: int,
        threads: int | None,
    ) -> None:
        self._atlas, self._target, self._packing = atlas, target, packing
        self._options, self._radius, self._threads = options, radius, threads
        self._channels = (None,) * packing.channels
        self._patch = (None,) * packing.patch_size
        self._flat = target.features.reshape(-1)
        self._modulation = target.modulation.reshape(-1)
        self._stride = target.features.shape[1]
        self._kernel = np.ones((packing.patch_size, packing.patch_size), np.uint8)
        self._penalty = np.empty(atlas.valid.size, np.int32)

    def solve(self) -> None:
        """Vote once from the starting nnf, then search and vote until settled or out of rounds."""
        target = self._target
        active = self._spread(target.mask)
        self._vote(active, weighted=False)
        for round_ in range(self._options.vote_iterations):
            self._measure(active)
            for iteration in range(self._options.search_iterations):
                self._search(active, round_ * self._options.search_iterations + iteration)
            active = self._spread(self._vote(active, self._options.weighted_vote)) & active
            if not active.any():
                break
        self._measure(active)

    def _spread(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        if mask.all():
            return mask
        return cv2.dilate(mask.view(np.uint8), self._kernel).view(np.bool_)

    def _measure(self, active: NDArray[np.bool_]) -> None:
        target, atlas = self._target, self._atlas
        height, width = target.size
        flags = active.reshape(-1)

        def rows(start: int, stop: int) -> None:
            error_rows(
                self._flat, atlas.features, self._modulation, flags, target.nnf, target.ssd,
                width, self._stride, atlas.stride, start, stop, self._channels, self._patch,
            )  # fmt: skip

        run_bands(rows, height, band=BAND, threads=self._threads)

    def _search(self, active: NDArray[np.bool_], iteration: int) -> None:
        target, atlas = self._target, self._atlas
        height, width = target.size
        self._update_penalty()
        flags, before = active.reshape(-1), target.nnf.copy()
        step = 1 if iteration % 2 == 0 else -1
        seed = derive_seed(self._options.seed, "search", iteration, height, width) & 0xFFFFFFFF
        values = self._packing.patch_size**2 * sum(s > 0 for s in self._packing.scales)
        enough = int(min(self._options.enough * self._packing.unit**2 * values, 1 << 29))

        def rows(start: int, stop: int) -> None:
            search_rows(
                self._flat, atlas.features, self._modulation, self._penalty, flags, before,
                target.nnf, target.ssd, width, self._stride, atlas.stride, start, stop, step,
                self._radius, enough, seed, self._channels, self._patch,
            )  # fmt: skip

        run_bands(rows, height, band=BAND, threads=self._threads)

    def _update_penalty(self) -> None:
        """λ·Ω/Ω* of Kaspar et al. 2015 from a histogram of matches and two box filters."""
        atlas, patch = self._atlas, self._packing.patch_size
        scale = 0.0
        usage = np.zeros(atlas.valid.size, np.float32)
        if self._options.uniformity > 0:
            hits = np.bincount(self._target.nnf, minlength=atlas.valid.size)
            grid = hits.astype(np.float32).reshape(atlas.rows, atlas.stride)
            for _ in range(2):
                grid = cv2.boxFilter(
                    grid, -1, (patch, patch), normalize=False, borderType=cv2.BORDER_CONSTANT
                )
            usage = grid.reshape(-1)
            even = self._target.nnf.size / max(int(atlas.valid.sum()), 1) * patch**2
            scale = self._options.uniformity * self._packing.unit**2 / (even * patch**2)
        run_bands(
            lambda start, stop: penalty_rows(
                usage, atlas.valid, self._penalty, scale, start, stop
            ),
            atlas.valid.size,
            band=1 << 16,
            threads=self._threads,
        )

    def _vote(self, active: NDArray[np.bool_], weighted: bool) -> NDArray[np.bool_]:
        target, atlas, packing = self._target, self._atlas, self._packing
        height, width = target.size
        reach = self._spread(active).reshape(-1)
        changed = np.empty((height, width), np.bool_)
        flags, image = changed.reshape(-1), target.image.reshape(-1)
        scales = np.array(packing.scales, np.float32)
        softness = 0.0
        if weighted:
            softness = 1.0 / (packing.unit**2 * packing.patch_size**2 * packing.colors)
        colors = (None,) * packing.colors

        def rows(start: int, stop: int) -> None:
            vote_rows(
                target.nnf, target.ssd, atlas.style, scales, reach, self._flat, image, flags,
                width, self._stride, atlas.stride, start, stop, self._options.stop_threshold,
                softness, self._channels, self._patch, colors,
            )  # fmt: skip

        run_bands(rows, height, band=BAND, threads=self._threads)
        pad_edges(target.features, packing.colors, packing.radius)
        return changed


def no_modulation() -> NDArray[np.int16]:
    """The empty array that stands for no modulation."""
    return _NO_MODULATION
