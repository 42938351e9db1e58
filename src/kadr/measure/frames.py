"""Frames of film, output and truth in; curves of all measures out, two frames in memory at a time.

Beside them the filmed frames of the two keys around a frame are held, for ghosting, and a small
histogram of each key, for the style distance.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kadr.core.events import CancelToken, Event
from kadr.core.frames import Image
from kadr.guides.flow import gray
from kadr.measure.change import FilmedMotion, measure_change
from kadr.measure.correlation import local_correlation
from kadr.measure.curves import Curves
from kadr.measure.ghosting import TonePrediction, ghost_share
from kadr.measure.psnr import peak_signal_to_noise
from kadr.measure.sharpness import laplacian_deviation
from kadr.measure.ssim import structural_similarity
from kadr.measure.style_distance import StyleHistogram

STEP = "measure"


@dataclass(frozen=True, eq=False)
class Pair:
    """A filmed frame and the same frame of output and truth, each (H, W, 3) uint8 of one size."""

    filmed: Image
    output: Image
    truth: Image | None = None


@dataclass(frozen=True)
class KeySource:
    """The keys of a clip, read when they are needed.

    positions: among the frames that are measured, sorted. read: position → the key. filmed:
    position → its filmed frame. Both (H, W, 3) uint8.
    """

    positions: Sequence[int] = ()
    read: Callable[[int], Image] | None = None
    filmed: Callable[[int], Image] | None = None


def measure_frames(
    pairs: Iterable[Pair],
    keys: KeySource = KeySource(),
    *,
    total: int | None = None,
    cancel: CancelToken | None = None,
) -> Generator[Event, None, Curves]:
    """Measure a clip in one pass; returns its curves.

    total: how many frames there are, for progress. Raises Cancelled.
    """
    cancel = cancel or CancelToken()
    curves = Curves(keys=tuple(keys.positions))
    key_frames = _KeyFrames(keys)
    previous: Pair | None = None
    for position, pair in enumerate(pairs):
        cancel.check()
        _measure_still(position, pair, curves)
        _measure_change(position, pair, previous, curves)
        if keys.positions:
            key_frames.measure(position, pair, curves)
        previous = pair
        yield Event(STEP, position + 1, total)
    return curves


def _measure_still(position: int, pair: Pair, curves: Curves) -> None:
    """What one frame shows by itself."""
    output, filmed = gray(pair.output), gray(pair.filmed)
    curves.pixels = filmed.size
    curves.detail.append(laplacian_deviation(output))
    curves.filmed_detail.append(laplacian_deviation(filmed))
    curves.structure.append(local_correlation(output, filmed))
    if pair.truth is not None:
        curves.psnr.append(peak_signal_to_noise(pair.output, pair.truth))
        curves.ssim.append(structural_similarity(pair.output, pair.truth))


def _measure_change(position: int, pair: Pair, previous: Pair | None, curves: Curves) -> None:
    """What changed since the frame before."""
    motion = None
    if previous is not None:
        motion = FilmedMotion.between(gray(pair.filmed), gray(previous.filmed))
        if motion is None:
            curves.cuts.append(position)
    if motion is None or previous is None:
        curves.output.add(None)
        curves.filmed.add(None)
        return
    curves.output.add(measure_change(pair.output, previous.output, motion))
    curves.filmed.add(measure_change(pair.filmed, previous.filmed, motion))


@dataclass(frozen=True, eq=False)
class _KeyHistograms:
    painted: StyleHistogram
    filmed: StyleHistogram


@dataclass(frozen=True, eq=False)
class _KeyStructure:
    """What ghosting needs of a key: its filmed gray, and the tones that it gives to the film."""

    filmed: NDArray[np.uint8]
    tones: TonePrediction
    gradients: NDArray[np.float32]


@dataclass
class _KeyFrames:
    """Compares frames with the keys around them; holds the structure of two keys at most."""

    keys: KeySource
    histograms: dict[int, _KeyHistograms] = field(default_factory=dict)
    structures: dict[int, _KeyStructure] = field(default_factory=dict)

    def measure(self, position: int, pair: Pair, curves: Curves) -> None:
        around = self._around(position)
        for key in around:
            if key not in self.histograms or key not in self.structures:
                self._load(key)
        for key in set(self.structures) - set(around):
            del self.structures[key]
        nearest = min(around, key=lambda key: abs(key - position))
        if nearest == position:
            self._measure_key(position, pair, curves)
        reference = self.histograms[nearest]
        for histogram, image, colour, texture in (
            (reference.painted, pair.output, curves.style_colour, curves.style_texture),
            (
                reference.filmed,
                pair.filmed,
                curves.filmed_style_colour,
                curves.filmed_style_texture,
            ),
        ):
            colours, textures = StyleHistogram.of(image).distance(histogram)
            colour.append(colours)
            texture.append(textures)
        others = [self.structures[key] for key in around if key != position]
        curves.ghosting.append(
            ghost_share(
                gray(pair.output),
                gray(pair.filmed),
                self.structures[nearest].tones.gradients(pair.filmed),
                [(other.filmed, other.gradients) for other in others],
            )
            if nearest != position
            else None
        )

    def _around(self, position: int) -> list[int]:
        """The keys before and after a frame, or the key that it is."""
        place = bisect.bisect_left(self.keys.positions, position)
        if place < len(self.keys.positions) and self.keys.positions[place] == position:
            return [position]
        return list(self.keys.positions[max(0, place - 1) : place + 1])

    def _load(self, key: int) -> None:
        assert self.keys.read is not None
        assert self.keys.filmed is not None
        painted, filmed = self.keys.read(key), self.keys.filmed(key)
        if key not in self.histograms:
            self.histograms[key] = _KeyHistograms(
                StyleHistogram.of(painted), StyleHistogram.of(filmed)
            )
        tones = TonePrediction(filmed, painted)
        self.structures[key] = _KeyStructure(gray(filmed), tones, tones.gradients(filmed))

    def _measure_key(self, position: int, pair: Pair, curves: Curves) -> None:
        assert self.keys.read is not None
        painted = self.keys.read(position)
        luma = gray(painted)
        curves.key_detail.append(laplacian_deviation(luma))
        curves.key_structure.append(local_correlation(luma, gray(pair.filmed)))
        curves.exact_keys += int(np.array_equal(pair.output, painted))
