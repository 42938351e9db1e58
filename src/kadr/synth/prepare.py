"""Sources with their guides and weights in, a ``Prepared`` that makes frames from them out."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kadr.errors import BackendError
from kadr.options import SynthOptions
from kadr.synth.atlas import Atlas, build_atlas
from kadr.synth.checks import channels_last, check_sources, check_targets
from kadr.synth.clock import Clock
from kadr.synth.frame import FrameInput, FrameSolver
from kadr.synth.packing import Packing, make_packing
from kadr.synth.pyramid import Size, count_levels, level_sizes, shrink
from kadr.synth.values import GuideImage, StyleSource, Synthesis


class Prepared:
    """Packed sources; ``frame`` synthesizes one target from them. Made by ``prepare``."""

    def __init__(
        self,
        sources: Sequence[StyleSource],
        weights: Sequence[float],
        options: SynthOptions,
        style_weight: float,
        threads: int | None,
    ) -> None:
        self._options, self._threads, self._clock = options, threads, Clock()
        self._images = [
            [channels_last(source.style), *(channels_last(g) for g in source.guides)]
            for source in sources
        ]
        self._masks = [source.mask for source in sources]
        check_sources(sources, self._images, weights, style_weight)
        self._colors = self._images[0][0].shape[2]
        self._counts = [guide.shape[2] for guide in self._images[0][1:]]
        self._packing = self._pack(options.patch_size, weights, style_weight)
        self._packing3 = self._pack(3, weights, style_weight)
        self._atlases: dict[tuple[int, int], Atlas] = {}
        self._shrunk = [self._images]
        self._lock = threading.Lock()

    def _pack(self, patch: int, weights: Sequence[float], style_weight: float) -> Packing:
        return make_packing(self._colors, self._counts, weights, patch, style_weight)

    @property
    def seconds(self) -> Mapping[str, float]:
        """Wall-clock seconds spent so far in each stage of all frames made."""
        return self._clock.seconds

    def frame(
        self,
        guides: Sequence[GuideImage],
        *,
        start_nnf: NDArray[np.generic] | None = None,
        start_source: NDArray[np.generic] | None = None,
        modulation: NDArray[np.generic] | None = None,
        mask: NDArray[np.bool_] | None = None,
        seed: int | None = None,
    ) -> Synthesis:
        """Synthesize the frame that ``guides`` (one a weight, all (H, W[, C])) describe.

        start_nnf: (H, W, 2) source positions (x, y), any number type; NaN where unknown. With it
        only the finest level is solved unless ``levels`` asks for more.
        start_source: (H, W) index of the source each starting position is in.
        modulation: (H, W, guides) float 0–1 or uint8 0–255, a factor on each guide's weight.
        mask: (H, W) bool, the pixels to make; the others keep their starting matches, count as
        uses of those, and cost next to no time. Raises InputError if sizes or channels do not fit.
        """
        targets = [channels_last(guide) for guide in guides]
        size = check_targets(
            self._counts, targets, start_nnf, start_source, modulation, mask, len(self._images)
        )
        frame = FrameInput(size, targets, start_nnf, start_source, modulation, mask)
        options = self._options if seed is None else replace(self._options, seed=seed)
        wanted = 1 if start_nnf is not None and options.levels is None else options.levels
        sizes = [(group[0].shape[0], group[0].shape[1]) for group in self._images]
        levels = count_levels([size, *sizes], options.patch_size, wanted)
        solver = FrameSolver(frame, self._atlas, options, self._threads, self._clock)
        return solver.solve(levels, self._packing, self._packing3)

    def _atlas(self, shift: int, packing: Packing) -> Atlas:
        """The sources at 2⁻ˢʰⁱᶠᵗ of their size, packed on first use and kept."""
        key = (shift, packing.patch_size)
        with self._lock, self._clock.stage("sources"):
            if key not in self._atlases:
                self._atlases[key] = self._build(shift, packing)
            return self._atlases[key]

    def _build(self, shift: int, packing: Packing) -> Atlas:
        while len(self._shrunk) <= shift:  # each level from the one above, a quarter of its work
            self._shrunk.append(
                [
                    [shrink(image, self._size(number, len(self._shrunk))) for image in group]
                    for number, group in enumerate(self._shrunk[-1])
                ]
            )
        masks = [
            None if mask is None else shrink(mask, self._size(number, shift))
            for number, mask in enumerate(self._masks)
        ]
        if all(mask is not None and not mask.any() for mask in masks):
            masks = [None] * len(masks)  # too small to see at this level
        return build_atlas(self._shrunk[shift], masks, packing, self._threads)

    def _size(self, source: int, shift: int) -> Size:
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
) -> Prepared:
    """Pack one or several sources once, to synthesize any number of frames from them.

    weights: one a guide, shared out over its channels; ``style_weight`` is the style's. A pixel of
    the result may come from any source. Raises InputError if sizes, channels or counts disagree,
    BackendError for a backend that is not there (this release has "cpu").
    """
    if backend != "cpu":
        raise BackendError(f"backend {backend!r}: not in this release; use 'cpu'")
    return Prepared(sources, weights, options or SynthOptions(), style_weight, threads)
