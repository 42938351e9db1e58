"""One frame's guides and the packed sources in, the synthesized frame out: coarse to fine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kadr.core.row_bands import run_bands
from kadr.core.seeds import derive_seed
from kadr.options import SynthOptions
from kadr.synth.atlas import Atlas
from kadr.synth.clock import Clock
from kadr.synth.kernels.match import result_rows
from kadr.synth.kernels.pack import modulation_rows
from kadr.synth.level import LevelSolver, Target, dilate, voting_pixels
from kadr.synth.nnf import flatten, random_nnf, upsample
from kadr.synth.packing import BAND, Packing, empty_packed, pack_images
from kadr.synth.pyramid import Size, level_sizes, shrink
from kadr.synth.values import GuideImage, Synthesis

_SMALL = 1 << 14
"""Pixels up to which a level is searched everywhere: there it costs little and finds most."""

_NEAR = 4
"""Reach of random search on larger levels that start from a smaller one, in pixels."""


@dataclass(frozen=True, eq=False)
class FrameInput:
    """What one frame is made from, checked: all arrays are (height, width, …) of ``size``."""

    size: Size
    targets: Sequence[GuideImage]
    start_nnf: NDArray[np.generic] | None
    start_source: NDArray[np.generic] | None
    modulation: NDArray[np.generic] | None
    mask: NDArray[np.bool_] | None


class FrameSolver:
    """Takes one frame from the coarsest level to the finest; use ``solve`` once."""

    def __init__(
        self,
        frame: FrameInput,
        atlas_of: Callable[[int, Packing], Atlas],
        options: SynthOptions,
        threads: int | None,
        clock: Clock,
    ) -> None:
        """``atlas_of(shift, packing)`` gives the packed sources at 2⁻ˢʰⁱᶠᵗ of their size."""
        self._shrunk = [list(frame.targets)]
        self._frame, self._atlas_of = frame, atlas_of
        self._options, self._threads, self._clock = options, threads, clock

    def solve(self, levels: int, packing: Packing, packing3: Packing) -> Synthesis:
        """Solve ``levels`` levels with ``packing``, then, if asked for, the 3×3 pass."""
        target: Target | None = None
        atlas: Atlas | None = None
        with self._clock.stage("pack"):
            for shift in range(1, levels):  # each level from the one above, a quarter of its work
                size = level_sizes(self._frame.size, shift + 1)[0]
                self._shrunk.append([shrink(image, size) for image in self._shrunk[-1]])
        for shift in range(levels - 1, -1, -1):
            above, atlas = atlas, self._atlas_of(shift, packing)
            size = level_sizes(self._frame.size, shift + 1)[0]
            with self._clock.stage("start"):
                if target is not None and above is not None:
                    nnf = upsample(above, target.nnf, target.size, atlas, size, self._threads)
                else:
                    nnf = self._start(atlas, size, shift)
            refined = target is not None
            target = self._solve_level(atlas, packing, nnf, size, shift, self._options, refined)
        assert target is not None
        assert atlas is not None
        if not self._options.extra_pass_3x3:
            return self._result(atlas, packing, target, target.mask)
        whole = self._result(atlas, packing, target, np.ones(target.size, np.bool_))
        fine, options = self._atlas_of(0, packing3), replace(self._options, uniformity=0.0)
        nnf = flatten(fine, whole.nnf, whole.source, self._threads)
        target = self._solve_level(fine, packing3, nnf, target.size, 0, options, True)
        return self._result(fine, packing3, target, target.mask)

    def _start(self, atlas: Atlas, size: Size, shift: int) -> NDArray[np.int32]:
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
        refined: bool,
    ) -> Target:
        """Solve one level; ``refined``: the nnf is an earlier level's, not a guess."""
        with self._clock.stage("pack"):
            target = self._target(packing, nnf, size, shift)
        if options.search_radius is not None:
            radius = max(1, options.search_radius >> shift)
        else:
            radius = int(max(atlas.heights.max(), atlas.widths.max())) // 2
            if refined and nnf.size > _SMALL:
                radius = min(radius, _NEAR)
        solver = LevelSolver(atlas, target, packing, options, radius, self._threads, self._clock)
        solver.solve(measure=shift == 0)
        return target

    def _target(self, packing: Packing, nnf: NDArray[np.int32], size: Size, shift: int) -> Target:
        """Pack the guides at ``size``, where the mask says that anything will look at them."""
        frame, mask, wanted = self._frame, np.ones(size, np.bool_), None
        if frame.mask is not None:
            mask = np.ascontiguousarray(shrink(frame.mask, size))
            margin = np.pad(voting_pixels(mask, self._options, packing), packing.radius)
            wanted = dilate(margin, packing.patch_size)
        features = empty_packed(*size, packing)
        pack_images(
            features,
            list(enumerate(self._shrunk[shift])),
            packing,
            wanted=wanted,
            threads=self._threads,
        )
        return Target(
            features,
            nnf,
            np.zeros(nnf.size, np.int32),
            np.zeros((*size, packing.colors), np.uint8),
            mask,
            self._pack_modulation(packing, size, wanted),
        )

    def _pack_modulation(
        self, packing: Packing, size: Size, wanted: NDArray[np.bool_] | None
    ) -> NDArray[np.int16] | None:
        """Square roots of the factors less one in Q15, as the features; the style's is 0."""
        factors = self._frame.modulation
        if factors is None:
            return None
        if factors.dtype != np.uint8:
            factors = factors.astype(np.float32, copy=False)
        unit = 1.0 / 255.0 if factors.dtype == np.uint8 else 1.0
        small = np.require(shrink(factors, size), requirements=["C", "W"])
        packed = empty_packed(*size, packing)
        guide_of = np.full(packing.channels, -1, np.int64)
        for index, count in enumerate(packing.guide_channels):
            first = packing.first(index)
            guide_of[first : first + count] = index
        run_bands(
            lambda start, stop: modulation_rows(
                small, unit, wanted, guide_of, packed, packing.radius, start, stop
            ),
            packed.shape[0],
            band=BAND,
            threads=self._threads,
        )
        return packed

    def _result(
        self, atlas: Atlas, packing: Packing, target: Target, mask: NDArray[np.bool_]
    ) -> Synthesis:
        size = target.size
        made = Synthesis(
            target.image,
            np.empty((*size, 2), np.int32),
            np.empty(size, np.uint8),
            np.empty(size, np.float32),
        )
        with self._clock.stage("result"):
            run_bands(
                lambda start, stop: result_rows(
                    target.nnf, target.ssd, mask, atlas.tops, made.image, made.nnf, made.source,
                    made.error, atlas.stride, 1.0 / packing.unit**2, start, stop,
                ),
                size[0],
                band=BAND,
                threads=self._threads,
            )  # fmt: skip
        return made
