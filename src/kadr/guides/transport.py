"""Transport: for every pixel of a frame, the position in the key frame that it came from."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.row_bands import run_bands
from kadr.core.warp import Field, grid, sample, warp
from kadr.guides.flow import FlowPair, estimate_flow
from kadr.guides.kernels import stretch_rows


def identity(height: int, width: int) -> Field:
    """The key frame's own transport: every pixel comes from itself."""
    return grid(height, width).copy()


def carry(transport: Field, flow: FlowPair) -> Field:
    """Compose one step: the frame's pixel comes from where its neighbour's pixel came from."""
    return warp(transport, flow.to_neighbour)


def register(transport: Field, key_gray: NDArray[np.uint8], frame_gray: NDArray[np.uint8]) -> Field:
    """Correct a transport against the key frame itself, so that errors do not add up.

    The key frame, pulled through the transport, should look as the frame does; the flow that is
    left between the two is the error made so far. It is taken only where, and only as far as, it
    lowers the difference beyond the noise: elsewhere it would add a tremble of its own.
    """
    pulled = sample(key_gray, transport)
    residual = estimate_flow(frame_gray, pulled, quick=True)
    corrected = warp(transport, residual)
    before = _difference(pulled, frame_gray)
    after = _difference(sample(key_gray, corrected), frame_gray)
    gain = np.clip((before - after - 0.4) / (before + 0.5) * 2.0, 0, 1)
    smooth: NDArray[np.float32] = cv2.blur(gain, (9, 9))
    return transport + smooth[..., None] * (corrected - transport)


def _difference(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float32]:
    difference: NDArray[np.float32] = cv2.blur(cv2.absdiff(a, b).astype(np.float32), (9, 9))
    return difference


def stretch(transport: Field) -> NDArray[np.float32]:
    """(H, W) float32 ≥ 1: how much the transport stretches or squeezes locally, either way.

    1 for a rigid move; large where a picture pulled through it would smear or tear.
    """
    factor = np.empty(transport.shape[:2], np.float32)
    run_bands(
        lambda start, stop: stretch_rows(transport, factor, start, stop),
        transport.shape[0],
        band=64,
    )
    return factor
