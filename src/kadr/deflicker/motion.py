"""Neighbouring filmed frames in, the motion between them out, at the size at which it is found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np

from kadr.core.frames import Frame, Image, to_8_bits
from kadr.core.warp import Field
from kadr.guides.denoise_flow import denoise_flow
from kadr.guides.flow import estimate_two_way, gray, reduce_for_flow
from kadr.guides.occlusion import ABSOLUTE, find_occlusion

_LEAST_VISIBLE = 0.25
"""Share of visible pixels below which a cut lies between two frames, as ``kadr measure`` has it."""

Size = tuple[int, int]
"""(width, height) in pixels."""


@dataclass(frozen=True, eq=False)
class Link:
    """Flow from a filmed frame to the next one and back, (h, w, 2) pixels of one reduced size."""

    forward: Field
    backward: Field

    @classmethod
    def between(cls, frame: Image, following: Image, unit: float) -> Self | None:
        """The motion of two gray images of ``reduce_for_flow``; None if a cut lies between them.

        unit: how many pixels of the clip a pixel is.
        """
        both = estimate_two_way(frame, following)
        hidden = find_occlusion(both.forward, both.backward, absolute=ABSOLUTE / unit**2)
        if hidden.mean() > 1 - _LEAST_VISIBLE:
            return None
        return cls(
            denoise_flow(frame, following, both.forward, unit=unit),
            denoise_flow(following, frame, both.backward, unit=unit),
        )

    def reduced(self, size: Size) -> Link:
        """The same in pixels of frames of a smaller ``size``."""
        height, width = self.forward.shape[:2]
        scale = np.array([size[0] / width, size[1] / height], np.float32)
        forward, backward = (
            cv2.resize(flow, size, interpolation=cv2.INTER_AREA) * scale
            for flow in (self.forward, self.backward)
        )
        return Link(forward, backward)


@dataclass(eq=False)
class Moment:
    """One frame of the restyled clip, and what is needed of its film.

    styled: (H, W, 3 or 4) uint8. filmed: (h, w, 3) uint8 and luma: (h, w) uint8, the film at the
    size at which flow is found. link: motion to the next frame; None: a cut, or the end.
    """

    index: int
    styled: Image
    filmed: Image
    luma: Image
    link: Link | None = None


def moments(filmed: Iterable[Frame], styled: Iterable[Frame]) -> Iterator[Moment]:
    """The frames of both clips in pairs, each with the motion to the next one, found once."""
    previous: Moment | None = None
    for frame, restyled in zip(filmed, styled, strict=True):
        image = to_8_bits(frame.rgb)
        luma = reduce_for_flow(gray(image))
        small = cv2.resize(image, luma.shape[::-1], interpolation=cv2.INTER_AREA)
        width, height = frame.size
        # players need even sizes, so a video may be one larger
        cut = np.ascontiguousarray(to_8_bits(restyled.image)[:height, :width])
        current = Moment(frame.index, cut, small, luma)
        if previous is not None:
            previous.link = Link.between(previous.luma, luma, width / luma.shape[1])
            yield previous
        previous = current
    if previous is not None:
        yield previous
