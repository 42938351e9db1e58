"""Detect the shots of a clip from reduced frames (PySceneDetect's adaptive detector)."""

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
"""Number of later frames needed to decide whether a shot starts with a frame."""

_SIDE = 256
"""Longest side in pixels at which frames are compared."""
_MAX_FLASH = 4
"""Longest flash in frames; a longer one counts as two cuts."""
_FLASH_RATIO = 0.4
"""Fraction of the difference at a cut; if the image returns closer than that, it was a flash."""
_MIN_LENGTH = 5
"""Length of the shortest shot in frames."""
_RATE = 25.0
"""Frames a second for PySceneDetect; only frames are counted, so the value does not matter."""


def find_shots(frames: Iterable[Frame]) -> list[FrameRange]:
    """The shots of consecutive frames, in order; together they contain every frame once.

    Reads frames one by one and keeps a few reduced ones in memory. A flash of light or a fast pan
    is not a cut. Without frames there are no shots.
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
    """Finds cuts in a stream of frames; reports each one ``LAG`` frames later."""

    def __init__(self) -> None:
        from scenedetect.detectors import AdaptiveDetector

        self._detector = AdaptiveDetector(min_scene_len=1)
        self._recent: deque[tuple[int, NDArray[np.float32]]] = deque(maxlen=2 * LAG + 1)
        self._pending: list[int] = []
        self._last_cut: int | None = None

    def add(self, index: int, image: Image) -> list[int]:
        """Add the next frame, (H, W, 3) uint8; returns the cuts that are certain now.

        A cut is the index of the first frame of a shot. Indices rise by one from call to call.
        """
        from scenedetect.common import FrameTimecode

        if self._last_cut is None:
            self._last_cut = index
        self._recent.append((index, _thumbnail(image)))
        bgr = np.ascontiguousarray(shrink_to_side(image, _SIDE)[..., ::-1])
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
