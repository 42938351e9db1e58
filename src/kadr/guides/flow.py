"""Two frames in, the motion between them both ways out (OpenCV DIS, Kroeger et al. 2016)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.guides.occlusion import find_occlusion
from kadr.guides.settle import settle
from kadr.guides.warp import Field

_MAX_SIDE = 1280
"""Longest side on which flow is computed; larger frames are reduced, their flow enlarged."""


@dataclass(frozen=True, eq=False)
class FlowPair:
    """Motion from a frame to its neighbour, and where it cannot be trusted.

    to_neighbour: (H, W, 2) float32, frame → neighbour, in pixels: pulls the neighbour onto the
    frame. from_neighbour: neighbour → frame. occlusion: (H, W) bool, True where the frame shows
    something that the neighbour does not.
    """

    to_neighbour: Field
    from_neighbour: Field
    occlusion: NDArray[np.bool_]


def gray(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3 or 4) uint8 RGB(A) as (H, W) uint8."""
    code = cv2.COLOR_RGBA2GRAY if image.shape[2] == 4 else cv2.COLOR_RGB2GRAY
    level: NDArray[np.uint8] = cv2.cvtColor(image, code)
    return level


def estimate_flow(a: NDArray[np.uint8], b: NDArray[np.uint8], *, quick: bool = False) -> Field:
    """Flow a→b of two gray images, (H, W, 2) float32 pixels: ``a[p]`` is at ``b[p + flow]``.

    quick: three times as fast and a tenth of a pixel coarser, for small corrections.
    """
    height, width = a.shape
    scale = min(1.0, _MAX_SIDE / max(height, width))
    if scale < 1.0:
        small = (round(width * scale), round(height * scale))
        a, b = (cv2.resize(image, small, interpolation=cv2.INTER_AREA) for image in (a, b))
    if min(a.shape) < 16:  # DIS needs a patch and a pyramid; a thumbnail has no motion to speak of
        return np.zeros((height, width, 2), np.float32)
    # a new one each time: a small frame changes an estimator's settings for good
    estimator = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    if quick:
        estimator.setPatchStride(4)
        estimator.setGradientDescentIterations(12)
        estimator.setVariationalRefinementIterations(0)
    flow: Field = estimator.calc(a, b, None)
    if scale < 1.0:
        flow = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR)
        flow *= np.array([width / small[0], height / small[1]], np.float32)
    return flow


def flow_pair(
    frame: NDArray[np.uint8], neighbour: NDArray[np.uint8], *, quick: bool = False
) -> FlowPair:
    """Flow both ways between two gray frames, noise settled, occlusion marked."""
    to_neighbour = estimate_flow(frame, neighbour, quick=quick)
    from_neighbour = estimate_flow(neighbour, frame, quick=quick)
    occlusion = find_occlusion(to_neighbour, from_neighbour)
    return FlowPair(settle(frame, neighbour, to_neighbour), from_neighbour, occlusion)
