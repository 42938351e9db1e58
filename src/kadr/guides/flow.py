"""Estimate optical flow between two frames in both directions (OpenCV DIS, Kroeger et al. 2016)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.resize import fit_in_box
from kadr.core.stage_times import stage
from kadr.core.warp import Field, grid
from kadr.guides.denoise_flow import denoise_flow
from kadr.guides.occlusion import ABSOLUTE, find_occlusion
from kadr.guides.two_way_flow import TwoWayFlow

_MAX_SIDE = 640
"""Flow is estimated on frames reduced by half, and to this longest side: DIS compares patches of
eight pixels and finds little more on larger frames."""


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

    @cached_property
    def positions(self) -> Field:
        """(H, W, 2) float32, where each pixel of the frame is in the neighbour."""
        return self.to_neighbour + grid(*self.occlusion.shape)


def gray(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3 or 4) uint8 RGB(A) as (H, W) uint8."""
    code = cv2.COLOR_RGBA2GRAY if image.shape[2] == 4 else cv2.COLOR_RGB2GRAY
    luma: NDArray[np.uint8] = cv2.cvtColor(image, code)
    return luma


def estimate_flow(a: NDArray[np.uint8], b: NDArray[np.uint8], *, quick: bool = False) -> Field:
    """Flow a→b of two gray images, (H, W, 2) float32 pixels: ``a[p]`` is at ``b[p + flow]``.

    quick: three times as fast and a tenth of a pixel coarser, for small corrections.
    """
    return _enlarge(_reduced_flow(reduce_for_flow(a), reduce_for_flow(b), quick), a.shape)


def denoised_flow(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> Field:
    """``estimate_flow``, denoised."""
    reduced = reduce_for_flow(a), reduce_for_flow(b)
    flow = _reduced_flow(*reduced, quick=False)
    denoised = denoise_flow(*reduced, flow, unit=max(a.shape) / max(reduced[0].shape))
    return _enlarge(denoised, a.shape)


def reduce_for_flow(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A gray image (H, W) at the size at which flow is estimated: half, 640 pixels at most."""
    height, width = image.shape
    side = min(max(1, max(height, width) // 2), _MAX_SIDE)
    size = fit_in_box((width, height), (side, side))
    reduced: NDArray[np.uint8] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return reduced


def estimate_two_way(
    a: NDArray[np.uint8], b: NDArray[np.uint8], *, quick: bool = False
) -> TwoWayFlow:
    """Flow of two images of ``reduce_for_flow`` in both directions, rounded as it is stored."""
    return TwoWayFlow(_reduced_flow(a, b, quick), _reduced_flow(b, a, quick)).rounded()


def residual_flow(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> Field:
    """Flow a→b of two images of ``reduce_for_flow`` that differ little, in their pixels.

    Patches start from no motion, and neighbours do not propagate theirs: half the time, and errors
    are smaller, since nothing wrong spreads.
    """
    return _estimate(a, b, iterations=12, stride=5, refinements=0, propagates=False)


def _reduced_flow(a: NDArray[np.uint8], b: NDArray[np.uint8], quick: bool) -> Field:
    # the preset has 25 iterations and 5 refinements, a tenth slower for a hundredth of a pixel; its
    # stride of 3 finds what is covered at the edges of what moves
    if quick:
        return _estimate(a, b, iterations=12, stride=4, refinements=0)
    return _estimate(a, b, iterations=12, stride=3, refinements=3)


def _estimate(
    a: NDArray[np.uint8],
    b: NDArray[np.uint8],
    *,
    iterations: int,
    stride: int,
    refinements: int,
    propagates: bool = True,
) -> Field:
    if min(a.shape) < 8 or max(a.shape) < 12:  # too small for the patches and the pyramid of DIS
        return np.zeros((*a.shape, 2), np.float32)
    # a new estimator each time: a small frame changes its settings permanently
    estimator = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    estimator.setFinestScale(0)
    estimator.setGradientDescentIterations(iterations)
    estimator.setPatchStride(stride)
    estimator.setVariationalRefinementIterations(refinements)
    estimator.setUseSpatialPropagation(propagates)
    flow: Field = estimator.calc(a, b, None)
    return flow


def _enlarge(flow: Field, shape: tuple[int, ...]) -> Field:
    """Scale a flow of reduced frames to frames of ``shape`` (height, width)."""
    height, width = shape
    enlarged: Field = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR)
    scale = (width / flow.shape[1], height / flow.shape[0], 0, 0)
    cv2.multiply(enlarged, scale, dst=enlarged)
    return enlarged


def flow_pair(
    frame: NDArray[np.uint8],
    neighbour: NDArray[np.uint8],
    estimate: TwoWayFlow | None = None,
    *,
    side: int | None = None,
) -> FlowPair:
    """Flow in both directions between two gray frames, the first denoised, and the occlusion.

    estimate: of these frames as reduced, to and from the neighbour; None: it is made here. side:
    longest side of whole frames, of which these are windows; None: their own.
    """
    with stage("flow"):
        a, b = reduce_for_flow(frame), reduce_for_flow(neighbour)
        both = estimate or estimate_two_way(a, b)
    unit = max(frame.shape) / max(a.shape)
    size = frame.shape[1], frame.shape[0]
    with stage("occlusion"):
        occlusion = find_occlusion(both.forward, both.backward, absolute=ABSOLUTE / unit**2)
        occlusion = cv2.resize(occlusion.view(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    with stage("denoise"):
        reduced_side = None if side is None else side / unit
        denoised = denoise_flow(a, b, both.forward, unit=unit, side=reduced_side)
    with stage("flow"):
        scale = (frame.shape[1] / a.shape[1], frame.shape[0] / a.shape[0], 0, 0)
        backward = cv2.multiply(both.backward, scale)
        return FlowPair(_enlarge(denoised, frame.shape), backward, occlusion.view(np.bool_))
