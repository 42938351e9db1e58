"""Join what was warped and what was synthesized by their confidence, in one go over the pixels."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kadr.core.row_bands import run_bands
from kadr.core.warp import Field

_BAND = 64


def select_positions(
    positions: NDArray[np.generic], transport: Field, confidence: NDArray[np.float32], limit: float
) -> Field:
    """``positions`` (H, W, 2), but those of ``transport`` where ``confidence`` reaches a limit.

    positions: of any number type; confidence: (H, W).
    """
    selected = np.empty_like(transport)
    run_bands(
        lambda start, stop: _select_rows(
            positions, transport, confidence, np.float32(limit), selected, start, stop
        ),
        confidence.shape[0],
        band=_BAND,
    )
    return selected


def mix_images(
    synthesized: NDArray[np.uint8],
    warped: NDArray[np.uint8],
    confidence: NDArray[np.float32],
    limit: float,
) -> NDArray[np.uint8]:
    """(H, W, C): the warped image by its confidence (H, W), alone from a limit on."""
    mixed = np.empty_like(warped)
    run_bands(
        lambda start, stop: _mix_rows(
            synthesized, warped, confidence, np.float32(limit), mixed, start, stop
        ),
        confidence.shape[0],
        band=_BAND,
    )
    return mixed


def pass_error(
    similarity: NDArray[np.float32],
    confidence: NDArray[np.float32],
    difference_weight: float,
    uncertainty_weight: float,
) -> NDArray[np.uint8]:
    """(H, W): a weighted sum of what is missing to a similarity and a confidence of 1, 0–255."""
    error = np.empty(similarity.shape, np.uint8)
    weights = np.float32(difference_weight), np.float32(uncertainty_weight)
    run_bands(
        lambda start, stop: _error_rows(similarity, confidence, *weights, error, start, stop),
        similarity.shape[0],
        band=_BAND,
    )
    return error


@njit(nogil=True, cache=True, error_model="numpy")
def _select_rows(
    positions: np.ndarray,
    transport: np.ndarray,
    confidence: np.ndarray,
    limit: float,
    selected: np.ndarray,
    start: int,
    stop: int,
) -> None:
    for y in range(start, stop):
        for x in range(confidence.shape[1]):
            is_confident = confidence[y, x] >= limit
            for c in range(2):
                selected[y, x, c] = transport[y, x, c] if is_confident else positions[y, x, c]


@njit(nogil=True, cache=True, error_model="numpy")
def _mix_rows(
    synthesized: np.ndarray,
    warped: np.ndarray,
    confidence: np.ndarray,
    limit: float,
    mixed: np.ndarray,
    start: int,
    stop: int,
) -> None:
    for y in range(start, stop):
        for x in range(confidence.shape[1]):
            weight = confidence[y, x]
            if weight >= limit:
                for c in range(warped.shape[2]):
                    mixed[y, x, c] = warped[y, x, c]
                continue
            for c in range(warped.shape[2]):
                first, second = np.float32(synthesized[y, x, c]), np.float32(warped[y, x, c])
                mixed[y, x, c] = np.uint8(np.rint(first + weight * (second - first)))


@njit(nogil=True, cache=True, error_model="numpy")
def _error_rows(
    similarity: np.ndarray,
    confidence: np.ndarray,
    difference_weight: float,
    uncertainty_weight: float,
    error: np.ndarray,
    start: int,
    stop: int,
) -> None:
    for y in range(start, stop):
        for x in range(error.shape[1]):
            difference = (np.float32(1) - similarity[y, x]) * difference_weight
            uncertainty = (np.float32(1) - confidence[y, x]) * uncertainty_weight
            value = min(max(difference + uncertainty, np.float32(0)), np.float32(255))
            error[y, x] = np.uint8(value)
