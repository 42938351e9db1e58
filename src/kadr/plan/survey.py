"""A clip in, a survey of it out: its shots, and what a key anywhere would explain around it.

One cheap pass over reduced frames. From each of many candidate keys the key frame is carried along
the motion, step by step, as a run carries a style. Where what arrives has not the colours of the
frame (motion that the flow cannot explain, surface that was hidden, another expression, other
light), the key does not explain it.
"""

from __future__ import annotations

import itertools
import logging
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.events import CancelToken, Event
from kadr.core.frames import FrameRange, Image
from kadr.core.resize import shrink_to_side
from kadr.core.warp import Field, sample, warp
from kadr.errors import OutputError
from kadr.guides.flow import estimate_flow, gray
from kadr.guides.transport import identity, register
from kadr.plan.coverage import WHOLE, Survey
from kadr.plan.shots import LAG, CutFinder
from kadr.storage.store import FolderStore, fingerprint
from kadr.video.base import Clip
from kadr.video.identity import clip_identity

STEP = "survey"
VERSION = 2

REACH = 64
"""Frames before and after a candidate that it is tried on."""
SPACING = 4
"""Frames from a candidate to the next."""
_SIDE = 256
"""Longest side of the reduced frames in pixels."""
_GRID = 6
"""Blocks a side."""
_REGISTER = 4
"""Frames from one correction of a transport against the key itself to the next."""
_OFF = 12.0
"""Levels of 255 that a colour is off, on average of its channels, to count as not explained at all.

Measured against the error of runs: of what could be asked of a pixel this says most about it, more
than structure or stretch do.
"""
_SHARE = np.full((1, 3), WHOLE / (3 * _OFF), np.float32)

Row = NDArray[np.uint8]

_log = logging.getLogger(__name__)


def survey_clip(
    clip: Clip, frames: FrameRange, *, cancel: CancelToken, cache: Path | None = None
) -> Generator[Event, None, Survey]:
    """Survey ``frames`` of a clip, an Event a frame; the value of the generator is the Survey.

    cache: a folder that keeps it, under a name made of the clip's content, so that the same frames
    are not surveyed again. Memory does not grow with the clip but for the survey itself, about a
    kilobyte a frame. Raises Cancelled if ``cancel`` was raised, InputError if a frame is damaged.
    """
    shelf = None if cache is None else _SurveyCache(clip, frames, cache)
    if shelf is not None and (known := shelf.get()) is not None:
        yield Event(STEP, len(frames), len(frames))
        return known
    surveyor = _Surveyor()
    yield Event(STEP, 0, len(frames))
    for frame in clip.frames(frames.start, frames.stop):
        cancel.check()
        surveyor.add(frame.index, shrink_to_side(frame.rgb, _SIDE))
        yield Event(STEP, frame.index - frames.start + 1, len(frames))
    found = surveyor.finish(frames)
    if shelf is not None:
        shelf.put(found)
    return found


def cached_survey(clip: Clip, frames: FrameRange, cache: Path) -> Survey | None:
    """The survey of some frames that ``survey_clip`` kept in ``cache``, if it did."""
    return _SurveyCache(clip, frames, cache).get()


class _SurveyCache:
    """Where the survey of some frames of a clip is kept, named by the clip's content."""

    def __init__(self, clip: Clip, frames: FrameRange, cache: Path) -> None:
        content = clip_identity(clip.info.path, cache)
        self._frames, self._cache = frames, cache
        self._name = "survey-" + fingerprint(STEP, VERSION, content, frames.start, frames.stop)

    def get(self) -> Survey | None:
        """The survey, if it was kept and is whole."""
        if not self._cache.is_dir():
            return None
        arrays = FolderStore(self._cache).get(self._name)
        if arrays is None:
            return None
        shots = tuple(FrameRange(int(start), int(stop)) for start, stop in arrays["shots"])
        return Survey(self._frames, shots, arrays["candidates"], arrays["unexplained"])

    def put(self, survey: Survey) -> None:
        """Keep it; a folder that cannot be written is done without, with a word in the log."""
        arrays = {
            "shots": np.array([(shot.start, shot.stop) for shot in survey.shots]),
            "candidates": survey.candidates,
            "unexplained": survey.unexplained,
        }
        try:
            FolderStore(self._cache).put(self._name, arrays)
        except OutputError as error:
            _log.warning("%s; the clip will be surveyed again next time", error)


@dataclass(frozen=True, eq=False)
class _ReducedFrame:
    """A reduced frame with its motion to the frame before (``to_before``) and from it."""

    index: int
    image: Image
    gray: Image
    to_before: Field | None
    from_before: Field | None


class _Chain:
    """A candidate key carried from frame to frame in one direction."""

    def __init__(self, seen: _ReducedFrame) -> None:
        self._key = seen
        self._transport = identity(*seen.gray.shape)

    @property
    def index(self) -> int:
        """The candidate's frame."""
        return self._key.index

    def step(self, seen: _ReducedFrame, flow: Field) -> Row:
        """Carry on to the next frame; (B,) uint8: what is left unexplained of each block of it."""
        self._transport = warp(self._transport, flow)
        if (seen.index - self.index) % _REGISTER == 0:
            self._transport = register(self._transport, self._key.gray, seen.gray)
        apart = cv2.absdiff(sample(self._key.image, self._transport), seen.image)
        unexplained = cv2.transform(apart, _SHARE)  # as bytes: what is more than whole is whole
        blocks: Row = cv2.resize(unexplained, (_GRID, _GRID), interpolation=cv2.INTER_AREA)
        return blocks.ravel()


class _Surveyor:
    """Takes frames one by one; keeps those within reach."""

    def __init__(self) -> None:
        self._cuts = CutFinder()
        self._known: list[int] = []
        self._starts: list[int] = []
        self._ahead: deque[tuple[int, Image]] = deque()
        self._window: deque[_ReducedFrame] = deque(maxlen=REACH + 1)
        self._forward: list[tuple[int, _Chain]] = []
        self._candidates: list[int] = []
        self._rows: list[NDArray[np.uint8]] = []

    def add(self, index: int, image: Image) -> None:
        """Take the next frame; it is surveyed once it is known whether a shot begins with it."""
        self._known += self._cuts.add(index, image)
        self._ahead.append((index, image))
        if len(self._ahead) > LAG:
            self._take()

    def finish(self, frames: FrameRange) -> Survey:
        """The survey of all frames taken."""
        self._known += self._cuts.finish()
        while self._ahead:
            self._take()
        edges = [*self._starts, frames.stop]
        shots = tuple(FrameRange(a, b) for a, b in itertools.pairwise(edges))
        return Survey(frames, shots, np.array(self._candidates, np.int64), np.stack(self._rows))

    def _take(self) -> None:
        index, image = self._ahead.popleft()
        if not self._starts or index in self._known:
            self._starts.append(index)
            self._window.clear()
            self._forward.clear()
        before = self._window[-1] if self._window else None
        level = gray(image)
        flows = (None, None) if before is None else _flows(level, before.gray)
        seen = _ReducedFrame(index, image, level, *flows)
        self._window.append(seen)
        if seen.to_before is not None:
            for row, chain in self._forward:
                found = chain.step(seen, seen.to_before)
                self._rows[row][REACH + index - chain.index] = found
        self._forward = [(r, c) for r, c in self._forward if index - c.index < REACH]
        last = not self._ahead or self._ahead[0][0] in self._known
        if (index - self._starts[-1]) % SPACING == 0 or last:
            self._try(seen)

    def _try(self, seen: _ReducedFrame) -> None:
        """Make a frame a candidate: carried back at once, onwards as frames come."""
        row = np.full((2 * REACH + 1, _GRID * _GRID), WHOLE, np.uint8)
        row[REACH] = 0
        chain = _Chain(seen)
        for later, now in _pairs(self._window):
            assert later.from_before is not None, "only a shot's first frame has no frame before"
            row[REACH + now.index - seen.index] = chain.step(now, later.from_before)
        self._forward.append((len(self._rows), _Chain(seen)))
        self._candidates.append(seen.index)
        self._rows.append(row)


def _pairs(window: deque[_ReducedFrame]) -> Iterator[tuple[_ReducedFrame, _ReducedFrame]]:
    """(frame, the frame before it), from the last frame of the window backwards."""
    for at in range(len(window) - 1, 0, -1):
        yield window[at], window[at - 1]


def _flows(image: Image, before: Image) -> tuple[Field, Field]:
    return estimate_flow(image, before), estimate_flow(before, image)
