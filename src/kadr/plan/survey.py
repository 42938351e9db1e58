"""Survey a clip: find its shots, and how well a key at each candidate explains other frames.

One cheap pass over reduced frames. Each candidate key frame is warped along the optical flow, step
by step, as a run propagates a style. Where the result differs in colour from the frame (motion that
the flow cannot explain, surfaces that were hidden, another expression, other light), the key does
not explain the frame.
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
from kadr.core.stage_times import stage, timed
from kadr.core.warp import Field, sample, warp
from kadr.errors import OutputError
from kadr.guides.flow import estimate_flow, gray
from kadr.guides.transport import identity, register
from kadr.plan.blocks import GRID, MatteBlocks, Mattes, Row, block_values
from kadr.plan.coverage import UNEXPLAINED, Survey
from kadr.plan.shots import DELAY, BoundaryFinder
from kadr.storage.layout import WorkLayout
from kadr.storage.ownership import adopt_folder
from kadr.storage.store import FolderStore, fingerprint
from kadr.video.base import Clip
from kadr.video.identity import identify

STEP = "survey"
VERSION = 5

REACH = 64
"""Number of frames before and after a candidate that are compared with it."""
SPACING = 4
"""Frames between candidates."""
_SIDE = 256
"""Longest side of the reduced frames in pixels."""
_REGISTER = 4
"""Frames between registrations of a transport against the key."""
_MAX_COLOUR_ERROR = 12.0
"""Mean difference of a colour's channels, in levels of 255, that counts as not explained at all.

Compared with the errors of runs, colour difference predicts the error of a pixel better than
structure or stretch.
"""
_COLOUR_WEIGHTS = np.full((1, 3), UNEXPLAINED / (3 * _MAX_COLOUR_ERROR), np.float32)

_log = logging.getLogger(__name__)


def survey_clip(
    clip: Clip,
    frames: FrameRange,
    *,
    cancel: CancelToken,
    cache: Path | None = None,
    masks: Mattes | None = None,
) -> Generator[Event, None, Survey]:
    """Survey ``frames`` of a clip, with an Event for each frame; the generator returns the Survey.

    cache: a folder that stores it, under a name derived from the content of the clip, so that the
    same frames are not surveyed again. masks: which part of each frame counts; None: all of it;
    cuts are found in whole frames. Memory grows only by the survey itself, about two kilobytes
    for each frame. Raises Cancelled if ``cancel`` is set, InputError if a frame is damaged.
    """
    survey_cache = None if cache is None else _SurveyCache(clip, frames, cache, masks)
    if survey_cache is not None and (cached := survey_cache.get()) is not None:
        yield Event(STEP, len(frames), len(frames))
        return cached
    builder = _SurveyBuilder()
    yield Event(STEP, 0, len(frames))
    for frame in timed("decode", clip.frames(frames.start, frames.stop)):
        cancel.check()
        matte = None if masks is None else shrink_to_side(masks.matte(frame.index), _SIDE)
        builder.add(frame.index, shrink_to_side(frame.rgb, _SIDE), matte)
        yield Event(STEP, frame.index - frames.start + 1, len(frames))
    survey = builder.finish(frames)
    if survey_cache is not None:
        survey_cache.put(survey)
    return survey


def cached_survey(
    clip: Clip, frames: FrameRange, cache: Path, masks: Mattes | None = None
) -> Survey | None:
    """The survey of some frames that ``survey_clip`` stored in ``cache``, or None."""
    return _SurveyCache(clip, frames, cache, masks).get()


class _SurveyCache:
    """The cache entry for a survey of some frames, named by the content of the clip."""

    def __init__(self, clip: Clip, frames: FrameRange, cache: Path, masks: Mattes | None) -> None:
        content = identify(clip, cache)
        self._frames, self._cache = frames, cache
        mattes = [] if masks is None else [[masks.digest(index) for index in frames]]
        name = fingerprint(STEP, VERSION, content, frames.start, frames.stop, *mattes)
        self._entry = WorkLayout.survey_entry(name)

    def get(self) -> Survey | None:
        """The survey, or None if it is missing or damaged."""
        if not self._cache.is_dir():
            return None
        arrays = FolderStore(self._cache).get(self._entry)
        if arrays is None:
            return None
        shots = tuple(FrameRange(int(start), int(stop)) for start, stop in arrays["shots"])
        return Survey(
            self._frames, shots, arrays["candidates"], arrays["unexplained"], arrays["small"]
        )

    def put(self, survey: Survey) -> None:
        """Store the survey; logs a warning if the folder cannot be written."""
        arrays = {
            "shots": np.array([(shot.start, shot.stop) for shot in survey.shots]),
            "candidates": survey.candidates,
            "unexplained": survey.unexplained,
            **({} if survey.small is None else {"small": survey.small}),
        }
        try:
            adopt_folder(self._cache)
            FolderStore(self._cache).put(self._entry, arrays)
        except OutputError as error:
            _log.warning("%s; the clip will be surveyed again next time", error)


@dataclass(frozen=True, eq=False)
class _ReducedFrame:
    """A reduced frame with the optical flow to the previous frame and from it.

    blocks: of its matte; None without masks.
    """

    index: int
    image: Image
    gray: Image
    to_previous: Field | None
    from_previous: Field | None
    blocks: MatteBlocks | None = None


class _CandidateTracker:
    """Warps a candidate key from frame to frame in one direction."""

    def __init__(self, frame: _ReducedFrame) -> None:
        self._key = frame
        self._transport = identity(*frame.gray.shape)

    @property
    def index(self) -> int:
        """The candidate's frame."""
        return self._key.index

    def step(self, frame: _ReducedFrame, flow: Field) -> Row:
        """Advance to the next frame; returns (2, B) uint8, what stays unexplained in its blocks."""
        self._transport = warp(self._transport, flow)
        if (frame.index - self.index) % _REGISTER == 0:
            self._transport = register(self._transport, self._key.gray, frame.gray)
        difference = cv2.absdiff(sample(self._key.image, self._transport), frame.image)
        unexplained = cv2.transform(difference, _COLOUR_WEIGHTS)  # uint8: saturates at 255
        blocks = frame.blocks
        return block_values(unexplained) if blocks is None else blocks.values(unexplained)


class _SurveyBuilder:
    """Builds a survey frame by frame; keeps the frames within reach."""

    def __init__(self) -> None:
        self._finder = BoundaryFinder()
        self._boundaries: list[int] = []
        self._starts: list[int] = []
        self._pending: deque[tuple[int, Image, NDArray[np.float32] | None]] = deque()
        self._window: deque[_ReducedFrame] = deque(maxlen=REACH + 1)
        self._forward: list[tuple[int, _CandidateTracker]] = []
        self._candidates: list[int] = []
        self._rows: list[NDArray[np.uint8]] = []

    def add(self, index: int, image: Image, matte: NDArray[np.float32] | None) -> None:
        """Add the next frame; it is processed once it is certain whether a shot starts with it."""
        self._boundaries += self._finder.add(index, image)
        self._pending.append((index, image, matte))
        if len(self._pending) > DELAY:
            self._process_next()

    def finish(self, frames: FrameRange) -> Survey:
        """The survey of all added frames."""
        self._boundaries += self._finder.finish()
        while self._pending:
            self._process_next()
        edges = [*self._starts, frames.stop]
        shots = tuple(FrameRange(a, b) for a, b in itertools.pairwise(edges))
        rows = np.stack(self._rows)
        candidates = np.array(self._candidates, np.int64)
        return Survey(frames, shots, candidates, rows[:, :, 0].copy(), rows[:, :, 1].copy())

    def _process_next(self) -> None:
        index, image, matte = self._pending.popleft()
        if not self._starts or index in self._boundaries:
            self._starts.append(index)
            self._window.clear()
            self._forward.clear()
        previous = self._window[-1] if self._window else None
        luma = gray(image)
        with stage("flow"):
            there, back = (None, None) if previous is None else _flows(luma, previous.gray)
        blocks = None if matte is None else MatteBlocks(matte)
        frame = _ReducedFrame(index, image, luma, there, back, blocks)
        self._window.append(frame)
        if frame.to_previous is not None:
            for row, tracker in self._forward:
                unexplained = tracker.step(frame, frame.to_previous)
                self._rows[row][REACH + index - tracker.index] = unexplained
        self._forward = [
            (row, tracker) for row, tracker in self._forward if index - tracker.index < REACH
        ]
        is_last = not self._pending or self._pending[0][0] in self._boundaries
        if (index - self._starts[-1]) % SPACING == 0 or is_last:
            self._add_candidate(frame)

    def _add_candidate(self, frame: _ReducedFrame) -> None:
        """Make a frame a candidate: compare it with earlier frames now and with later ones."""
        row = np.full((2 * REACH + 1, 2, GRID * GRID), UNEXPLAINED, np.uint8)
        row[REACH] = 0
        tracker = _CandidateTracker(frame)
        for next_frame, earlier in _pairs(self._window):
            assert next_frame.from_previous is not None, (
                "only the first frame of a shot has no previous frame"
            )
            row[REACH + earlier.index - frame.index] = tracker.step(
                earlier, next_frame.from_previous
            )
        self._forward.append((len(self._rows), _CandidateTracker(frame)))
        self._candidates.append(frame.index)
        self._rows.append(row)


def _pairs(window: deque[_ReducedFrame]) -> Iterator[tuple[_ReducedFrame, _ReducedFrame]]:
    """(frame, previous frame), from the last frame of the window backwards."""
    for position in range(len(window) - 1, 0, -1):
        yield window[position], window[position - 1]


def _flows(image: Image, previous: Image) -> tuple[Field, Field]:
    return estimate_flow(image, previous), estimate_flow(previous, image)
