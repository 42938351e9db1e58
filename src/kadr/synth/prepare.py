"""Pack sources with their guides and weights once, to synthesize frames from them."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kadr.errors import BackendError
from kadr.options import SynthOptions
from kadr.synth.atlas import Atlas, build_atlas
from kadr.synth.buffers import Buffers
from kadr.synth.checks import check_sources, check_targets, to_channels_last
from kadr.synth.frame import FrameInput, FrameSolver
from kadr.synth.packing import Packing, make_packing
from kadr.synth.pyramid import Size, count_levels, level_sizes, shrink
from kadr.synth.stage_timer import StageTimer
from kadr.synth.types import GuideImage, StyleSource, Synthesis


class PreparedSources:
    """Packed sources; ``synthesize`` makes one frame from them. Created by ``prepare``."""

    def __init__(
        self,
        sources: Sequence[StyleSource],
        weights: Sequence[float],
        options: SynthOptions,
        style_weight: float,
        threads: int | None,
    ) -> None:
        self._options, self._threads, self._timer = options, threads, StageTimer()
        self._images = [
            [to_channels_last(source.style), *(to_channels_last(g) for g in source.guides)]
            for source in sources
        ]
        self._masks = [source.mask for source in sources]
        check_sources(sources, self._images, weights, style_weight)
        self._colors = self._images[0][0].shape[2]
        self._counts = [guide.shape[2] for guide in self._images[0][1:]]
        self._packing = self._make_packing(options.patch_size, weights, style_weight)
        self._packing3 = self._make_packing(3, weights, style_weight)
        self._atlases: dict[tuple[int, int], Atlas] = {}
        self._image_levels = [self._images]
        self._lock = threading.Lock()
        self._buffers = Buffers()

    def _make_packing(self, patch: int, weights: Sequence[float], style_weight: float) -> Packing:
        return make_packing(self._colors, self._counts, weights, patch, style_weight)

    @property
    def seconds(self) -> Mapping[str, float]:
        """Wall-clock seconds spent in each stage, summed over all frames."""
        return self._timer.seconds

    def synthesize(
        self,
        guides: Sequence[GuideImage],
        *,
        start_nnf: NDArray[np.generic] | None = None,
        start_source: NDArray[np.generic] | None = None,
        modulation: NDArray[np.generic] | None = None,
        mask: NDArray[np.bool_] | None = None,
        seed: int | None = None,
        measure: bool = True,
    ) -> Synthesis:
        """Synthesize the frame that ``guides`` (one for each weight, all (H, W[, C])) describe.

        start_nnf: (H, W, 2) source positions (x, y), any number type; NaN where unknown. With it
        only the finest level is solved unless ``levels`` asks for more.
        start_source: (H, W) index of the source of each starting position.
        modulation: (H, W, guides) float 0–1 or uint8 0–255, a factor on each guide's weight.
        mask: (H, W) bool, the pixels to synthesize; the others keep their starting matches, which
        count as uses, and cost almost no time. measure: whether the error is wanted; else it is
        that from before the last vote. Raises InputError if sizes or channels do not fit.
        """
        targets = [to_channels_last(guide) for guide in guides]
        size = check_targets(
            self._counts, targets, start_nnf, start_source, modulation, mask, len(self._images)
        )
        frame = FrameInput(size, targets, start_nnf, start_source, modulation, mask)
        options = self._options if seed is None else replace(self._options, seed=seed)
        requested = 1 if start_nnf is not None and options.levels is None else options.levels
        sizes = [(group[0].shape[0], group[0].shape[1]) for group in self._images]
        levels = count_levels([size, *sizes], options.patch_size, requested)
        solver = FrameSolver(
            frame, self._get_atlas, options, self._threads, self._timer, self._buffers
        )
        return solver.solve(levels, self._packing, self._packing3, measure)

    def _get_atlas(self, shift: int, packing: Packing) -> Atlas:
        """The sources at 2⁻ˢʰⁱᶠᵗ of their size, packed on first use and cached."""
        key = (shift, packing.patch_size)
        with self._lock, self._timer.stage("sources"):
            if key not in self._atlases:
                self._atlases[key] = self._build_atlas(shift, packing)
            return self._atlases[key]

    def _build_atlas(self, shift: int, packing: Packing) -> Atlas:
        while (
            len(self._image_levels) <= shift
        ):  # each level from the finer one: a quarter of the pixels
            self._image_levels.append(
                [
                    [
                        shrink(image, self._level_size(number, len(self._image_levels)))
                        for image in group
                    ]
                    for number, group in enumerate(self._image_levels[-1])
                ]
            )
        masks = [
            None if mask is None else shrink(mask, self._level_size(number, shift))
            for number, mask in enumerate(self._masks)
        ]
        if all(mask is not None and not mask.any() for mask in masks):
            masks = [None] * len(masks)  # too small to be visible at this level
        return build_atlas(self._image_levels[shift], masks, packing, self._threads)

    def _level_size(self, source: int, shift: int) -> Size:
        style = self._images[source][0]
        return level_sizes((style.shape[0], style.shape[1]), shift + 1)[0]


def prepare(
    sources: Sequence[StyleSource],
    weights: Sequence[float],
    *,
    options: SynthOptions | None = None,
    style_weight: float = 1.0,
    threads: int | None = None,
    backend: str = "cpu",
) -> PreparedSources:
    """Pack one or several sources once, to synthesize any number of frames from them.

    weights: one for each guide, divided by its channels; ``style_weight`` is that of the style. A
    pixel of the result may come from any source. Raises InputError if sizes, channels or counts
    disagree, BackendError for an unknown backend (this release has "cpu").
    """
    if backend != "cpu":
        raise BackendError(f"backend {backend!r}: not in this release; use 'cpu'")
    return PreparedSources(sources, weights, options or SynthOptions(), style_weight, threads)
