"""Estimate optical flow between two frames in both directions (OpenCV DIS, Kroeger et al. 2016)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.resize import shrink_to_side
from kadr.core.stage_times import stage
from kadr.core.warp import Field
from kadr.guides.denoise_flow import denoise_flow
from kadr.guides.occlusion import find_occlusion

_MAX_SIDE = 1280
"""Longest side on which flow is computed; larger frames are reduced and their flow enlarged."""


@dataclass(frozen=True, eq=False)
class FlowPair:
    """Optical flow from a frame to its neighbour and back, and the occlusion.

    to_neighbour: (H, W, 2) float32, frame → neighbour, in pixels: warps the neighbour onto the
    frame. from_neighbour: neighbour → frame, in pixels of the frame, (h, w, 2) of the size at which
    flow is estimated. occlusion: (H, W) bool, True where the neighbour does not show what the
    frame shows.
    """

    to_neighbour: Field
    from_neighbour: Field
    occlusion: NDArray[np.bool_]


def gray(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3 or 4) uint8 RGB(A) as (H, W) uint8."""
    code = cv2.COLOR_RGBA2GRAY if image.shape[2] == 4 else cv2.COLOR_RGB2GRAY
    luma: NDArray[np.uint8] = cv2.cvtColor(image, code)
    return luma


def estimate_flow(a: NDArray[np.uint8], b: NDArray[np.uint8], *, quick: bool = False) -> Field:
    """Flow a→b of two gray images, (H, W, 2) float32 pixels: ``a[p]`` is at ``b[p + flow]``.

    quick: three times as fast and a tenth of a pixel coarser, for small corrections.
    """
    size = a.shape[1], a.shape[0]
    a, b = (shrink_to_side(image, _MAX_SIDE) for image in (a, b))
    return _enlarge(_estimate(a, b, quick), size)


def _estimate(a: NDArray[np.uint8], b: NDArray[np.uint8], quick: bool) -> Field:
    if min(a.shape) < 16:  # too small for the patches and the pyramid of DIS
        return np.zeros((*a.shape, 2), np.float32)
    # a new estimator each time: a small frame changes its settings permanently
    estimator = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    if quick:
        estimator.setPatchStride(4)
        estimator.setGradientDescentIterations(12)
        estimator.setVariationalRefinementIterations(0)
    flow: Field = estimator.calc(a, b, None)
    return flow


def _enlarge(flow: Field, size: tuple[int, int]) -> Field:
    """Scale a flow of reduced frames to frames of ``size`` (width, height)."""
    height, width = flow.shape[:2]
    if (width, height) == size:
        return flow
    enlarged: Field = cv2.resize(flow, size, interpolation=cv2.INTER_LINEAR)
    cv2.multiply(enlarged, (size[0] / width, size[1] / height, 0, 0), dst=enlarged)
    return enlarged


def flow_pair(
    frame: NDArray[np.uint8], neighbour: NDArray[np.uint8], *, quick: bool = False
) -> FlowPair:
    """Flow in both directions between two gray frames, the first denoised, and the occlusion."""
    size = frame.shape[1], frame.shape[0]
    with stage("flow"):
        a, b = shrink_to_side(frame, _MAX_SIDE), shrink_to_side(neighbour, _MAX_SIDE)
        forward, backward = _estimate(a, b, quick), _estimate(b, a, quick)
    with stage("occlusion"):
        occlusion = find_occlusion(forward, backward)
    with stage("denoise"):
        denoised = denoise_flow(a, b, forward)
    if a is frame:
        return FlowPair(denoised, backward, occlusion)
    with stage("flow"):
        backward *= np.array([size[0] / a.shape[1], size[1] / a.shape[0]], np.float32)
        full_occlusion = cv2.resize(occlusion.view(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        return FlowPair(_enlarge(denoised, size), backward, full_occlusion.view(np.bool_))
