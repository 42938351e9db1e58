"""Synthesize one frame from its guides and the packed sources, coarse to fine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kadr.core.row_bands import run_bands
from kadr.core.seeds import derive_seed
from kadr.options import SynthOptions
from kadr.synth.atlas import Atlas
from kadr.synth.buffers import Buffers
from kadr.synth.kernels.match import result_rows
from kadr.synth.kernels.pack import modulation_rows
from kadr.synth.level import LevelSolver, Target, dilate, voting_pixels
from kadr.synth.nnf import flatten, random_nnf, upsample
from kadr.synth.packing import BAND_HEIGHT, Packing, pack_images, packed_shape
from kadr.synth.pyramid import Size, level_sizes, shrink
from kadr.synth.stage_timer import StageTimer
from kadr.synth.types import GuideImage, Synthesis

_FULL_SEARCH_PIXELS = 1 << 14
"""Levels of up to so many pixels search the whole source: there it is cheap and most effective."""

_REFINED_RADIUS = 4
"""Radius in pixels of random search on larger levels that start from a coarser one."""


@dataclass(frozen=True, eq=False)
class FrameInput:
    """Checked inputs of one frame; all arrays are (height, width, …) of ``size``."""

    size: Size
    targets: Sequence[GuideImage]
    start_nnf: NDArray[np.generic] | None
    start_source: NDArray[np.generic] | None
    modulation: NDArray[np.generic] | None
    mask: NDArray[np.bool_] | None


class FrameSolver:
    """Solves one frame from the coarsest level to the finest; call ``solve`` once."""

    def __init__(
        self,
        frame: FrameInput,
        get_atlas: Callable[[int, Packing], Atlas],
        options: SynthOptions,
        threads: int | None,
        timer: StageTimer,
        buffers: Buffers,
    ) -> None:
        """``get_atlas(shift, packing)`` returns the packed sources at 2⁻ˢʰⁱᶠᵗ of their size."""
        self._target_levels = [list(frame.targets)]
        self._frame, self._get_atlas = frame, get_atlas
        self._options, self._threads, self._timer = options, threads, timer
        self._buffers = buffers

    def solve(
        self, levels: int, packing: Packing, packing3: Packing, measure: bool = True
    ) -> Synthesis:
        """Solve ``levels`` levels with ``packing``, then, if the options say so, the 3×3 pass.

        measure: whether the error of the final image is measured.
        """
        self._measure = measure
        target: Target | None = None
        atlas: Atlas | None = None
        with self._timer.stage("pack"):
            for shift in range(1, levels):  # each level from the finer one: a quarter of the pixels
                size = level_sizes(self._frame.size, shift + 1)[0]
                self._target_levels.append(
                    [shrink(image, size) for image in self._target_levels[-1]]
                )
        for shift in range(levels - 1, -1, -1):
            coarser_atlas, atlas = atlas, self._get_atlas(shift, packing)
            size = level_sizes(self._frame.size, shift + 1)[0]
            with self._timer.stage("start"):
                if target is not None and coarser_atlas is not None:
                    nnf = upsample(
                        coarser_atlas, target.nnf, target.size, atlas, size, self._threads
                    )
                else:
                    nnf = self._start_nnf(atlas, size, shift)
            is_refined = target is not None
            target = self._solve_level(atlas, packing, nnf, size, shift, self._options, is_refined)
        assert target is not None
        assert atlas is not None
        if not self._options.extra_pass_3x3:
            return self._make_result(atlas, packing, target, target.mask)
        unmasked = self._make_result(atlas, packing, target, np.ones(target.size, np.bool_))
        atlas3, options = self._get_atlas(0, packing3), replace(self._options, uniformity=0.0)
        nnf = flatten(atlas3, unmasked.nnf, unmasked.source, self._threads)
        target = self._solve_level(atlas3, packing3, nnf, target.size, 0, options, True)
        return self._make_result(atlas3, packing3, target, target.mask)

    def _start_nnf(self, atlas: Atlas, size: Size, shift: int) -> NDArray[np.int32]:
        start, source = self._frame.start_nnf, self._frame.start_source
        if start is None:
            return random_nnf(atlas, size, derive_seed(self._options.seed, "start"))
        if shift:
            y = np.minimum(np.arange(size[0]) << shift, start.shape[0] - 1)[:, None]
            x = np.minimum(np.arange(size[1]) << shift, start.shape[1] - 1)[None, :]
            start = start[y, x].astype(np.float32) / np.float32(1 << shift)
            source = None if source is None else source[y, x]
        return flatten(atlas, start, source, self._threads)

    def _solve_level(
        self,
        atlas: Atlas,
        packing: Packing,
        nnf: NDArray[np.int32],
        size: Size,
        shift: int,
        options: SynthOptions,
        is_refined: bool,
    ) -> Target:
        """Solve one level; ``is_refined``: the nnf comes from an earlier level."""
        with self._timer.stage("pack"):
            target = self._make_target(packing, nnf, size, shift)
        if options.search_radius is not None:
            radius = max(1, options.search_radius >> shift)
        else:
            radius = int(max(atlas.heights.max(), atlas.widths.max())) // 2
            if is_refined and nnf.size > _FULL_SEARCH_PIXELS:
                radius = min(radius, _REFINED_RADIUS)
        solver = LevelSolver(atlas, target, packing, options, radius, self._threads, self._timer)
        solver.solve(measure=shift == 0 and self._measure)
        self._buffers.give(target.features)  # what is left to do needs the matches only
        if target.modulation is not None:
            self._buffers.give(target.modulation)
        return target

    def _make_target(
        self, packing: Packing, nnf: NDArray[np.int32], size: Size, shift: int
    ) -> Target:
        """Pack the guides at ``size``, only where the mask needs them."""
        frame, mask, needed = self._frame, np.ones(size, np.bool_), None
        if frame.mask is not None:
            # a copy: to Numba a read-only array is another type, and all kernels compile again
            mask = np.array(shrink(frame.mask, size), order="C")
            margin = np.pad(voting_pixels(mask, self._options, packing), packing.radius)
            needed = dilate(margin, packing.patch_size)
        features = self._buffers.take(packed_shape(*size, packing))
        pack_images(
            features,
            list(enumerate(self._target_levels[shift])),
            packing,
            needed=needed,
            threads=self._threads,
        )
        return Target(
            features,
            nnf,
            np.zeros(nnf.size, np.int32),
            np.zeros((*size, packing.colors), np.uint8),
            mask,
            self._pack_modulation(packing, size, needed),
        )

    def _pack_modulation(
        self, packing: Packing, size: Size, needed: NDArray[np.bool_] | None
    ) -> NDArray[np.int16] | None:
        """√factor − 1 in Q15, laid out as the features; 0 for the style."""
        factors = self._frame.modulation
        if factors is None:
            return None
        if factors.dtype != np.uint8:
            factors = np.rint(np.clip(factors.astype(np.float32), 0, 1) * 255).astype(np.uint8)
        reduced = np.require(shrink(factors, size), requirements=["C", "W"])
        roots = np.rint((np.sqrt(np.arange(256) / 255) - 1) * 32768).astype(np.int16)
        packed = self._buffers.take(packed_shape(*size, packing))
        first = np.array([packing.first_channel(i) for i in range(len(packing.guide_channels))])
        channels = np.stack([first, first + np.array(packing.guide_channels)], axis=1)
        run_bands(
            lambda start, stop: modulation_rows(
                reduced, needed, roots, channels, packed, packing.radius, start, stop
            ),
            packed.shape[0],
            band=BAND_HEIGHT,
            threads=self._threads,
        )
        return packed

    def _make_result(
        self, atlas: Atlas, packing: Packing, target: Target, mask: NDArray[np.bool_]
    ) -> Synthesis:
        size = target.size
        result = Synthesis(
            target.image,
            np.empty((*size, 2), np.int32),
            np.empty(size, np.uint8),
            np.empty(size, np.float32),
        )
        with self._timer.stage("result"):
            run_bands(
                lambda start, stop: result_rows(
                    target.nnf, target.ssd, mask, atlas.tops, result.image, result.nnf,
                    result.source, result.error, atlas.stride, 1.0 / packing.unit**2, start, stop,
                ),
                size[0],
                band=BAND_HEIGHT,
                threads=self._threads,
            )  # fmt: skip
        return result
