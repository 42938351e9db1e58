"""What a run lends in, what a frame takes over from the frames before it out: no torch in here.

A frame's output is moved onto the next one along the motion of what was filmed; where something
comes to light there is nothing to take over.
"""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Image, to_8_bits
from kadr.stylize.base import Flow, Mask, StylizeContext, StylizeJob
from kadr.stylize.diffusion.temporal.drift import Drift, drift_on, first_drift

Weight = NDArray[np.float32]
"""(H, W, 1) float32, 0–1."""

_SOFTNESS = 1.5
"""Pixels by which the edge of what is taken over is softened."""


class Choice(Protocol):
    """The options that say what is taken over; see DiffusionOptions."""

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
    """The frames before each job of one call of ``stylize``.

    All follows from what ``context`` lends, so that a run that goes on where it stopped makes the
    same frames: no job need have been seen here before.
    """

    def __init__(self, context: StylizeContext, choice: Choice) -> None:
        self.context, self._choice = context, choice
        self._places: dict[int, int] = {}
        self._following: dict[int, int] = {}
        self._anchors: dict[int, int] = {}
        self._carried: tuple[int, tuple[Image, Weight] | None] | None = None
        self._output: tuple[int, Image] | None = None
        self._drift: tuple[int, Drift] | None = None

    def start(self, job: StylizeJob) -> Image:
        """The picture that a job starts from, (H, W, 3 or 4) uint8, its alpha as filmed.

        The frame as filmed; where ``previous_start`` asks for it, mixed with the output before it.
        """
        frame = to_8_bits(job.frame.image)
        if not self._choice.previous_start or self._is_anchor(job.index):
            return frame
        return self._mixed(frame, job.index, self._choice.previous_start, None)

    def blend(self, job: StylizeJob, made: Image) -> Image:
        """A finished frame with part of the output before it; none of it outside the mask."""
        if not self._choice.previous_blend:
            return made
        mask = self.context.mask(job.index)
        return self._mixed(made, job.index, self._choice.previous_blend, mask)

    def references(self, job: StylizeJob) -> tuple[tuple[Image, bool], ...]:
        """The outputs that a job attends to, (H, W, 3) uint8: the anchor's, the one before, both.

        Each with whether later jobs attend to it too, as to an anchor. None of them for a group's
        first job; one where the anchor is the one before.
        """
        before = self.context.previous_index(job.index)
        if before is None or self._choice.cross_frame == "none":
            return ()
        self._place(job.index)
        wanted = {
            "anchor": [self._anchors[job.index]],
            "previous": [before],
            "both": [self._anchors[job.index], before],
        }[self._choice.cross_frame]
        return tuple((self._made(index), self._starts(index)) for index in dict.fromkeys(wanted))

    def drift(self, job: StylizeJob) -> Drift | None:
        """Where each pixel of a job's frame comes from; None if noise is not carried."""
        if not self._choice.carry_noise:
            return None
        height, width = job.frame.image.shape[:2]
        walk: list[int] = []
        index: int | None = job.index
        while index is not None and not (self._drift and self._drift[0] == index):
            walk.append(index)
            index = self.context.previous_index(index)
        drift = None if index is None or self._drift is None else self._drift[1]
        for step in reversed(walk):
            self.context.cancel.check()
            before = self.context.previous_index(step)
            if drift is None or before is None:
                drift = first_drift(step, height, width)
            else:
                flow, hidden = self.context.flow(step, before), self.context.occlusion(step, before)
                drift = drift_on(drift, step, flow, hidden)
            self._drift = step, drift
        return drift

    # --- which frames -------------------------------------------------------------------------

    def _place(self, index: int) -> int:
        """How many jobs of its group come before a frame; notes anchors on the way."""
        walk: list[int] = []
        at: int | None = index
        while at is not None and at not in self._places:
            walk.append(at)
            at = self.context.previous_index(at)
        for step in reversed(walk):
            before = self.context.previous_index(step)
            if before is None:
                self._places[step] = 0
                continue
            self._following[before] = step
            self._places[step] = self._places[before] + 1
            self._anchors[step] = before if self._starts(before) else self._anchors[before]
        return self._places[index]

    def _starts(self, index: int) -> bool:
        every, place = self._choice.anchor_every, self._places[index]
        return place == 0 if every is None else place % every == 0

    def _is_anchor(self, index: int) -> bool:
        self._place(index)
        return self._starts(index)

    def _made(self, index: int) -> Image:
        """The output of a frame that others follow; the last anchor's is kept at hand."""
        if self._output is None or self._output[0] != index:
            made = self.context.previous(self._following[index])
            if made is None:
                raise ValueError(f"frame {self._following[index]}: no output before it was lent")
            if self._starts(index):
                self._output = index, made[..., :3]
            return made[..., :3]
        return self._output[1]

    # --- their pixels -------------------------------------------------------------------------

    def _mixed(self, image: Image, index: int, share: float, mask: Mask | None) -> Image:
        carried = self._carry(index)
        if carried is None:
            return image
        moved, weight = carried
        weight = weight * np.float32(share)
        if mask is not None:
            weight = weight * mask[..., None]
        mixed = image[..., :3] + (moved.astype(np.float32) - image[..., :3]) * weight
        return np.concatenate([np.rint(mixed).astype(np.uint8), image[..., 3:]], axis=2)

    def _carry(self, index: int) -> tuple[Image, Weight] | None:
        """The output before a frame moved onto it, and where that holds; None for a first one."""
        if self._carried is None or self._carried[0] != index:
            before, made = self.context.previous_index(index), self.context.previous(index)
            carried = None
            if before is not None and made is not None:
                flow, hidden = (
                    self.context.flow(index, before),
                    self.context.occlusion(index, before),
                )
                carried = warp_back(made[..., :3], flow), seen(hidden)
            self._carried = index, carried
        return self._carried[1]


def warp_back(image: Image, flow: Flow) -> Image:
    """``out[p] = image[p + flow[p]]``, edges repeated; cubic, as linear blurs with every frame."""
    height, width = flow.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    moved: Image = cv2.remap(
        np.ascontiguousarray(image),
        np.stack([x, y], axis=2) + flow,
        None,
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return moved


def seen(hidden: Mask) -> Weight:
    """1 where a pixel was seen before, 0 where ``hidden``, softly rising from there."""
    open_ = (~hidden).astype(np.float32)
    soft: Weight = cv2.GaussianBlur(cv2.erode(open_, np.ones((3, 3))), (0, 0), _SOFTNESS)
    return np.minimum(soft, open_)[..., None]
