"""Search and vote of one level: improve a packed target and its nnf."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.row_bands import run_bands
from kadr.core.seeds import derive_seed
from kadr.options import SynthOptions
from kadr.synth.atlas import Atlas
from kadr.synth.kernels.error import error_rows
from kadr.synth.kernels.pack import pad_edges
from kadr.synth.kernels.search import search_rows
from kadr.synth.kernels.usage import count_matches, move_matches, penalty_rows
from kadr.synth.kernels.vote import vote_rows, weight_rows
from kadr.synth.packing import BAND_HEIGHT, Packing
from kadr.synth.stage_timer import StageTimer

_PENALTY_SHIFT = 3
"""Penalties move 1/2³ of the way in an iteration: more stable and lower in energy than at once."""


@dataclass(eq=False)
class Target:
    """The image that one level synthesizes.

    features: (H + 2r, W + 2r, channels) int16 packed. nnf, ssd: (H · W,) int32.
    image: (H, W, colors) uint8. mask: (H, W) bool, the pixels to synthesize.
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
    """The passes of one level and what they share: arrays, packing, options and threads."""

    def __init__(
        self,
        atlas: Atlas,
        target: Target,
        packing: Packing,
        options: SynthOptions,
        radius: int,
        threads: int | None,
        timer: StageTimer,
    ) -> None:
        self._atlas, self._target, self._packing = atlas, target, packing
        self._options, self._radius, self._threads = options, radius, threads
        self._timer = timer
        self._channels = (None,) * packing.channels
        self._patch = (None,) * packing.patch_size
        self._features = target.features.reshape(-1)
        self._modulation = None if target.modulation is None else target.modulation.reshape(-1)
        self._stride = target.features.shape[1]
        self._match_counts = np.zeros(atlas.valid.size, np.int32)
        self._penalty = np.empty(atlas.valid.size, np.int32)

    def solve(self, measure: bool) -> None:
        """Vote from the starting nnf, then search and vote until nothing changes or rounds end.

        measure: whether to compute ``ssd`` again for the final image, after the last vote.
        """
        mask, options = self._target.mask, self._options
        if not mask.any():
            return
        self._vote(voting_pixels(mask, options, self._packing), weighted=False)
        if options.weighted_vote:  # every voting pixel needs its cost, inside the mask or not
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

        def measure_band(start: int, stop: int) -> None:
            error_rows(
                self._features, atlas.features, self._modulation, flags, target.nnf, target.ssd,
                width, self._stride, atlas.stride, start, stop, self._channels, self._patch,
            )  # fmt: skip

        with self._timer.stage("measure"):
            run_bands(measure_band, height, band=BAND_HEIGHT, threads=self._threads)

    def _search(self, active: NDArray[np.bool_], round_: int, iteration: int) -> None:
        target, atlas, options = self._target, self._atlas, self._options
        height, width = target.size
        flags, previous_nnf = active.reshape(-1), target.nnf.copy()
        number = round_ * options.search_iterations + iteration
        step = 1 if number % 2 == 0 else -1
        seed = derive_seed(options.seed, "search", number, height, width) & 0xFFFFFFFF
        limits, remeasure = self._search_limits(), iteration == 0

        def search_band(start: int, stop: int) -> None:
            search_rows(
                self._features, atlas.features, self._modulation, self._penalty, flags,
                previous_nnf, target.nnf, target.ssd, (width, self._stride, atlas.stride),
                start, stop, step, limits, remeasure, seed, self._channels, self._patch,
            )  # fmt: skip

        with self._timer.stage("search"):
            run_bands(search_band, height, band=BAND_HEIGHT, threads=self._threads)
        if options.uniformity > 0:
            with self._timer.stage("penalty"):
                move_matches(previous_nnf, target.nnf, flags, self._match_counts)
                self._update_penalty(_PENALTY_SHIFT)

    def _search_limits(self) -> tuple[int, int, int, int, int]:
        """The ``limits`` of ``search_rows``."""
        options, atlas = self._options, self._atlas
        high_cost = (
            math.inf if options.full_search_threshold is None else options.full_search_threshold
        )
        widest = int(max(atlas.heights.max(), atlas.widths.max())) // 2
        return (
            self._radius,
            self._patch_cost(options.search_threshold),
            self._patch_cost(options.near_search_threshold),
            max(widest, self._radius),
            self._patch_cost(high_cost),
        )

    def _patch_cost(self, mean: float) -> int:
        """A mean squared error for each channel, as the cost of a whole patch."""
        values = self._packing.patch_size**2 * sum(s > 0 for s in self._packing.scales)
        return int(min(mean * self._packing.unit**2 * values, 1 << 29))

    def _start_penalty(self) -> None:
        with self._timer.stage("penalty"):
            if self._options.uniformity > 0:
                count_matches(self._target.nnf, self._match_counts)
            self._update_penalty(0)

    def _update_penalty(self, shift: int) -> None:
        """Bring the penalties 1/2^shift of the way to λ·Ω/Ω*."""
        atlas, patch = self._atlas, self._packing.patch_size
        mean_usage = self._target.nnf.size / max(int(atlas.valid.sum()), 1) * patch**2
        scale = self._options.uniformity * self._packing.unit**2 / (mean_usage * patch**2)

        def update_band(start: int, stop: int) -> None:
            penalty_rows(
                self._match_counts, atlas.valid, self._penalty, atlas.stride, patch, scale,
                shift, start, stop,
            )  # fmt: skip

        run_bands(update_band, atlas.rows, band=BAND_HEIGHT, threads=self._threads)

    def _vote(self, active: NDArray[np.bool_], weighted: bool) -> NDArray[np.bool_]:
        """Rebuild all pixels covered by matches of ``active`` pixels; returns the changed ones."""
        target, atlas, packing = self._target, self._atlas, self._packing
        height, width = target.size
        changed = np.empty((height, width), np.bool_)
        flags, image = changed.reshape(-1), target.image.reshape(-1)
        scales = np.array(packing.scales, np.float32)
        colors = (None,) * packing.colors
        with self._timer.stage("vote"):
            covered = dilate(active, packing.patch_size).reshape(-1)
            weights = self._vote_weights() if weighted else None

            def vote_band(start: int, stop: int) -> None:
                vote_rows(
                    target.nnf, weights, atlas.style, scales, covered, self._features, image, flags,
                    width, self._stride, atlas.stride, packing.channels, start, stop,
                    self._options.stop_threshold, self._patch, colors,
                )  # fmt: skip

            run_bands(vote_band, height, band=BAND_HEIGHT, threads=self._threads)
            pad_edges(target.features, packing.colors, packing.radius)
        return changed

    def _vote_weights(self) -> NDArray[np.uint16]:
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
    dilated: NDArray[np.bool_] = cv2.dilate(mask.view(np.uint8), kernel).view(np.bool_)
    return dilated


def voting_pixels(
    mask: NDArray[np.bool_], options: SynthOptions, packing: Packing
) -> NDArray[np.bool_]:
    """The pixels whose cost is needed: the mask and, for weighted votes, the pixels around it."""
    return dilate(mask, packing.patch_size) if options.weighted_vote else mask
