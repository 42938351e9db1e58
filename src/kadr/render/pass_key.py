"""A key as its passes need it: reduced to the work size, where motion and matches are found."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Frame
from kadr.core.resize import shrink_to_side
from kadr.core.stage_times import stage
from kadr.core.warp import Field
from kadr.finish import FrameFields, refine_matches, register_positions
from kadr.guides.flow import FlowPair, flow_pair, gray
from kadr.options import PropagateOptions
from kadr.propagate import KeyStyle, PassFrame, PassState

_REGISTERED = 2
"""Transport and matches are corrected at so many times the work size."""

Gray = NDArray[np.uint8]


class PassKey:
    """A key frame with its style at the work size; frames that are no larger stay as they are."""

    def __init__(
        self, frame: Frame, style: NDArray[np.uint8], options: PropagateOptions, seed: int
    ) -> None:
        """style: (H, W, 3 or 4) uint8 of the frame's size."""
        self.options, self._side = options, options.pass_side(max(frame.size))
        self.is_reduced = self._side < max(frame.size)
        reduced = Frame(frame.index, self._reduce(frame.rgb), frame.time)
        self._gray = self._frame_gray = self._registered_gray(frame) if self.is_reduced else None
        self._grays: deque[Gray] = deque()
        self.style = KeyStyle(
            reduced,
            self._reduce(style),
            options,
            seed=seed,
            register=self._register if self.is_reduced else None,
        )

    def steps(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, FlowPair]]:
        """Each frame after the first, at the work size, with the flow to the frame before it."""
        previous: Gray | None = None
        for frame in frames:
            with stage("reduce"):
                image = self._reduce(frame.rgb) if self.is_reduced else frame.image
                reduced = Frame(frame.index, image, frame.time)
                luma = gray(reduced.rgb)
                if previous is not None and self.is_reduced:
                    self._grays.append(self._registered_gray(frame))
            if previous is not None:
                yield reduced, flow_pair(luma, previous, quick=self.options.quick_flow)
            previous = luma

    def fields(self, frame: PassFrame, state: PassState) -> FrameFields | None:
        """The fields of the frame that the pass has just made, to be finished at full size.

        None if the frame already has its full size.
        """
        if self._gray is None or self._frame_gray is None:
            return None
        with stage("fields"):
            fields = FrameFields(state.transport, frame.matches, state.confidence)
            return replace(fields, matches=refine_matches(fields, self._gray, self._frame_gray))

    def _register(self, transport: Field, frame_gray: Gray) -> Field:
        """Register a transport of the work size on larger frames; in the order of ``steps``."""
        assert self._gray is not None, "only reduced passes register on larger frames"
        self._frame_gray = self._grays.popleft()
        return register_positions(transport, self._gray, self._frame_gray)

    def _reduce(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return shrink_to_side(image, self._side)

    def _registered_gray(self, frame: Frame) -> Gray:
        return gray(shrink_to_side(frame.rgb, _REGISTERED * self._side))
