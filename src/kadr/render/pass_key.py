"""A key as its passes need it: cropped to what is needed, and reduced to the work size."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.composite import WorkArea, extend_colours
from kadr.core.frames import Frame
from kadr.core.resize import shrink_to_side
from kadr.core.stage_times import stage
from kadr.core.warp import Field, grid, sample
from kadr.finish import FrameFields, refine_matches, register_positions
from kadr.guides.flow import FlowPair, flow_pair, gray
from kadr.options import PropagateOptions
from kadr.propagate import KeyStyle, PassFrame, PassState
from kadr.render.shared_flow import SharedFlow

_REGISTERED = 2
"""Transport and matches are corrected at so many times the work size."""

Gray = NDArray[np.uint8]
Pixel = TypeVar("Pixel", bound=np.generic)


class PassKey:
    """A key frame with its style at the work size; frames that are no larger stay as they are.

    The alpha of a style is not synthesized: it moves with the transport, beside the colours, which
    are extended beyond its edge.
    """

    def __init__(
        self,
        frame: Frame,
        style: NDArray[np.uint8],
        options: PropagateOptions,
        seed: int,
        flow: SharedFlow,
        area: WorkArea | None = None,
        sources: NDArray[np.bool_] | None = None,
    ) -> None:
        """style: (H, W, 3 or 4) uint8 of the frame's size. flow: of the same options.

        area: what of frames is worked on. sources: (H, W) bool, where patches may be taken from;
        None: all of them, everywhere.
        """
        self.options, self._flow, self._area = options, flow, area
        longest = max(frame.size)
        scale = options.pass_side(longest) / longest
        image, style = self._crop(frame.rgb, frame.index), self._crop(style, frame.index)
        self.is_reduced = scale < 1
        self._side = max(1, round(max(image.shape[:2]) * scale))
        reduced = Frame(frame.index, self._reduce(image), frame.time)
        self._alpha: NDArray[np.uint8] | None = None
        if style.shape[2] == 4:
            self._alpha = self._reduce(np.ascontiguousarray(style[..., 3]))
            style = extend_colours(style)
        if sources is not None:
            sources = self._reduce(self._crop(sources, frame.index).astype(np.uint8) * 255) > 127
        size = reduced.size
        self.style = KeyStyle(
            reduced,
            self._reduce(style),
            options,
            seed=seed,
            alpha=self._alpha,
            sources=sources,
            needed=None if area is None else lambda index: area.needed(index, size),
            register=self._register if self.is_reduced else None,
            frame_side=round(longest * scale),
        )
        self._gray = self._frame_gray = self._registered_gray(image) if self.is_reduced else None
        self._grays: deque[Gray] = deque()

    def steps(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, FlowPair]]:
        """Each frame after the first, at the work size, with the flow to the frame before it."""
        before: Frame | None = None
        luma_before: Gray | None = None
        for frame in frames:
            with stage("reduce"):
                image = self._crop(frame.rgb, frame.index)
                reduced = Frame(frame.index, self._reduce(image), frame.time)
                luma = gray(reduced.rgb)
                if before is not None and self._gray is not None:
                    self._grays.append(self._registered_gray(image))
            if before is not None and luma_before is not None:
                yield reduced, self._flow_to(before, luma_before, frame.index, luma)
            before, luma_before = frame, luma

    def _flow_to(self, before: Frame, luma_before: Gray, index: int, luma: Gray) -> FlowPair:
        """The flow of a frame to the frame before it, whose window may lie elsewhere."""
        area, is_backward = self._area, before.index > index
        side = None if area is None else self.style.frame_side
        x, y, *_ = (0, 0) if area is None else area.window_of(index)
        x_before, y_before, *_ = (0, 0) if area is None else area.window_of(before.index)
        if (x, y) == (x_before, y_before):
            corner = (x, y) if area is not None and area.corners else None
            estimate = self._flow.between(index, luma, is_backward, luma_before, corner)
            return flow_pair(luma, luma_before, estimate, side=side)
        with stage("reduce"):  # both frames through the window of this one
            luma_before = gray(self._reduce(self._crop(before.rgb, index)))
        estimate = self._flow.estimate(luma, luma_before)
        flow = flow_pair(luma, luma_before, estimate, side=side)
        assert area is not None
        offset = np.array([x - x_before, y - y_before], np.float32)
        return between_windows(flow, offset * np.float32(luma.shape[1] / area.window[2]))

    def with_alpha(self, frame: PassFrame, state: PassState) -> PassFrame:
        """A frame of the pass with the alpha of the key, moved by the transport of its state."""
        if self._alpha is None:
            return frame
        alpha = sample(self._alpha, state.transport, interpolation=cv2.INTER_CUBIC)
        return replace(frame, image=np.dstack([frame.image, alpha]))

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

    def _crop(self, image: NDArray[Pixel], index: int) -> NDArray[Pixel]:
        return image if self._area is None else self._area.crop(image, index)

    def _reduce(self, image: NDArray[Pixel]) -> NDArray[Pixel]:
        return shrink_to_side(image, self._side)

    def _registered_gray(self, image: NDArray[np.uint8]) -> Gray:
        return gray(shrink_to_side(image, _REGISTERED * self._side))


def between_windows(flow: FlowPair, offset: NDArray[np.float32]) -> FlowPair:
    """A flow in one window as a flow from that to the neighbour's own window.

    offset: (x, y) from the neighbour's window to this one, in pixels.
    """
    to_neighbour = flow.to_neighbour + offset
    height, width = flow.from_neighbour.shape[:2]
    small = offset * np.float32(width / flow.to_neighbour.shape[1])
    # it stands in the neighbour's window then
    from_neighbour = sample(flow.from_neighbour, grid(height, width) - small) - offset
    return replace(flow, to_neighbour=to_neighbour, from_neighbour=from_neighbour)
