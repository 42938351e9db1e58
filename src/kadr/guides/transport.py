"""Transport: for each pixel of a frame, its position in the key frame."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.row_bands import run_bands
from kadr.core.warp import Field, grid, sample, warp
from kadr.guides.flow import FlowPair, estimate_flow
from kadr.guides.kernels import approach_rows, gain_rows, stretch_rows


def identity(height: int, width: int) -> Field:
    """The transport of the key frame itself: each pixel maps to its own position."""
    return grid(height, width).copy()


def compose(transport: Field, flow: FlowPair) -> Field:
    """Compose a transport with the flow of one step: from the neighbour's to the frame's."""
    return sample(transport, flow.positions)


def register(transport: Field, key_gray: NDArray[np.uint8], frame_gray: NDArray[np.uint8]) -> Field:
    """Correct a transport against the key frame itself, so that errors do not add up.

    The key frame, warped by the transport, should look like the frame; the flow that remains
    between the two is the accumulated error. It is applied only where, and only as far as, it
    lowers the difference by more than noise: elsewhere it would add jitter.
    """
    warped_key = sample(key_gray, transport)
    residual = estimate_flow(frame_gray, warped_key, quick=True)
    corrected = warp(transport, residual)
    error_before = _difference(warped_key, frame_gray)
    error_after = _difference(sample(key_gray, corrected), frame_gray)
    gain = np.empty_like(error_before)
    bands = partial(run_bands, height=gain.shape[0], band=64)
    bands(lambda start, stop: gain_rows(error_before, error_after, gain, start, stop))
    smooth: NDArray[np.float32] = cv2.blur(gain, (9, 9))
    bands(lambda start, stop: approach_rows(transport, corrected, smooth, start, stop))
    return corrected


def _difference(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float32]:
    difference: NDArray[np.float32] = cv2.boxFilter(cv2.absdiff(a, b), cv2.CV_32F, (9, 9))
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
