"""Provide a stylizer with optical flow, previous outputs and control images of the clip."""

from __future__ import annotations

import itertools
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.events import CancelToken
from kadr.core.frames import Frame, Image
from kadr.core.resize import shrink_to_side
from kadr.core.warp import Field, grid, sample
from kadr.errors import OptionsError
from kadr.guides.channels import edge_guide
from kadr.guides.flow import denoised_flow, gray
from kadr.guides.occlusion import find_occlusion
from kadr.guides.transport import register
from kadr.stylize.base import Flow, Mask, StyledFrame, StylizeContext
from kadr.video.base import Clip

_SIDE = 640
"""Longest side at which flow between keys is estimated: latents are an eighth of a frame."""
_GRAYS, _FLOWS = 16, 8
"""Reduced frames and flows that are cached."""

CONTROLS = ("edges", "filmed", "previous")
"""Control images that a run provides."""

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class ContextProvider:
    """Provides flow, previous outputs and control images; safe to use from several threads.

    order: the frames that are stylized, rising. groups: the group of each. stored: returns the
    stylized frame of an index, or None if there is none. mask: returns the mask of an index.
    """

    def __init__(
        self,
        clip: Clip,
        order: Sequence[int],
        groups: Mapping[int, int],
        stored: Callable[[int], Image | None],
        mask: Callable[[int], Mask | None],
    ) -> None:
        self._clip, self._stored, self._mask = clip, stored, mask
        self._previous_index = {
            after: before
            for before, after in itertools.pairwise(order)
            if groups[before] == groups[after]
        }
        self._lock = threading.Lock()
        self._frames: weakref.WeakValueDictionary[int, Frame] = weakref.WeakValueDictionary()
        self._grays: OrderedDict[int, Image] = OrderedDict()
        self._flows: OrderedDict[tuple[int, int], Field] = OrderedDict()
        self._last_output: tuple[int, Image] | None = None

    def context(self, cancel: CancelToken, threads: int | None, folder: Path) -> StylizeContext:
        """The context for a stylizer; see StylizeContext. folder: where it may store noise."""
        return StylizeContext(
            flow=self.flow,
            occlusion=self.occlusion,
            previous=self.previous,
            previous_index=self._previous_index.get,
            control=self.control,
            mask=self._mask,
            number=self._clip.number,
            cancel=cancel,
            threads=threads,
            folder=folder,
        )

    def add_input(self, frame: Frame) -> None:
        """Cache a frame that goes to the stylizer, so it is not decoded again meanwhile."""
        small = self._reduced(frame)
        with self._lock:
            self._frames[frame.index] = frame
            _cache(self._grays, frame.index, small, _GRAYS)

    def add_output(self, styled: StyledFrame) -> None:
        """Cache the latest stylized frame, which need not be in the store yet."""
        self._last_output = styled.index, styled.image

    def previous(self, index: int) -> Image | None:
        """The output of the frame before ``index`` in its group; None for the first of a group."""
        previous = self._previous_index.get(index)
        if previous is None:
            return None
        if self._last_output is not None and self._last_output[0] == previous:
            return self._last_output[1]
        return self._stored(previous)

    def flow(self, index_from: int, index_to: int) -> Flow:
        """See StylizeContext. Estimated at a reduced size; over several frames composed."""
        flow = self._small_flow(index_from, index_to)
        width, height = self._clip.info.width, self._clip.info.height
        if flow.shape[:2] == (height, width):
            return flow
        large: Flow = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR)
        large *= np.array([width / flow.shape[1], height / flow.shape[0]], np.float32)
        return large

    def occlusion(self, index_from: int, index_to: int) -> Mask:
        """See StylizeContext."""
        forward = self._small_flow(index_from, index_to)
        backward = self._small_flow(index_to, index_from)
        small = find_occlusion(forward, backward).astype(np.uint8)
        size = (self._clip.info.width, self._clip.info.height)
        mask: Mask = cv2.resize(small, size, interpolation=cv2.INTER_NEAREST).astype(np.bool_)
        return mask

    def control(self, name: str, index: int) -> Image:
        """A control image of CONTROLS; for the first frame "previous" is the frame itself."""
        if name not in CONTROLS:
            raise OptionsError(f"control {name!r}: this run provides {', '.join(CONTROLS)}")
        if name == "previous":
            previous = self.previous(index)
            if previous is not None:
                return np.ascontiguousarray(previous[..., :3])
        with self._lock:
            frame = self._frames.get(index)
        image = (frame or self._clip.frame(index)).rgb
        if name != "edges":
            return image
        edges = np.clip(np.rint(edge_guide(image)), 0, 255).astype(np.uint8)
        return np.repeat(edges, 3, axis=2)

    # --- flow ---------------------------------------------------------------------------------

    def _small_flow(self, start: int, end: int) -> Flow:
        """Flow from one frame to another, in pixels of the reduced size."""
        positions = self._positions(start, end)
        flow: Flow = positions - grid(*positions.shape[:2])
        return flow

    def _positions(self, start: int, end: int) -> Field:
        """Where each pixel of frame ``start`` is in frame ``end``, at the reduced size."""
        with self._lock:
            cached = self._flows.get((start, end))
        if cached is not None:
            return cached
        grays = self._between(start, end)
        positions = grid(*grays[0].shape).copy()
        for current, following in itertools.pairwise(grays):
            flow = denoised_flow(current, following)
            positions = positions + sample(flow, positions)
        if len(grays) > 2:  # the errors of the steps add up
            positions = register(positions, grays[-1], grays[0])
        with self._lock:
            _cache(self._flows, (start, end), positions, _FLOWS)
        return positions

    def _between(self, start: int, end: int) -> list[Image]:
        """Reduced frames from ``start`` to ``end``, both included, in that order."""
        low, high = sorted((start, end))
        with self._lock:
            indices = range(low, high + 1)
            grays = {index: self._grays[index] for index in indices if index in self._grays}
        missing = [index for index in indices if index not in grays]
        if missing:
            for frame in self._clip.frames(missing[0], missing[-1] + 1):
                grays[frame.index] = self._reduced(frame)
        with self._lock:
            for index in (low, high):
                _cache(self._grays, index, grays[index], _GRAYS)
        step = 1 if end >= start else -1
        return [grays[index] for index in range(start, end + step, step)]

    @staticmethod
    def _reduced(frame: Frame) -> NDArray[np.uint8]:
        return shrink_to_side(gray(frame.rgb), _SIDE)


def _cache(cache: OrderedDict[Key, Value], key: Key, value: Value, size: int) -> None:
    cache[key] = value
    cache.move_to_end(key)
    while len(cache) > size:
        cache.popitem(last=False)
