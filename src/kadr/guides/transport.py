"""Transport: for each pixel of a frame, its position in the key frame."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.row_bands import run_bands
from kadr.core.warp import Field, grid, sample
from kadr.guides.flow import FlowPair, reduce_for_flow, residual_flow
from kadr.guides.kernels import gain_rows, stretch_rows

_BOX = (5, 5)
"""Over which differences of reduced frames, and the gain of a correction, are averaged."""


def identity(height: int, width: int) -> Field:
    """The transport of the key frame itself: each pixel maps to its own position."""
    return grid(height, width).copy()


def compose(transport: Field, flow: FlowPair) -> Field:
    """Compose a transport with the flow of one step: from the neighbour's to the frame's."""
    return sample(transport, flow.positions)


def register(transport: Field, key_gray: NDArray[np.uint8], frame_gray: NDArray[np.uint8]) -> Field:
    """Correct a transport against the key frame itself, so that errors do not add up.

    transport: (H, W, 2). key_gray, frame_gray: (H, W) uint8; see ``residual_correction``.
    """
    height, width = frame_gray.shape
    correction = residual_correction(transport, key_gray, frame_gray)
    registered: Field = cv2.resize(correction, (width, height), interpolation=cv2.INTER_LINEAR)
    registered += transport
    return registered


def residual_correction(
    transport: Field, key_gray: NDArray[np.uint8], frame_gray: NDArray[np.uint8]
) -> Field:
    """What is to be added to a transport (H, W, 2), (h, w, 2) of the size at which flow is found.

    The key frame, warped by the transport, should look like the frame; the flow that remains
    between the two is the accumulated error. It counts only where, and only as far as, it lowers
    the difference by more than noise: elsewhere it would add jitter.
    """
    warped_key, frame = reduce_for_flow(sample(key_gray, transport)), reduce_for_flow(frame_gray)
    residual = residual_flow(frame, warped_key)
    reduced: Field = cv2.resize(transport, frame.shape[::-1], interpolation=cv2.INTER_AREA)
    correction = sample(reduced, residual + grid(*frame.shape))
    correction -= reduced
    # the key is sampled once more: to move what was sampled already would blur it
    size = frame_gray.shape[1], frame_gray.shape[0]
    corrected = cv2.resize(correction, size, interpolation=cv2.INTER_LINEAR)
    corrected += transport
    error_before = _difference(warped_key, frame)
    error_after = _difference(reduce_for_flow(sample(key_gray, corrected)), frame)
    gain = np.empty_like(error_before)
    run_bands(
        lambda start, stop: gain_rows(error_before, error_after, gain, start, stop),
        gain.shape[0],
        band=64,
    )
    correction *= cv2.blur(gain, _BOX)[..., None]
    return correction


def _difference(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float32]:
    difference: NDArray[np.float32] = cv2.boxFilter(cv2.absdiff(a, b), cv2.CV_32F, _BOX)
    return difference


def local_stretch(transport: Field) -> NDArray[np.float32]:
    """(H, W) float32 ≥ 1: how much the transport stretches or compresses locally.

    1 for a rigid motion; large where an image warped by it would smear or tear.
    """
    factor = np.empty(transport.shape[:2], np.float32)
    run_bands(
        lambda start, stop: stretch_rows(transport, factor, start, stop),
        transport.shape[0],
        band=64,
    )
    return factor
