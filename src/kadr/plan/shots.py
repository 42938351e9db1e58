"""Small frames in, the shots between their cuts out (PySceneDetect's adaptive detector)."""

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

LAG = 5
"""Frames after which it is known of a frame whether a shot begins with it."""

_SIDE = 256
"""Longest side in pixels at which frames are compared."""
_FLASH = 4
"""Longest flash, in frames: longer ones part shots as cuts do."""
_RETURNS = 0.4
"""Of the difference at a cut: where the picture comes back nearer than this, it was a flash."""
_SHORTEST = 5
"""Frames of the shortest shot."""
_RATE = 25.0
"""PySceneDetect asks for frames a second; only frames are counted, so any would do."""


def find_shots(frames: Iterable[Frame]) -> list[FrameRange]:
    """The shots of consecutive frames, in order; together they hold every frame once.

    Frames are looked at one after another, reduced; a handful is in memory at a time. A flash of
    light is no cut, nor is a fast pan. No frames, no shots.
    """
    finder = CutFinder()
    cuts: list[int] = []
    first = last = -1
    for frame in frames:
        first, last = (frame.index if first < 0 else first), frame.index
        cuts += finder.add(frame.index, shrink_to_side(frame.rgb, _SIDE))
    cuts += finder.finish()
    return list(_between([first, *cuts, last + 1])) if first >= 0 else []


def _between(edges: list[int]) -> Iterator[FrameRange]:
    for start, stop in itertools.pairwise(edges):
        yield FrameRange(start, stop)


class CutFinder:
    """Finds cuts in a stream of frames, each known ``LAG`` frames after it."""

    def __init__(self) -> None:
        from scenedetect.detectors import AdaptiveDetector

        self._detector = AdaptiveDetector(min_scene_len=1)
        self._recent: deque[tuple[int, NDArray[np.float32]]] = deque(maxlen=2 * LAG + 1)
        self._waiting: list[int] = []
        self._last: int | None = None

    def add(self, index: int, image: Image) -> list[int]:
        """Take the next frame, (H, W, 3) uint8; gives the cuts that are certain now.

        A cut is the index of the first frame of a shot. Indices rise by one from call to call.
        """
        from scenedetect.common import FrameTimecode

        if self._last is None:
            self._last = index
        self._recent.append((index, _thumbnail(image)))
        bgr = np.ascontiguousarray(shrink_to_side(image, _SIDE)[..., ::-1])
        found: list[Any] = self._detector.process_frame(FrameTimecode(index, _RATE), bgr)
        self._waiting += [time.frame_num for time in found]
        return self._settle(index - _FLASH)

    def finish(self) -> list[int]:
        """The cuts that were not yet certain when the frames ended."""
        return self._settle(self._recent[-1][0] if self._recent else 0)

    def _settle(self, until: int) -> list[int]:
        """Cuts up to frame ``until``, flashes and the pieces of stuttering footage left out."""
        ready = [cut for cut in self._waiting if cut <= until]
        self._waiting = [cut for cut in self._waiting if cut > until]
        cuts = []
        for cut in ready:
            assert self._last is not None, "a cut comes after a frame"
            if cut - self._last >= _SHORTEST and not self._is_flash(cut):
                self._last = cut
                cuts.append(cut)
        return cuts

    def _is_flash(self, cut: int) -> bool:
        """Whether the picture soon after the cut is the one that was soon before it."""
        before = [image for index, image in self._recent if cut - 1 - _FLASH <= index < cut]
        after = [image for index, image in self._recent if cut <= index <= cut + _FLASH]
        jump = _difference(before[-1], after[0])
        nearest = min(_difference(a, b) for a in before for b in after)
        return nearest < _RETURNS * jump


def _thumbnail(image: Image) -> NDArray[np.float32]:
    small: NDArray[np.uint8] = cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32)


def _difference(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(np.abs(a - b).mean())
