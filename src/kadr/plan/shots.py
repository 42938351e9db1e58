"""Detect the shots of a clip from reduced frames.

Cuts are found by PySceneDetect's adaptive detector, gradual transitions by kadr.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Frame, FrameRange, Image
from kadr.core.resize import shrink_to_side
from kadr.plan import transitions
from kadr.plan.transitions import TransitionFinder

DELAY = transitions.DELAY
"""Number of later frames needed to decide whether a shot starts with a frame."""

_SIDE = 256
"""Longest side in pixels at which frames are compared."""
_MAX_FLASH = 4
"""Longest flash in frames; a longer one counts as two cuts."""
_FLASH_RATIO = 0.4
"""Fraction of the difference at a cut; if the image returns closer than that, it was a flash."""
_MIN_LENGTH = 5
"""Length of the shortest shot in frames."""
_RECENT = 11
"""Number of thumbnails kept to tell a flash from a cut."""
_RATE = 25.0
"""Frames a second for PySceneDetect; only frames are counted, so the value does not matter."""


def find_shots(frames: Iterable[Frame]) -> list[FrameRange]:
    """The shots of consecutive frames, in order; together they contain every frame once.

    A shot ends at a cut, or in the middle of a gradual transition (a dissolve, a fade into another
    picture); a wipe is not found. A flash of light or a fast pan ends no shot. Reads frames one by
    one and keeps a few reduced ones in memory. Without frames there are no shots.
    """
    finder = BoundaryFinder()
    boundaries: list[int] = []
    first = last = -1
    for frame in frames:
        first, last = (frame.index if first < 0 else first), frame.index
        boundaries += finder.add(frame.index, frame.rgb)
    boundaries += finder.finish()
    return list(_between([first, *boundaries, last + 1])) if first >= 0 else []


def _between(edges: list[int]) -> Iterator[FrameRange]:
    for start, stop in itertools.pairwise(edges):
        yield FrameRange(start, stop)


class BoundaryFinder:
    """Finds where shots start in a stream of frames; reports each start ``DELAY`` frames later."""

    def __init__(self) -> None:
        self._cuts, self._transitions = _CutFinder(), TransitionFinder()
        self._pending_cuts: list[int] = []
        self._pending_middles: list[int] = []
        self._last: int | None = None
        self._last_boundary: int | None = None

    def add(self, index: int, image: Image) -> list[int]:
        """Add the next frame, (H, W, 3) uint8 RGB; returns the boundaries that are certain now.

        A boundary is the index of the first frame of a shot. Indices rise by one from call to call.
        """
        if self._last_boundary is None:
            self._last_boundary = index
        self._last = index
        reduced = shrink_to_side(image, _SIDE)
        self._pending_cuts += self._cuts.add(index, reduced)
        self._pending_middles += self._transitions.add(index, reduced)
        return self._confirm(index - DELAY)

    def finish(self) -> list[int]:
        """The remaining boundaries, after the last frame."""
        if self._last is None:
            return []
        self._pending_cuts += self._cuts.finish()
        self._pending_middles += self._transitions.finish()
        return self._confirm(self._last)

    def _confirm(self, until: int) -> list[int]:
        """The boundaries up to frame ``until``; a transition near a cut is that cut."""
        boundaries = []
        for index in sorted({*self._pending_cuts, *self._pending_middles}):
            if index > until:
                break
            if index in self._pending_cuts or self._is_far_from_cuts(index):
                self._last_boundary = index
                boundaries.append(index)
        self._pending_middles = [middle for middle in self._pending_middles if middle > until]
        self._pending_cuts = [cut for cut in self._pending_cuts if cut > until]
        return boundaries

    def _is_far_from_cuts(self, middle: int) -> bool:
        assert self._last_boundary is not None, "a transition comes after a frame"
        near_cut = any(abs(cut - middle) < _MIN_LENGTH for cut in self._pending_cuts)
        return middle - self._last_boundary >= _MIN_LENGTH and not near_cut


class _CutFinder:
    """Finds cuts in a stream of reduced frames; reports each one a few frames later."""

    def __init__(self) -> None:
        from scenedetect.detectors import AdaptiveDetector

        self._detector = AdaptiveDetector(min_scene_len=1)
        self._recent: deque[tuple[int, NDArray[np.float32]]] = deque(maxlen=_RECENT)
        self._pending: list[int] = []
        self._last_cut: int | None = None

    def add(self, index: int, image: Image) -> list[int]:
        """Add the next frame, (H, W, 3) uint8; returns the cuts that are certain now."""
        from scenedetect.common import FrameTimecode

        if self._last_cut is None:
            self._last_cut = index
        self._recent.append((index, _thumbnail(image)))
        bgr = np.ascontiguousarray(image[..., ::-1])
        detected: list[Any] = self._detector.process_frame(FrameTimecode(index, _RATE), bgr)
        self._pending += [time.frame_num for time in detected]
        return self._confirm(index - _MAX_FLASH)

    def finish(self) -> list[int]:
        """The remaining cuts, after the last frame."""
        return self._confirm(self._recent[-1][0] if self._recent else 0)

    def _confirm(self, until: int) -> list[int]:
        """Cuts up to frame ``until``, without flashes and shots that are too short."""
        certain = [cut for cut in self._pending if cut <= until]
        self._pending = [cut for cut in self._pending if cut > until]
        cuts = []
        for cut in certain:
            assert self._last_cut is not None, "a cut comes after a frame"
            if cut - self._last_cut >= _MIN_LENGTH and not self._is_flash(cut):
                self._last_cut = cut
                cuts.append(cut)
        return cuts

    def _is_flash(self, cut: int) -> bool:
        """Whether an image soon after the cut looks like one soon before it."""
        images_before = [
            image for index, image in self._recent if cut - 1 - _MAX_FLASH <= index < cut
        ]
        images_after = [image for index, image in self._recent if cut <= index <= cut + _MAX_FLASH]
        cut_difference = _difference(images_before[-1], images_after[0])
        smallest = min(_difference(a, b) for a in images_before for b in images_after)
        return smallest < _FLASH_RATIO * cut_difference


def _thumbnail(image: Image) -> NDArray[np.float32]:
    reduced: NDArray[np.uint8] = cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA)
    return reduced.astype(np.float32)


def _difference(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(np.abs(a - b).mean())
