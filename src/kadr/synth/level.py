"""One level's search and vote: a packed target with its nnf in, both improved out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.bands import run_bands
from kadr.core.seeds import derive_seed
from kadr.options import SynthOptions
from kadr.synth.atlas import Atlas
from kadr.synth.clock import Clock
from kadr.synth.kernels.error import error_rows
from kadr.synth.kernels.pack import pad_edges
from kadr.synth.kernels.search import search_rows
from kadr.synth.kernels.usage import count_matches, move_matches, penalty_rows
from kadr.synth.kernels.vote import vote_rows, weight_rows
from kadr.synth.packing import BAND, Packing

_SLOWNESS = 3
"""Penalties move an eighth of the way an iteration: steadier, and lower in energy, than at once."""


@dataclass(eq=False)
class Target:
    """The image being made at one level.

    features: (H + 2r, W + 2r, channels) int16 packed. nnf, ssd: (H · W,) int32.
    image: (H, W, colors) uint8. mask: (H, W) bool, the pixels to make.
    modulation: packed like features, or None.
    """

    features: NDArray[np.int16]
    nnf: NDArray[np.int32]
    ssd: NDArray[np.int32]
    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    modulation: NDArray[np.int16] | None

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
        clock: Clock,
    ) -> None:
        self._atlas, self._target, self._packing = atlas, target, packing
        self._options, self._radius, self._threads = options, radius, threads
        self._clock = clock
        self._channels = (None,) * packing.channels
        self._patch = (None,) * packing.patch_size
        self._features = target.features.reshape(-1)
        self._modulation = None if target.modulation is None else target.modulation.reshape(-1)
        self._stride = target.features.shape[1]
        self._hits = np.zeros(atlas.valid.size, np.int32)
        self._penalty = np.empty(atlas.valid.size, np.int32)

    def solve(self, measure: bool) -> None:
        """Vote once from the starting nnf, then search and vote until settled or out of rounds.

        measure: whether ``ssd`` must hold for the final image, not only for the last search.
        """
        mask, options = self._target.mask, self._options
        if not mask.any():
            return
        self._vote(voting_pixels(mask, options, self._packing), weighted=False)
        if options.weighted_vote:  # whatever votes must know its cost, made here or not
            self._measure(voting_pixels(mask, options, self._packing))
        self._start_penalty()
        active = mask
        for round_ in range(options.vote_iterations):
            for iteration in range(options.search_iterations):
                self._search(active, round_, iteration)
            changed = self._vote(active, options.weighted_vote)
            active = dilate(changed, self._packing.patch_size) & active
            if not active.any():
                break
        if measure:
            self._measure(mask)

    def _measure(self, active: NDArray[np.bool_]) -> None:
        target, atlas = self._target, self._atlas
        height, width = target.size
        flags = active.reshape(-1)

        def rows(start: int, stop: int) -> None:
            error_rows(
                self._features, atlas.features, self._modulation, flags, target.nnf, target.ssd,
                width, self._stride, atlas.stride, start, stop, self._channels, self._patch,
            )  # fmt: skip

        with self._clock.stage("measure"):
            run_bands(rows, height, band=BAND, threads=self._threads)

    def _search(self, active: NDArray[np.bool_], round_: int, iteration: int) -> None:
        target, atlas, options = self._target, self._atlas, self._options
        height, width = target.size
        flags, before = active.reshape(-1), target.nnf.copy()
        number = round_ * options.search_iterations + iteration
        step = 1 if number % 2 == 0 else -1
        seed = derive_seed(options.seed, "search", number, height, width) & 0xFFFFFFFF
        limits, fresh = self._limits(), iteration == 0

        def rows(start: int, stop: int) -> None:
            search_rows(
                self._features, atlas.features, self._modulation, self._penalty, flags, before,
                target.nnf, target.ssd, (width, self._stride, atlas.stride), start, stop, step,
                limits, fresh, seed, self._channels, self._patch,
            )  # fmt: skip

        with self._clock.stage("search"):
            run_bands(rows, height, band=BAND, threads=self._threads)
        if options.uniformity > 0:
            with self._clock.stage("penalty"):
                move_matches(before, target.nnf, flags, self._hits)
                self._update_penalty(_SLOWNESS)

    def _limits(self) -> tuple[int, int, int, int]:
        """Radius and the cost that is good enough; the whole source and the cost that is lost."""
        options, atlas = self._options, self._atlas
        full = options.full_search_threshold
        whole = int(max(atlas.heights.max(), atlas.widths.max())) // 2
        enough, lost = options.search_threshold, math.inf if full is None else full
        return self._radius, self._cost(enough), max(whole, self._radius), self._cost(lost)

    def _cost(self, mean: float) -> int:
        """A mean squared error a channel as the cost of a whole patch."""
        values = self._packing.patch_size**2 * sum(s > 0 for s in self._packing.scales)
        return int(min(mean * self._packing.unit**2 * values, 1 << 29))

    def _start_penalty(self) -> None:
        with self._clock.stage("penalty"):
            if self._options.uniformity > 0:
                count_matches(self._target.nnf, self._hits)
            self._update_penalty(0)

    def _update_penalty(self, slowness: int) -> None:
        """Bring the penalties 1/2^slowness of the way to λ·Ω/Ω*."""
        atlas, patch = self._atlas, self._packing.patch_size
        even = self._target.nnf.size / max(int(atlas.valid.sum()), 1) * patch**2
        scale = self._options.uniformity * self._packing.unit**2 / (even * patch**2)

        def rows(start: int, stop: int) -> None:
            penalty_rows(
                self._hits, atlas.valid, self._penalty, atlas.stride, patch, scale,
                slowness, start, stop,
            )  # fmt: skip

        run_bands(rows, atlas.rows, band=BAND, threads=self._threads)

    def _vote(self, active: NDArray[np.bool_], weighted: bool) -> NDArray[np.bool_]:
        """Rebuild all pixels that the matches of ``active`` ones cover; says which moved."""
        target, atlas, packing = self._target, self._atlas, self._packing
        height, width = target.size
        changed = np.empty((height, width), np.bool_)
        flags, image = changed.reshape(-1), target.image.reshape(-1)
        scales = np.array(packing.scales, np.float32)
        colors = (None,) * packing.colors
        with self._clock.stage("vote"):
            reach = dilate(active, packing.patch_size).reshape(-1)
            weights = self._weights() if weighted else None

            def rows(start: int, stop: int) -> None:
                vote_rows(
                    target.nnf, weights, atlas.style, scales, reach, self._features, image, flags,
                    width, self._stride, atlas.stride, start, stop, self._options.stop_threshold,
                    self._channels, self._patch, colors,
                )  # fmt: skip

            run_bands(rows, height, band=BAND, threads=self._threads)
            pad_edges(target.features, packing.colors, packing.radius)
        return changed

    def _weights(self) -> NDArray[np.uint16]:
        target, packing = self._target, self._packing
        softness = 1.0 / (packing.unit**2 * packing.patch_size**2 * packing.colors)
        weights = np.empty(target.ssd.size, np.uint16)
        run_bands(
            lambda start, stop: weight_rows(target.ssd, softness, weights, start, stop),
            weights.size,
            band=1 << 16,
            threads=self._threads,
        )
        return weights


def dilate(mask: NDArray[np.bool_], patch_size: int) -> NDArray[np.bool_]:
    """All pixels that a patch around a pixel of ``mask`` covers."""
    if mask.all():
        return mask
    kernel = np.ones((patch_size, patch_size), np.uint8)
    wide: NDArray[np.bool_] = cv2.dilate(mask.view(np.uint8), kernel).view(np.bool_)
    return wide


def voting_pixels(
    mask: NDArray[np.bool_], options: SynthOptions, packing: Packing
) -> NDArray[np.bool_]:
    """The pixels whose cost is needed: those to make and, for weighted votes, those around them."""
    return dilate(mask, packing.patch_size) if options.weighted_vote else mask
