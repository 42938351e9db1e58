"""Carry the matte of a painted frame along a pass: frames in, a matte and a confidence each out.

The transport is that of the passes of a run: optical flow from frame to frame, corrected against
the painted frame. Where it does not lead back to something that looks alike, the previous matte is
moved along. The outline moves with the inside of the subject. What neither motion explains, such as
the far side of a head that turns, is decided by colours learnt from the frames before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.events import CancelToken
from kadr.core.frames import Frame, Image
from kadr.core.warp import Field, sample, warp
from kadr.guides.confidence import similarity, smoothstep
from kadr.guides.flow import FlowPair, flow_pair, gray
from kadr.guides.transport import compose, identity, local_stretch, register
from kadr.matte.base import Matte, work_image
from kadr.matte.colour_model import ColourModel, reliability
from kadr.matte.guided_filter import guided_filter
from kadr.matte.outline import Motion, move_outline

_SIMILARITY_RANGE = (0.6, 0.9)
"""Similarity of frame and warped key at which the confidence in the transport rises from 0 to 1."""
_STRETCH_RANGE = (1.6, 3.0)
"""Stretch at which the confidence falls from 1 to 0."""
_STEP_RANGE = (0.4, 0.75)
"""The same as ``_SIMILARITY_RANGE`` for a frame and the warped previous frame."""
_UNEXPLAINED_RANGE = (0.2, 0.7)
"""How little motion explains a pixel, from where on its colour counts, and counts in full."""
_COLOUR_SHARE = 0.5
"""How far a colour counts beside motion that explains the pixel."""
_DECIDED_RANGE = (0.1, 0.6)
"""Distance of a likelihood from 0.5, doubled, from where on it decides, and decides alone."""
_CORRECTION = 0.1
"""How far colours correct a frame away from the outline, where the painted one is not seen."""
_CONTRAST = 1.2
"""By which a matte is spread from the middle in each frame."""
_FADE = 0.99
"""What remains of the confidence from frame to frame."""


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


@dataclass(frozen=True, eq=False)
class _Step:
    """The state of a pass after a frame."""

    image: Image
    gray: Image
    matte: Matte
    transport: Field
    confidence: Matte
    reliable: Matte
    """How far the colours of the subject can be told from those around it, at each place."""


def carry(
    painted: PaintedMatte, frames: Iterable[Frame], cancel: CancelToken
) -> Iterator[CarriedMatte]:
    """Yield the matte of each of ``frames``; the first is the neighbour of the painted frame."""
    height, width = painted.matte.shape
    colours = ColourModel(height, width).learn(painted.image, painted.matte)
    likely = _smooth(painted.image, colours)
    state = _Step(
        painted.image,
        gray(painted.image),
        painted.matte,
        identity(height, width),
        np.ones((height, width), np.float32),
        reliability(likely, painted.matte),
    )
    key_gray = state.gray
    for frame in frames:
        cancel.check()
        state = _advance(state, painted, key_gray, colours, work_image(frame))
        yield CarriedMatte(frame.index, state.matte, state.confidence)


def _advance(
    state: _Step, painted: PaintedMatte, key_gray: Image, colours: ColourModel, image: Image
) -> _Step:
    frame_gray = gray(image)
    pair = flow_pair(frame_gray, state.gray)
    flow = pair.to_neighbour
    transport = register(compose(state.transport, pair), key_gray, frame_gray)
    direct = _key_confidence(painted.image, transport, image)
    step = _step_confidence(state.image, pair, image)
    certain = np.maximum(step, direct)
    moved = warp(state.matte, flow)
    carried = moved + direct * (sample(painted.matte, transport) - moved)
    likely = _smooth(image, colours)
    rough = _decide(carried, moved, likely, certain, direct)
    motion = Motion(flow, transport, step, direct)
    outline = move_outline(rough, state.matte, painted.matte, motion, image, state.image)
    unexplained = smoothstep(outline.unexplained, *_UNEXPLAINED_RANGE)
    by_colour = _COLOUR_SHARE + (1 - _COLOUR_SHARE) * unexplained
    by_colour *= state.reliable * smoothstep(np.abs(2 * likely - 1), *_DECIDED_RANGE)
    edge = outline.matte + by_colour * (smoothstep(likely, 0.3, 0.7) - outline.matte)
    matte = rough + outline.near * (edge - rough)
    # mixing leaves a veil, which would remain
    matte = np.clip((matte - np.float32(0.5)) * np.float32(_CONTRAST) + np.float32(0.5), 0, 1)
    # what is half covered teaches nothing
    colours.learn(image, matte, certain * smoothstep(np.abs(2 * matte - 1), 0.2, 0.8))
    confidence = np.maximum(direct, certain * warp(state.confidence, flow) * np.float32(_FADE))
    return _Step(image, frame_gray, matte, transport, confidence, reliability(likely, matte))


def _decide(carried: Matte, moved: Matte, likely: Matte, certain: Matte, direct: Matte) -> Matte:
    """The rough matte: carried where that is certain, else by colours as far as these decide."""
    decided = np.square(2 * likely - 1)
    by_colour = (1 - certain + np.float32(_CORRECTION) * (1 - direct)) * decided
    rest = np.float32(0.02)
    rough: Matte = (certain * carried + by_colour * likely + rest * moved) / (
        certain + by_colour + rest
    )
    return rough


def _smooth(image: Image, colours: ColourModel) -> Matte:
    """The likelihood by colours, alike where the image is."""
    return guided_filter(image, colours.classify(image), 12, 1e-3, 2)


def _key_confidence(key: Image, transport: Field, image: Image) -> Matte:
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
