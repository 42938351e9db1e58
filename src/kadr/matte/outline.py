"""Move an outline with the subject: a rough matte of a frame in, one with the right outline out.

Optical flow mixes two motions within some pixels of an outline, and has none where something is
hidden or appears. But an outline moves with the subject, which hides what is behind it. So the
motion of the subject's inside is continued to its outline, that of the surroundings likewise.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Image
from kadr.core.warp import Field, grid, sample, warp
from kadr.matte.base import Matte
from kadr.matte.extrapolate import extrapolate

RADIUS = 8
"""Pixels from the outline within which flow is not used: half of DIS's patches at its finest size,
which is half of the frame's."""
_LEVELS = 12.0
"""Mean difference of colours, in levels of 255, at which a motion explains a pixel by a third."""
_ENOUGH = 0.05
"""Share of the pixels around a place that must have a motion to continue."""


@dataclass(frozen=True, eq=False)
class Motion:
    """What is known of the motion of a frame, in (H, W) or (H, W, 2).

    flow: to the previous frame. transport: to the painted frame. step, direct: the confidence in
    each, 0–1.
    """

    flow: Field
    transport: Field
    step: Matte
    direct: Matte


@dataclass(frozen=True, eq=False)
class Outline:
    """A matte around its outline, all (H, W) 0–1.

    matte: moved with the subject. unexplained: where neither the motion of the subject nor that of
    its surroundings leads to what the frame shows. near: 1 close to the outline, where this matte
    is to be used.
    """

    matte: Matte
    unexplained: Matte
    near: Matte


def move_outline(
    rough: Matte,
    previous: Matte,
    painted: Matte,
    motion: Motion,
    image: Image,
    previous_image: Image,
) -> Outline:
    """The outline of a frame.

    rough: its matte, right but for some pixels around the outline. previous: that of the previous
    frame. painted: that of the painted frame. image, previous_image: (H, W, 3) uint8.
    """
    subject = (rough > 0.5).astype(np.uint8)
    side = 2 * RADIUS + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    inside, outside = cv2.erode(subject, disc), 1 - cv2.dilate(subject, disc)
    inner, outer = inside.astype(np.float32), outside.astype(np.float32)
    flow, share = extrapolate(motion.flow, inner * motion.step, 2 * RADIUS)
    flow_around, _ = extrapolate(motion.flow, outer * motion.step, 2 * RADIUS)
    positions = grid(*rough.shape)
    displacement, _ = extrapolate(motion.transport - positions, inner * motion.direct, 2 * RADIUS)
    moved = warp(previous, flow)
    direct = _mean_where(motion.direct, inner)
    matte = moved + direct * (sample(painted, displacement + positions) - moved)
    by_subject = _explained(previous_image, flow, image) * moved
    by_surroundings = _explained(previous_image, flow_around, image)
    by_surroundings *= 1 - warp(previous, flow_around)
    near = cv2.blur(1 - inner - outer, (5, 5)) * np.minimum(share / np.float32(_ENOUGH), 1)
    return Outline(matte, 1 - np.maximum(by_subject, by_surroundings), near)


def _mean_where(values: Matte, where: NDArray[np.float32]) -> Matte:
    """The mean of values around each pixel, of those where ``where`` is 1."""
    window = (4 * RADIUS + 1, 4 * RADIUS + 1)
    total = np.maximum(cv2.blur(where, window), np.float32(1e-3))
    mean: Matte = cv2.blur(values * where, window) / total
    return mean


def _explained(previous: Image, flow: Field, image: Image) -> Matte:
    """How well a motion leads to what the frame shows, 0–1."""
    difference = cv2.absdiff(warp(previous, flow), image).astype(np.float32).mean(axis=2)
    smooth = cv2.blur(difference, (3, 3)) / np.float32(_LEVELS)
    explained: Matte = np.exp(-np.square(smooth))
    return explained
