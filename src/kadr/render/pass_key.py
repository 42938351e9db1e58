"""A key as its passes need it: reduced to the work size, where motion and matches are found."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Frame
from kadr.core.resize import shrink_to_side
from kadr.core.stage_times import stage
from kadr.finish import FrameFields, join_fields, register_positions
from kadr.guides.flow import FlowPair, flow_pair, gray
from kadr.options import PropagateOptions
from kadr.propagate import KeyStyle, PassFrame, PassState
from kadr.render.shared_flow import SharedFlow

_REGISTERED = 2
"""Positions are registered at so many times the work size, unless flow is to be quick."""

Gray = NDArray[np.uint8]


class PassKey:
    """A key frame with its style at the work size; frames that are no larger stay as they are."""

    def __init__(
        self,
        frame: Frame,
        style: NDArray[np.uint8],
        options: PropagateOptions,
        seed: int,
        flow: SharedFlow,
    ) -> None:
        """style: (H, W, 3 or 4) uint8 of the frame's size. flow: of the same options."""
        self._flow = flow
        self.options, self._side = options, options.pass_side(max(frame.size))
        self.is_reduced = self._side < max(frame.size)
        reduced = Frame(frame.index, self._reduce(frame.rgb), frame.time)
        self.style = KeyStyle(reduced, self._reduce(style), options, seed=seed)
        is_registered = self.is_reduced and not options.quick_flow
        self._gray = self._registered_gray(frame) if is_registered else None
        self._grays: deque[Gray] = deque()

    def steps(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, FlowPair]]:
        """Each frame after the first, at the work size, with the flow to the frame before it."""
        previous: Gray | None = None
        previous_index = 0
        for frame in frames:
            with stage("reduce"):
                image = self._reduce(frame.rgb) if self.is_reduced else frame.image
                reduced = Frame(frame.index, image, frame.time)
                luma = gray(reduced.rgb)
                if previous is not None and self._gray is not None:
                    self._grays.append(self._registered_gray(frame))
            if previous is not None:
                is_backward = previous_index > frame.index
                estimate = self._flow.between(frame.index, luma, is_backward, previous)
                yield reduced, flow_pair(luma, previous, estimate)
            previous, previous_index = luma, frame.index

    def fields(self, frame: PassFrame, state: PassState) -> FrameFields | None:
        """The fields of the next frame of ``steps``, to be finished at full size.

        None if the frame already has its full size.
        """
        if not self.is_reduced:
            return None
        with stage("fields"):
            joined = join_fields(state.transport, frame.matches, state.confidence)
        if self._gray is None:
            return joined
        with stage("registration"):
            positions = register_positions(joined.positions, self._gray, self._grays.popleft())
        return FrameFields(positions, joined.matches, joined.sure)

    def _reduce(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return shrink_to_side(image, self._side)

    def _registered_gray(self, frame: Frame) -> Gray:
        return gray(shrink_to_side(frame.rgb, _REGISTERED * self._side))
