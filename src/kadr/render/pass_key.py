"""A key as its passes need it: the steps of its passes, and what they correct on larger frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.composite import extend_colours
from kadr.core.frames import Frame
from kadr.core.stage_times import stage
from kadr.core.warp import Field, grid, sample
from kadr.finish import FrameFields, refine_matches, register_positions
from kadr.guides.flow import FlowPair, flow_pair, gray
from kadr.options import PropagateOptions
from kadr.propagate import KeyStyle, PaintedFigure, PassFrame, PassState, UserGuides
from kadr.render.figure_masks import FigureReader
from kadr.render.guide_files import GuideReader, GuideSource
from kadr.render.pass_frame import visible_alpha
from kadr.render.shared_flow import SharedFlow
from kadr.render.work_frame import FrameReducer, Gray, Pixel, WorkFrame


class PassKey:
    """A key frame with its style at the work size; frames that are no larger stay as they are.

    The alpha of a style is not synthesized: it moves with the transport, beside the colours, which
    are extended beyond its edge.
    """

    def __init__(
        self,
        reducer: FrameReducer,
        frame: WorkFrame,
        style: NDArray[np.uint8],
        options: PropagateOptions,
        seed: int,
        flow: SharedFlow,
        sources: NDArray[np.bool_] | None = None,
        figure: FigureReader | None = None,
        guides: Sequence[GuideSource] = (),
    ) -> None:
        """frame: of the key, as ``reducer`` made it. flow: of the same options.

        style: (H, W, 3 or 4) uint8 of the clip's size. sources: (H, W) bool, where patches may be
        taken from; None: everywhere. figure: where frames show the figure that the paint belongs
        to; None: each part of the paint moves with what it lies on. guides: the user's, for the key
        and the frames of its passes.
        """
        self.options, self._reducer, self._flow, self._area = options, reducer, flow, reducer.area
        reduced, area = frame.reduced, reducer.area
        style = self._crop(style, frame.index)
        self._alpha: NDArray[np.uint8] | None = None
        if style.shape[2] == 4:
            self._alpha = self._reduce(np.ascontiguousarray(style[..., 3]))
            style = extend_colours(style)
        if sources is not None:
            sources = self._reduce(self._crop(sources, frame.index).astype(np.uint8) * 255) > 127
        size = reduced.size
        self._figure = figure
        user_guides = None
        if guides:
            reader = GuideReader(guides, reducer)
            user_guides = UserGuides(reader.weights, reader.frames(frame.index), reader.frames)
        self.style = KeyStyle(
            reduced,
            self._reduce(style),
            options,
            seed=seed,
            alpha=self._alpha,
            sources=sources,
            needed=None if area is None else lambda index: area.needed(index, size),
            register=self._register if reducer.is_reduced else None,
            frame_side=reducer.side,
            figure=None if figure is None else self._painted_figure(frame.index, size),
            guides=user_guides,
        )
        self._gray = self._frame_gray = frame.registered
        self._grays: deque[Gray] = deque()

    def _painted_figure(self, index: int, size: tuple[int, int]) -> PaintedFigure:
        painted = None if self._alpha is None else self._alpha > 127  # no soft edges
        if self._area is not None and painted is None:
            painted = self._area.needed(index, size)
        if painted is None:
            painted = np.ones(size[::-1], np.bool_)
        silhouette = self._figure_mask(index)
        return PaintedFigure(
            silhouette, painted, self._figure_mask, is_cut_out=self._alpha is not None
        )

    def _figure_mask(self, index: int) -> NDArray[np.bool_]:
        assert self._figure is not None
        mask = self._crop(self._figure.mask(index), index).astype(np.uint8)
        visible: NDArray[np.bool_] = self._reduce(mask * np.uint8(255)) > 127
        return visible

    def steps(self, frames: Iterable[WorkFrame]) -> Iterator[tuple[Frame, FlowPair]]:
        """Each frame after the first with the flow to the frame before it."""
        before: WorkFrame | None = None
        luma_before: Gray | None = None
        for frame in frames:
            with stage("reduce"):
                luma = gray(frame.reduced.rgb)
            if before is not None and luma_before is not None:
                if frame.registered is not None:
                    self._grays.append(frame.registered)
                yield frame.reduced, self._flow_to(before, luma_before, frame.index, luma)
            before, luma_before = frame, luma

    def step_in_place(self, frame: Frame, occlusion: NDArray[np.float32]) -> tuple[Frame, FlowPair]:
        """A step that stays on a frame, at the work size, for the state that is on it already.

        occlusion: (h, w) float32 of any size, above 0.5 where the state does not show the frame.
        """
        work_frame = self._reducer.make(frame)
        if work_frame.registered is not None:
            self._grays.append(work_frame.registered)
        height, width = work_frame.reduced.rgb.shape[:2]
        still = np.zeros((height, width, 2), np.float32)
        hidden = cv2.resize(occlusion, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
        return work_frame.reduced, FlowPair(still, still, hidden)

    def _flow_to(self, before: WorkFrame, luma_before: Gray, index: int, luma: Gray) -> FlowPair:
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
            assert before.full is not None, "frames in windows are not shared"
            luma_before = gray(self._reduce(self._crop(before.full.rgb, index)))
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
        if frame.visible is not None:
            alpha = visible_alpha(alpha, frame.visible)
        return replace(frame, image=np.dstack([frame.image, alpha]))

    def fields(self, frame: PassFrame, state: PassState) -> FrameFields | None:
        """The fields of the frame that the pass has just made, to be finished at full size.

        None if the frame already has its full size.
        """
        if self._gray is None or self._frame_gray is None:
            return None
        with stage("fields"):
            fields = FrameFields(state.transport, frame.matches, state.confidence)
            matches = refine_matches(fields, self._gray, self._frame_gray)
            if (guides := self.style.guides) is not None:  # which are not seen by what is refined
                frame_guides = guides.read(frame.index)
                matches = guides.keep_matches(fields.matches, matches, frame_guides)
            return replace(fields, matches=matches)

    def _register(self, transport: Field, frame_gray: Gray) -> Field:
        """Register a transport of the work size on larger frames; in the order of ``steps``."""
        assert self._gray is not None, "only reduced passes register on larger frames"
        self._frame_gray = self._grays.popleft()
        return register_positions(transport, self._gray, self._frame_gray)

    def _crop(self, image: NDArray[Pixel], index: int) -> NDArray[Pixel]:
        return self._reducer.crop(image, index)

    def _reduce(self, image: NDArray[Pixel]) -> NDArray[Pixel]:
        return self._reducer.shrink(image)


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
