"""A clip and what is stylized of it so far in, the context that a run lends to a stylizer out."""

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
from kadr.core.warp import Field, grid, sample
from kadr.errors import OptionsError
from kadr.guides.channels import edge_guide
from kadr.guides.denoise_flow import denoise_flow
from kadr.guides.flow import estimate_flow, gray
from kadr.guides.occlusion import find_occlusion
from kadr.guides.transport import register
from kadr.stylize.base import Flow, Mask, StyledFrame, StylizeContext
from kadr.video.base import Clip

_SIDE = 640
"""Longest side at which motion between keys is found: latents are an eighth of a frame."""
_GRAYS, _WAYS = 16, 8
"""Reduced frames and motions that are remembered."""

CONTROLS = ("edges", "filmed", "previous")
"""Control images that a run lends."""

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class ContextProvider:
    """Lends motion, previous outputs and control images; safe to ask from several threads.

    order: the frames that are stylized, rising. groups: the group of each. kept: gives the
    stylized frame of an index, or None if it is not made.
    """

    def __init__(
        self,
        clip: Clip,
        order: Sequence[int],
        groups: Mapping[int, int],
        kept: Callable[[int], Image | None],
        mask: Callable[[int], Mask | None],
    ) -> None:
        self._clip, self._kept, self._mask = clip, kept, mask
        self._before = {
            after: before
            for before, after in itertools.pairwise(order)
            if groups[before] == groups[after]
        }
        self._lock = threading.Lock()
        self._frames: weakref.WeakValueDictionary[int, Frame] = weakref.WeakValueDictionary()
        self._grays: OrderedDict[int, Image] = OrderedDict()
        self._ways: OrderedDict[tuple[int, int], Field] = OrderedDict()
        self._last: tuple[int, Image] | None = None

    def context(self, cancel: CancelToken, threads: int | None, folder: Path) -> StylizeContext:
        """What a stylizer is given; see there."""
        return StylizeContext(
            flow=self.flow,
            occlusion=self.occlusion,
            previous=self.previous,
            previous_index=self._before.get,
            control=self.control,
            mask=self._mask,
            number=self._clip.number,
            cancel=cancel,
            threads=threads,
            folder=folder,
        )

    def saw(self, frame: Frame) -> None:
        """A frame goes to the stylizer: it need not be decoded again while that works on it."""
        small = self._reduced(frame)
        with self._lock:
            self._frames[frame.index] = frame
            _remember(self._grays, frame.index, small, _GRAYS)

    def made(self, styled: StyledFrame) -> None:
        """A frame was stylized; it need not be kept yet."""
        self._last = styled.index, styled.image

    def previous(self, index: int) -> Image | None:
        """The output of the frame before ``index`` in its group; None for the first of a group."""
        before = self._before.get(index)
        if before is None:
            return None
        if self._last is not None and self._last[0] == before:
            return self._last[1]
        return self._kept(before)

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
        there = self._small_flow(index_from, index_to)
        back = self._small_flow(index_to, index_from)
        small = find_occlusion(there, back).astype(np.uint8)
        size = (self._clip.info.width, self._clip.info.height)
        mask: Mask = cv2.resize(small, size, interpolation=cv2.INTER_NEAREST).astype(np.bool_)
        return mask

    def control(self, name: str, index: int) -> Image:
        """A control image of CONTROLS; the "previous" of a first frame is the filmed one."""
        if name not in CONTROLS:
            raise OptionsError(f"control {name!r}: this run lends {', '.join(CONTROLS)}")
        if name == "previous":
            before = self.previous(index)
            if before is not None:
                return np.ascontiguousarray(before[..., :3])
        with self._lock:
            frame = self._frames.get(index)
        image = (frame or self._clip.frame(index)).rgb
        if name != "edges":
            return image
        edges = np.clip(np.rint(edge_guide(image)), 0, 255).astype(np.uint8)
        return np.repeat(edges, 3, axis=2)

    # --- motion -------------------------------------------------------------------------------

    def _small_flow(self, start: int, end: int) -> Flow:
        """Motion from one frame to another in pixels of the reduced size."""
        positions = self._positions(start, end)
        flow: Flow = positions - grid(*positions.shape[:2])
        return flow

    def _positions(self, start: int, end: int) -> Field:
        """Where each pixel of frame ``start`` is found in frame ``end``, at the reduced size."""
        with self._lock:
            known = self._ways.get((start, end))
        if known is not None:
            return known
        grays = self._between(start, end)
        positions = grid(*grays[0].shape).copy()
        for at, after in itertools.pairwise(grays):
            step = denoise_flow(at, after, estimate_flow(at, after))
            positions = positions + sample(step, positions)
        if len(grays) > 2:  # errors of the steps add up
            positions = register(positions, grays[-1], grays[0])
        with self._lock:
            _remember(self._ways, (start, end), positions, _WAYS)
        return positions

    def _between(self, start: int, end: int) -> list[Image]:
        """Reduced frames from ``start`` to ``end``, both included, in that order."""
        low, high = sorted((start, end))
        with self._lock:
            known = {index: self._grays[index] for index in range(low, high + 1)
                     if index in self._grays}  # fmt: skip
        wanted = [index for index in range(low, high + 1) if index not in known]
        if wanted:
            for frame in self._clip.frames(wanted[0], wanted[-1] + 1):
                known[frame.index] = self._reduced(frame)
        with self._lock:
            for index in (low, high):
                _remember(self._grays, index, known[index], _GRAYS)
        step = 1 if end >= start else -1
        return [known[index] for index in range(start, end + step, step)]

    @staticmethod
    def _reduced(frame: Frame) -> NDArray[np.uint8]:
        level = gray(frame.rgb)
        scale = _SIDE / max(level.shape)
        if scale >= 1:
            return level
        size = (max(1, round(level.shape[1] * scale)), max(1, round(level.shape[0] * scale)))
        small: NDArray[np.uint8] = cv2.resize(level, size, interpolation=cv2.INTER_AREA)
        return small


def _remember(memory: OrderedDict[Key, Value], key: Key, value: Value, most: int) -> None:
    memory[key] = value
    memory.move_to_end(key)
    while len(memory) > most:
        memory.popitem(last=False)
