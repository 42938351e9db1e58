"""Sources with their guides and weights in, a ``Prepared`` that makes frames from them out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kadr.core.bands import run_bands
from kadr.core.seeds import derive_seed
from kadr.errors import BackendError, InputError, OptionsError
from kadr.options import SynthOptions
from kadr.synth.atlas import Atlas, build_atlas
from kadr.synth.kernels.pack import modulation_rows
from kadr.synth.level import LevelSolver, Target, no_modulation
from kadr.synth.nnf import flatten, random_nnf, unflatten, upsample
from kadr.synth.packing import BAND, Packing, empty_packed, make_packing, pack_channels
from kadr.synth.pyramid import count_levels, level_sizes, shrink

GuideImage = NDArray[np.uint8] | NDArray[np.float32]
"""(H, W) or (H, W, C) uint8, or float32 on the same 0–255 scale (values within ±16383/weight)."""


@dataclass(frozen=True, eq=False)
class Guide:
    """One guide: the source's channels, the target's, and how much their agreement counts."""

    source: GuideImage
    target: GuideImage
    weight: float


@dataclass(frozen=True, eq=False)
class Source:
    """A style with its guides, all of one size.

    style: (H, W, C) uint8, 1 to 8 channels. guides: one image a guide, in the order of the weights.
    mask: (H, W) bool, True where patches may be taken; None: everywhere.
    """

    style: NDArray[np.uint8]
    guides: Sequence[GuideImage]
    mask: NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class Synthesis:
    """One synthesized frame.

    image: (H, W, C) uint8. nnf: (H, W, 2) int32, each pixel's source position (x, y).
    source: (H, W) uint8, which source it is in. error: (H, W) float32, the patch cost E without
    the uniformity term, for 8-bit values. Outside the mask: 0, nnf −1.
    """

    image: NDArray[np.uint8]
    nnf: NDArray[np.int32]
    source: NDArray[np.uint8]
    error: NDArray[np.float32]


class Prepared:
    """Packed sources; ``frame`` synthesizes one target from them. Made by ``prepare``."""

    def __init__(
        self,
        sources: Sequence[Source],
        weights: Sequence[float],
        options: SynthOptions,
        style_weight: float,
        threads: int | None,
    ) -> None:
        self._options, self._threads = options, threads
        self._images = [
            [_channels_last(source.style), *(_channels_last(g) for g in source.guides)]
            for source in sources
        ]
        self._masks = [source.mask for source in sources]
        _check_sources(sources, self._images, weights)
        self._colors = self._images[0][0].shape[2]
        self._counts = [guide.shape[2] for guide in self._images[0][1:]]
        self._packing = self._pack(options.patch_size, weights, style_weight)
        self._packing3 = self._pack(3, weights, style_weight)
        self._atlases: dict[tuple[int, int], Atlas] = {}

    def _pack(self, patch: int, weights: Sequence[float], style_weight: float) -> Packing:
        return make_packing(self._colors, self._counts, weights, patch, style_weight)

    def _atlas(self, shift: int, packing: Packing) -> Atlas:
        """The sources at 2⁻ˢʰⁱᶠᵗ of their size, packed on first use and kept."""
        key = (shift, packing.patch_size)
        if key not in self._atlases:
            images, masks = [], []
            for group, mask in zip(self._images, self._masks, strict=True):
                size = level_sizes(group[0].shape[:2], shift + 1)[0]
                images.append([shrink(image, size) for image in group])
                small = None if mask is None else shrink(mask, size)
                masks.append(small)
            if all(mask is not None and not mask.any() for mask in masks):
                masks = [None] * len(masks)  # too small to see at this level
            self._atlases[key] = build_atlas(images, masks, packing, self._threads)
        return self._atlases[key]

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
        mask: (H, W) bool, the pixels to make. Raises InputError if sizes or channels do not fit.
        """
        targets = [_channels_last(guide) for guide in guides]
        size = self._check_targets(targets, start_nnf, modulation, mask)
        options = self._options if seed is None else replace(self._options, seed=seed)
        wanted = 1 if start_nnf is not None and options.levels is None else options.levels
        sizes = [group[0].shape[:2] for group in self._images]
        count = count_levels([size, *sizes], options.patch_size, wanted)
        nnf: NDArray[np.int32] | None = None
        target: Target | None = None
        for shift in range(count - 1, -1, -1):
            atlas = self._atlas(shift, self._packing)
            small = level_sizes(size, shift + 1)[0]
            if target is not None:
                above = level_sizes(size, shift + 2)[0]
                nnf = upsample(self._atlas(shift + 1, self._packing), target.nnf, above, atlas, small)
            elif start_nnf is not None:
                nnf = flatten(atlas, *_shrink_start(start_nnf, start_source, small, shift))
            else:
                nnf = random_nnf(atlas, small, derive_seed(options.seed, "start"))
            target = self._target(targets, small, nnf, modulation, mask, self._packing)
            LevelSolver(
                atlas, target, self._packing, options, self._radius(shift, atlas), self._threads
            ).solve()
        assert target is not None
        atlas, packing = self._atlas(0, self._packing), self._packing
        if options.extra_pass_3x3:
            atlas, packing, target = self._extra_pass(targets, target, modulation, mask, options)
        return _result(atlas, target, packing, mask)

    def _extra_pass(
        self,
        targets: Sequence[GuideImage],
        solved: Target,
        modulation: NDArray[np.generic] | None,
        mask: NDArray[np.bool_] | None,
        options: SynthOptions,
    ) -> tuple[Atlas, Packing, Target]:
        """The finest level again with patch 3 and no uniformity: sharper, less even texture."""
        coarse, fine = self._atlas(0, self._packing), self._atlas(0, self._packing3)
        nnf = flatten(fine, *unflatten(coarse, solved.nnf, solved.size))
        target = self._target(targets, solved.size, nnf, modulation, mask, self._packing3)
        options = replace(options, uniformity=0.0)
        radius = self._radius(0, fine)
        LevelSolver(fine, target, self._packing3, options, radius, self._threads).solve()
        return fine, self._packing3, target

    def _radius(self, shift: int, atlas: Atlas) -> int:
        if self._options.search_radius is not None:
            return max(1, self._options.search_radius >> shift)
        return int(max(atlas.heights.max(), atlas.widths.max())) // 2

    def _target(
        self,
        guides: Sequence[GuideImage],
        size: tuple[int, int],
        nnf: NDArray[np.int32],
        modulation: NDArray[np.generic] | None,
        mask: NDArray[np.bool_] | None,
        packing: Packing,
    ) -> Target:
        features = empty_packed(*size, packing)
        for index, guide in enumerate(guides):
            small = shrink(guide, size)
            pack_channels(features, small, packing.first(index), packing, self._threads)
        return Target(
            features,
            nnf,
            np.zeros(nnf.size, np.int32),
            np.zeros((*size, packing.colors), np.uint8),
            np.ones(size, np.bool_) if mask is None else shrink(mask, size),
            _pack_modulation(modulation, size, packing, self._threads),
        )

    def _check_targets(
        self,
        targets: Sequence[GuideImage],
        start_nnf: NDArray[np.generic] | None,
        modulation: NDArray[np.generic] | None,
        mask: NDArray[np.bool_] | None,
    ) -> tuple[int, int]:
        counts = [target.shape[2] for target in targets]
        if counts != self._counts:
            raise InputError(
                f"target guides have {counts} channels; the sources' have {self._counts}"
            )
        if not targets:
            raise InputError("no guides; at least one is needed to say what to make")
        size = targets[0].shape[0], targets[0].shape[1]
        others = {"start nnf": start_nnf, "modulation": modulation, "mask": mask}
        others |= {f"target guide {i + 1}": target for i, target in enumerate(targets)}
        for name, array in others.items():
            if array is not None and array.shape[:2] != size:
                raise InputError(
                    f"{name} is {array.shape[1]}x{array.shape[0]}; "
                    f"the target is {size[1]}x{size[0]}"
                )
        if modulation is not None and (
            modulation.ndim != 3 or modulation.shape[2] != len(self._counts)
        ):
            raise InputError(
                f"modulation has shape {modulation.shape}; "
                f"expected (H, W, {len(self._counts)}), one channel a guide"
            )
        return size


def prepare(
    sources: Sequence[Source],
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


def _channels_last(image: NDArray[np.generic]) -> GuideImage:
    array = np.asarray(image)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or 0 in array.shape:
        raise InputError(f"image of shape {array.shape}; expected (H, W) or (H, W, C)")
    if array.dtype == np.uint8 or array.dtype == np.float32:
        return np.ascontiguousarray(array)
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * 255
    if np.issubdtype(array.dtype, np.floating):
        return array.astype(np.float32)
    raise InputError(f"image of {array.dtype}; expected uint8, or float32 on the scale 0–255")


def _check_sources(
    sources: Sequence[Source], images: Sequence[Sequence[GuideImage]], weights: Sequence[float]
) -> None:
    if not sources:
        raise InputError("no sources; at least one style is needed")
    if len(sources) > 255:
        raise InputError(f"{len(sources)} sources; at most 255 can share one search")
    for weight in weights:
        if not (np.isfinite(weight) and weight >= 0):
            raise OptionsError(f"weight {weight}: expected a number, 0 or more")
    expected = [image.shape[2] for image in images[0]]
    for number, (source, group) in enumerate(zip(sources, images, strict=True), 1):
        if len(group) != len(weights) + 1:
            raise InputError(
                f"source {number} has {len(group) - 1} guides for {len(weights)} weights"
            )
        if group[0].dtype != np.uint8 or not 1 <= group[0].shape[2] <= 8:
            raise InputError(
                f"style {number}: {group[0].dtype}, {group[0].shape[2]} channels; "
                "expected uint8, 1 to 8 channels"
            )
        if [image.shape[2] for image in group] != expected:
            raise InputError(f"source {number}: its channels differ from the first source's")
        others = [("guide", image) for image in group[1:]]
        if source.mask is not None:
            others.append(("mask", source.mask))
            if not source.mask.any():
                raise InputError(f"source {number}: its mask leaves no pixel to take patches from")
        for name, image in others:
            if image.shape[:2] != group[0].shape[:2]:
                raise InputError(
                    f"source {number}: a {name} is {image.shape[1]}x{image.shape[0]}, "
                    f"its style {group[0].shape[1]}x{group[0].shape[0]}"
                )


def _shrink_start(
    start: NDArray[np.generic],
    source: NDArray[np.generic] | None,
    size: tuple[int, int],
    shift: int,
) -> tuple[NDArray[np.float32], NDArray[np.generic] | None]:
    positions = np.asarray(start, np.float32)
    if shift == 0:
        return positions, source
    y = np.minimum(np.arange(size[0]) << shift, start.shape[0] - 1)[:, None]
    x = np.minimum(np.arange(size[1]) << shift, start.shape[1] - 1)[None, :]
    return positions[y, x] / (1 << shift), None if source is None else source[y, x]


def _pack_modulation(
    modulation: NDArray[np.generic] | None,
    size: tuple[int, int],
    packing: Packing,
    threads: int | None,
) -> NDArray[np.int16]:
    """Square roots of the factors in Q15, laid out as the features are; the style's is 1."""
    if modulation is None:
        return no_modulation()
    factors = np.asarray(modulation)
    levels = factors.astype(np.float32, copy=False)
    if factors.dtype == np.uint8:
        levels = levels / np.float32(255)
    small = np.require(shrink(levels, size), np.float32, ["C", "W"])
    packed = empty_packed(*size, packing)
    guide_of = np.full(packing.channels, -1, np.int64)
    for index, count in enumerate(packing.guide_channels):
        first = packing.first(index)
        guide_of[first : first + count] = index
    run_bands(
        lambda start, stop: modulation_rows(small, guide_of, packed, packing.radius, start, stop),
        packed.shape[0],
        band=BAND,
        threads=threads,
    )
    return packed


def _result(
    atlas: Atlas, target: Target, packing: Packing, mask: NDArray[np.bool_] | None
) -> Synthesis:
    nnf, source = unflatten(atlas, target.nnf, target.size)
    error = (target.ssd.astype(np.float32) / np.float32(packing.unit**2)).reshape(target.size)
    if mask is not None:
        outside = ~mask
        target.image[outside] = 0
        nnf[outside] = -1
        error[outside] = 0
    return Synthesis(target.image, nnf, source, error)
