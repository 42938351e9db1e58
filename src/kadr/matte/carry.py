"""Carry the matte of a painted frame along a pass: frames in, a matte and a confidence each out.

The transport is that of the passes of a run: optical flow from frame to frame, corrected against
the painted frame. Where it does not lead back to something that looks alike, the previous matte is
moved along; where that is hidden too, colours learnt from the frames before decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.events import CancelToken
from kadr.core.frames import Frame, Image
from kadr.core.warp import sample, warp
from kadr.guides.confidence import similarity, smoothstep
from kadr.guides.flow import FlowPair, flow_pair, gray
from kadr.guides.transport import compose, identity, local_stretch, register
from kadr.matte.base import Matte, work_image
from kadr.matte.colour_model import ColourModel
from kadr.matte.guided_filter import guided_filter

_SIMILARITY_RANGE = (0.6, 0.9)
"""Similarity of frame and warped key at which the confidence in the transport rises from 0 to 1."""
_STRETCH_RANGE = (1.6, 3.0)
"""Stretch at which the confidence falls from 1 to 0."""
_STEP_RANGE = (0.4, 0.75)
"""The same for a frame and the warped previous frame."""


@dataclass(frozen=True, eq=False)
class PaintedMatte:
    """A painted mask on its frame, both at the work size."""

    index: int
    image: Image
    matte: Matte


@dataclass(frozen=True, eq=False)
class CarriedMatte:
    """The matte of one frame of a pass, and how much to rely on it at each pixel, both 0–1."""

    index: int
    matte: Matte
    confidence: NDArray[np.float32]


def carry(
    painted: PaintedMatte, frames: Iterable[Frame], cancel: CancelToken
) -> Iterator[CarriedMatte]:
    """Yield the matte of each of ``frames``; the first is the neighbour of the painted frame."""
    key_gray = previous_gray = gray(painted.image)
    previous_image, matte = painted.image, painted.matte
    transport = identity(*matte.shape)
    confidence = np.ones(matte.shape, np.float32)
    colours = ColourModel(*matte.shape).learn(painted.image, painted.matte)
    for frame in frames:
        cancel.check()
        image = work_image(frame)
        frame_gray = gray(image)
        flow = flow_pair(frame_gray, previous_gray)
        transport = register(compose(transport, flow), key_gray, frame_gray)
        direct = _key_confidence(painted.image, transport, image)
        step = _step_confidence(previous_image, flow, image)
        moved = warp(matte, flow.to_neighbour)
        carried = moved + direct * (sample(painted.matte, transport) - moved)
        certain = np.maximum(step, direct)
        likely = guided_filter(image, colours.classify(image), 12, 1e-3, 2)
        decided = np.square(2 * likely - 1)
        by_colour = (1 - certain) * decided + 0.1 * (1 - direct) * decided
        total = certain + by_colour + 0.02
        matte = (certain * carried + by_colour * likely + 0.02 * moved) / total
        confidence = np.maximum(direct, certain * warp(confidence, flow.to_neighbour) * 0.99)
        colours.learn(image, matte, certain)
        previous_gray, previous_image = frame_gray, image
        yield CarriedMatte(frame.index, matte, confidence)


def _key_confidence(key: Image, transport: NDArray[np.float32], image: Image) -> Matte:
    """How well the transport explains the frame, smooth, (H, W) 0–1."""
    value = smoothstep(similarity(sample(key, transport), image), *_SIMILARITY_RANGE)
    value *= 1 - smoothstep(local_stretch(transport), *_STRETCH_RANGE)
    smooth: Matte = cv2.blur(value, (7, 7))
    return smooth


def _step_confidence(previous: Image, flow: FlowPair, image: Image) -> Matte:
    """How well the previous frame explains this one, (H, W) 0–1."""
    warped = warp(previous, flow.to_neighbour)
    value = smoothstep(similarity(warped, image), *_STEP_RANGE)
    value[flow.occlusion] = 0
    smooth: Matte = cv2.blur(value, (5, 5))
    return smooth
