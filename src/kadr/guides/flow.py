"""Two frames in, the motion between them both ways out (OpenCV DIS, Kroeger et al. 2016)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.warp import Field
from kadr.guides.denoise_flow import denoise_flow
from kadr.guides.occlusion import find_occlusion

_MAX_SIDE = 1280
"""Longest side on which flow is computed; larger frames are reduced, their flow enlarged."""


@dataclass(frozen=True, eq=False)
class FlowPair:
    """Motion from a frame to its neighbour, and where it cannot be trusted.

    to_neighbour: (H, W, 2) float32, frame → neighbour, in pixels: pulls the neighbour onto the
    frame. from_neighbour: neighbour → frame, in pixels of the frame, (h, w, 2) of the size at which
    flow is found. occlusion: (H, W) bool, True where the frame shows something that the neighbour
    does not.
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
    size = a.shape[1], a.shape[0]
    a, b = (_reduced(image) for image in (a, b))
    return _enlarged(_estimate(a, b, quick), size)


def _estimate(a: NDArray[np.uint8], b: NDArray[np.uint8], quick: bool) -> Field:
    if min(a.shape) < 16:  # DIS needs a patch and a pyramid; a thumbnail has no motion to speak of
        return np.zeros((*a.shape, 2), np.float32)
    # a new one each time: a small frame changes an estimator's settings for good
    estimator = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    if quick:
        estimator.setPatchStride(4)
        estimator.setGradientDescentIterations(12)
        estimator.setVariationalRefinementIterations(0)
    flow: Field = estimator.calc(a, b, None)
    return flow


def _reduced(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = image.shape
    scale = min(1.0, _MAX_SIDE / max(height, width))
    if scale == 1.0:
        return image
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    reduced: NDArray[np.uint8] = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    return reduced


def _enlarged(flow: Field, size: tuple[int, int]) -> Field:
    """Flow found on reduced frames as flow of frames of ``size`` (width, height)."""
    height, width = flow.shape[:2]
    if (width, height) == size:
        return flow
    large: Field = cv2.resize(flow, size, interpolation=cv2.INTER_LINEAR)
    cv2.multiply(large, (size[0] / width, size[1] / height, 0, 0), dst=large)
    return large


def flow_pair(
    frame: NDArray[np.uint8], neighbour: NDArray[np.uint8], *, quick: bool = False
) -> FlowPair:
    """Flow both ways between two gray frames, noise settled, occlusion marked."""
    size = frame.shape[1], frame.shape[0]
    a, b = _reduced(frame), _reduced(neighbour)
    there, back = _estimate(a, b, quick), _estimate(b, a, quick)
    occlusion = find_occlusion(there, back)
    settled = denoise_flow(a, b, there)
    if a is frame:
        return FlowPair(settled, back, occlusion)
    back *= np.array([size[0] / a.shape[1], size[1] / a.shape[0]], np.float32)
    hidden = cv2.resize(occlusion.view(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    return FlowPair(_enlarged(settled, size), back, hidden.view(np.bool_))
