"""Make mattes from masks that were painted on some frames: carry them over the others."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.events import Event, notice
from kadr.core.frames import Frame, FrameRange
from kadr.core.prefetch import prefetch
from kadr.errors import OutputError
from kadr.guides.confidence import smoothstep
from kadr.matte.base import STEP, FrameMatte, Matte, MatteContext, work_image
from kadr.matte.carry import PaintedMatte, carry
from kadr.matte.options import PropagateOptions
from kadr.matte.painted import PaintedMasks
from kadr.storage.store import fingerprint
from kadr.video.base import Clip

_CARRY = "carry"
"""The step of events about frames of passes."""
_LOST = 0.3
"""Mean confidence within a matte below which a frame counts as lost."""
_BLEND = (0.25, 0.75)
"""Share of the weight of one of two mattes at which it begins to count, and counts alone."""


@dataclass(frozen=True)
class _Pass:
    """One painted frame carried over the frames on one side of it, up to the next painted one.

    digest: of the painted mask's file.
    """

    painted: int
    digest: str
    frames: FrameRange

    @property
    def backward(self) -> bool:
        return self.frames.start < self.painted

    @property
    def order(self) -> Sequence[int]:
        indices = range(self.frames.start, self.frames.stop)
        return indices[::-1] if self.backward else indices


class Propagate:
    """The method that carries painted masks along the motion of the clip."""

    Options: ClassVar[type[PropagateOptions]] = PropagateOptions
    VERSION = 1
    name = "propagate"

    def __init__(self, options: PropagateOptions) -> None:
        assert options.painted is not None, "checked by the options"
        self.options, self._painted = options, options.painted

    @property
    def files(self) -> tuple[Path, ...]:
        """The painted masks."""
        return (self._painted,)

    @property
    def settings(self) -> Mapping[str, object]:
        """Nothing: the masks decide all."""
        return {}

    def mattes(
        self, clip: Clip, frames: FrameRange, wanted: FrameRange, context: MatteContext
    ) -> Iterator[Event | FrameMatte]:
        """See MatteMethod. Between two painted frames the passes of both are joined.

        A pass that is complete in the store is not made again.
        """
        painted = PaintedMasks(self._painted, clip, frames)
        for text in painted.notices:
            yield notice(STEP, text)
        passes = [part for part in _passes(painted, frames) if _meet(part.frames, wanted)]
        total = sum(len(part.frames) for part in passes)
        done = 0
        for part in passes:
            if not all(context.store.has(_entry(context, part, index)) for index in part.order):
                for step, _ in enumerate(_run_pass(part, painted, clip, context), start=1):
                    yield Event(_CARRY, done + step, total)
            done += len(part.frames)
        lost: list[int] = []
        painted_indices = frozenset(painted.indices)
        for frame in prefetch(clip.frames(wanted.start, wanted.stop)):
            context.cancel.check()
            image = work_image(frame)
            if frame.index in painted_indices:
                mask = painted.load(frame.index)
                exact = mask.matte if mask.soft else None
                yield FrameMatte(frame, image, _reduce(mask.matte, image.shape[:2]), exact)
                continue
            carried = [part for part in passes if frame.index in part.frames]
            matte, confidence = _join(carried, frame.index, context)
            if _is_lost(matte, confidence):
                lost.append(frame.index)
            yield FrameMatte(frame, image, matte)
        if lost:
            yield notice(STEP, _lost_text(lost, clip))


def _passes(painted: PaintedMasks, frames: FrameRange) -> Iterator[_Pass]:
    """The passes that reach each frame from the painted frames on both sides of it."""
    edges = [frames.start - 1, *painted.indices, frames.stop]
    for before, after in itertools.pairwise(edges):
        if before + 1 >= after:
            continue
        between = FrameRange(before + 1, after)
        if before >= frames.start:
            yield _Pass(before, painted.digest(before), between)
        if after < frames.stop:
            yield _Pass(after, painted.digest(after), between)


def _meet(a: FrameRange, b: FrameRange) -> bool:
    return a.start < b.stop and b.start < a.stop


def _entry(context: MatteContext, part: _Pass, index: int) -> str:
    """The entry in the store of one frame of a pass."""
    name = fingerprint(_CARRY, Propagate.VERSION, context.identity, part)
    return f"mattes/{name}/{index:06d}"


def _run_pass(
    part: _Pass, painted: PaintedMasks, clip: Clip, context: MatteContext
) -> Iterator[int]:
    """Make a pass and store it; yields each frame's index."""
    image = work_image(clip.frame(part.painted))
    matte = _reduce(painted.load(part.painted).matte, image.shape[:2])
    read = clip.frames_backward if part.backward else clip.frames
    frames: Iterator[Frame] = prefetch(read(part.frames.start, part.frames.stop))
    for carried in carry(PaintedMatte(part.painted, image, matte), frames, context.cancel):
        arrays = {
            "matte": _to_bytes(carried.matte),
            "confidence": _to_bytes(carried.confidence),
        }
        context.store.put(_entry(context, part, carried.index), arrays)
        yield carried.index


def _join(passes: Sequence[_Pass], index: int, context: MatteContext) -> tuple[Matte, Matte]:
    """The matte of a frame from the one or two passes over it, and its confidence, each (h, w)."""
    mattes, confidences, weights = [], [], []
    for part in passes:
        entry = _entry(context, part, index)
        arrays = context.store.get(entry)
        if arrays is None:
            context.store.discard(entry)
            raise OutputError(
                f"work files of frame {index} were removed or damaged; start again to make them"
            )
        mattes.append(_from_bytes(arrays["matte"]))
        confidences.append(_from_bytes(arrays["confidence"]))
        nearness = 1 - abs(index - part.painted) / (len(part.frames) + 1)
        weights.append(np.float32(nearness) * (np.square(confidences[-1]) + np.float32(0.02)))
    if len(passes) == 1:
        return mattes[0], confidences[0]
    share = cv2.blur(weights[0] / (weights[0] + weights[1]), (9, 9))
    share = smoothstep(share, *_BLEND)
    joined = mattes[1] + share * (mattes[0] - mattes[1])
    return joined, np.maximum(*confidences)


def _is_lost(matte: Matte, confidence: Matte) -> bool:
    """Whether little of the subject was recognised; without a subject nothing can be lost."""
    area = float(matte.sum())
    return area > 0 and float((matte * confidence).sum()) < _LOST * area


def _lost_text(lost: Sequence[int], clip: Clip) -> str:
    first, last, middle = lost[0], lost[-1], lost[len(lost) // 2]
    where = f"frame {clip.number(first)}"
    if last > first:
        where = f"{len(lost)} frames from {clip.number(first)} to {clip.number(last)}"
    return (
        f"{where}: little of a painted frame is recognised there (a cut, or the subject turned); "
        f"paint a mask on frame {clip.number(middle)} too"
    )


def _reduce(matte: Matte, shape: tuple[int, ...]) -> Matte:
    if matte.shape == shape:
        return matte
    reduced: Matte = cv2.resize(matte, shape[::-1], interpolation=cv2.INTER_AREA)
    return reduced


def _to_bytes(values: Matte) -> NDArray[np.uint8]:
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


def _from_bytes(values: NDArray[np.uint8]) -> Matte:
    return values.astype(np.float32) / np.float32(255)
