"""The outputs, flow and occlusion of a run in, what a frame takes from previous frames out.

The output of the previous frame is warped onto the next frame by the optical flow between the input
frames. Occluded pixels take nothing from it. This module does not use torch.
"""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Image, to_8_bits
from kadr.stylize.base import Flow, Mask, StylizeContext, StylizeJob
from kadr.stylize.diffusion.temporal.pixel_tracks import PixelTracks, advance_tracks, start_tracks

Weight = NDArray[np.float32]
"""(H, W, 1) float32, 0–1."""

_SOFTNESS = 1.5
"""Standard deviation, in pixels, of the blur at the edge of occluded areas."""


class PreviousFrameOptions(Protocol):
    """The options that say what a frame takes from previous frames; see DiffusionOptions."""

    @property
    def previous_start(self) -> float: ...
    @property
    def previous_blend(self) -> float: ...
    @property
    def cross_frame(self) -> str: ...
    @property
    def anchor_every(self) -> int | None: ...
    @property
    def carry_noise(self) -> bool: ...


class PreviousFrames:
    """Gives access to the frames before each job of one call of ``stylize``.

    Everything is computed from ``context``, so a resumed run makes the same frames: this object
    need not have processed the earlier jobs itself.
    """

    def __init__(self, context: StylizeContext, options: PreviousFrameOptions) -> None:
        self.context, self._options = context, options
        self._positions: dict[int, int] = {}
        self._next_indices: dict[int, int] = {}
        self._anchors: dict[int, int] = {}
        self._warped: tuple[int, tuple[Image, Weight] | None] | None = None
        self._anchor_output: tuple[int, Image] | None = None
        self._tracks: tuple[int, PixelTracks] | None = None

    def start_image(self, job: StylizeJob) -> Image:
        """The image from which a job starts, (H, W, 3 or 4) uint8, with the frame's own alpha.

        The input frame; with ``previous_start`` it is mixed with the warped previous output.
        """
        frame = to_8_bits(job.frame.image)
        if not self._options.previous_start or self._is_anchor(job.index):
            return frame
        return self._mix_previous(frame, job.index, self._options.previous_start, None)

    def blend(self, job: StylizeJob, image: Image) -> Image:
        """Blend a finished frame with the warped previous output, only inside the mask."""
        if not self._options.previous_blend:
            return image
        mask = self.context.mask(job.index)
        return self._mix_previous(image, job.index, self._options.previous_blend, mask)

    def references(self, job: StylizeJob) -> tuple[tuple[Image, bool], ...]:
        """The outputs that a job attends to, (H, W, 3) uint8: of the anchor, the previous, or both.

        Each comes with whether later jobs attend to it too, as to an anchor. Empty for a group's
        first job; one output where the anchor is the previous frame.
        """
        previous_index = self.context.previous_index(job.index)
        if previous_index is None or self._options.cross_frame == "none":
            return ()
        self._find_position(job.index)
        indices = {
            "anchor": [self._anchors[job.index]],
            "previous": [previous_index],
            "both": [self._anchors[job.index], previous_index],
        }[self._options.cross_frame]
        return tuple(
            (self._load_output(index), self._has_anchor_position(index))
            for index in dict.fromkeys(indices)
        )

    def track_pixels(self, job: StylizeJob) -> PixelTracks | None:
        """Where each pixel of a job's frame first appeared; None unless noise is carried."""
        if not self._options.carry_noise:
            return None
        height, width = job.frame.image.shape[:2]
        missing: list[int] = []
        index: int | None = job.index
        while index is not None and not (self._tracks and self._tracks[0] == index):
            missing.append(index)
            index = self.context.previous_index(index)
        tracks = None if index is None or self._tracks is None else self._tracks[1]
        for frame_index in reversed(missing):
            self.context.cancel.check()
            previous_index = self.context.previous_index(frame_index)
            if tracks is None or previous_index is None:
                tracks = start_tracks(frame_index, height, width)
            else:
                flow = self.context.flow(frame_index, previous_index)
                occlusion = self.context.occlusion(frame_index, previous_index)
                tracks = advance_tracks(tracks, frame_index, flow, occlusion)
            self._tracks = frame_index, tracks
        return tracks

    # --- which frames -------------------------------------------------------------------------

    def _find_position(self, index: int) -> int:
        """The number of jobs before a frame in its group; also records anchors and successors."""
        missing: list[int] = []
        current: int | None = index
        while current is not None and current not in self._positions:
            missing.append(current)
            current = self.context.previous_index(current)
        for frame_index in reversed(missing):
            previous_index = self.context.previous_index(frame_index)
            if previous_index is None:
                self._positions[frame_index] = 0
                continue
            self._next_indices[previous_index] = frame_index
            self._positions[frame_index] = self._positions[previous_index] + 1
            self._anchors[frame_index] = (
                previous_index
                if self._has_anchor_position(previous_index)
                else self._anchors[previous_index]
            )
        return self._positions[index]

    def _has_anchor_position(self, index: int) -> bool:
        spacing, position = self._options.anchor_every, self._positions[index]
        return position == 0 if spacing is None else position % spacing == 0

    def _is_anchor(self, index: int) -> bool:
        self._find_position(index)
        return self._has_anchor_position(index)

    def _load_output(self, index: int) -> Image:
        """The output of a frame that has a successor; the last anchor's is kept in memory."""
        if self._anchor_output is None or self._anchor_output[0] != index:
            output = self.context.previous(self._next_indices[index])
            if output is None:
                raise ValueError(
                    f"frame {self._next_indices[index]}: its previous output is missing"
                )
            if self._has_anchor_position(index):
                self._anchor_output = index, output[..., :3]
            return output[..., :3]
        return self._anchor_output[1]

    # --- their pixels -------------------------------------------------------------------------

    def _mix_previous(self, image: Image, index: int, share: float, mask: Mask | None) -> Image:
        previous = self._warp_previous(index)
        if previous is None:
            return image
        warped, weight = previous
        weight = weight * np.float32(share)
        if mask is not None:
            weight = weight * mask[..., None]
        mixed = image[..., :3] + (warped.astype(np.float32) - image[..., :3]) * weight
        return np.concatenate([np.rint(mixed).astype(np.uint8), image[..., 3:]], axis=2)

    def _warp_previous(self, index: int) -> tuple[Image, Weight] | None:
        """The previous output warped onto a frame, and its weight; None for a group's first."""
        if self._warped is None or self._warped[0] != index:
            previous_index = self.context.previous_index(index)
            output = self.context.previous(index)
            warped = None
            if previous_index is not None and output is not None:
                flow = self.context.flow(index, previous_index)
                occlusion = self.context.occlusion(index, previous_index)
                warped = warp_cubic(output[..., :3], flow), soft_visibility(occlusion)
            self._warped = index, warped
        return self._warped[1]


def warp_cubic(image: Image, flow: Flow) -> Image:
    """``out[p] = image[p + flow[p]]``, edges repeated.

    Cubic, as repeated linear interpolation would blur more with every frame.
    """
    height, width = flow.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    warped: Image = cv2.remap(
        np.ascontiguousarray(image),
        np.stack([x, y], axis=2) + flow,
        None,
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return warped


def soft_visibility(occlusion: Mask) -> Weight:
    """0 where a pixel is occluded, rising softly to 1 outside the occluded area."""
    visible = (~occlusion).astype(np.float32)
    soft: Weight = cv2.GaussianBlur(cv2.erode(visible, np.ones((3, 3))), (0, 0), _SOFTNESS)
    return np.minimum(soft, visible)[..., None]
