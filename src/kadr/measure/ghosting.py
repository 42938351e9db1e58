"""Ghosting: how much of a frame's structure is that of the frames at its keys, not its own.

A ghost shows what another frame shows, at its old place: the output of a fade from key to key. So
gradients of the output are explained as a mixture of the gradients that a painting of this frame
and of the frames at the keys would have (least squares); the share of the latter is the ghost.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Image
from kadr.guides.flow import gray

_SIGMA = 1.5
"""Pixels of smoothing before gradients, so that strokes count little."""
_MOVED = 8.0
"""Grey levels by which a pixel differs from the frame at the key, where a ghost could show."""
_LEAST_MOVED = 0.01
"""Share of such pixels below which nothing is measured."""
_LEAST_EXPLAINED = 0.1
"""Sum of the weights below which the output does not show these frames at all."""
_LEAST_INDEPENDENT = 0.1
"""1 − squared correlation of two frames' gradients below which they cannot be told apart."""
_MOST_FIT_PIXELS = 20_000

_Plane = NDArray[np.float32]


class TonePrediction:
    """Predicts the gray of the painting from the colours of the film, fitted at one key."""

    def __init__(self, filmed: Image, painted: Image) -> None:
        """filmed, painted: (H, W, 3) uint8, the frame at a key and the key."""
        step = max(1, int(np.sqrt(filmed.shape[0] * filmed.shape[1] / _MOST_FIT_PIXELS)))
        terms = _terms(filmed[::step, ::step]).reshape(-1, 7)
        levels = gray(painted)[::step, ::step].ravel().astype(np.float32)
        self._weights = np.linalg.lstsq(terms, levels, rcond=None)[0]

    def gradients(self, filmed: Image) -> _Plane:
        """(2, H, W): gradients in x and y of the predicted gray of a filmed frame."""
        predicted: _Plane = (_terms(filmed) @ self._weights).astype(np.float32)
        return _gradients(predicted)


def ghost_share(
    output: NDArray[np.uint8],
    filmed: NDArray[np.uint8],
    gradients: _Plane,
    others: Sequence[tuple[NDArray[np.uint8], _Plane]],
) -> float | None:
    """Share of the structure of the other frames in an output frame, 0–1.

    output, filmed: (H, W) gray. gradients: (2, H, W) of the prediction for the filmed frame.
    others: gray and predicted gradients of the frames at the keys before and after. Only pixels
    that differ from all of them count, as elsewhere a ghost cannot show. None if there are too few,
    or if the frames' structures cannot be told apart.
    """
    moved = np.ones(filmed.shape, np.bool_)
    for other, _ in others:
        moved &= cv2.absdiff(cv2.blur(filmed, (5, 5)), cv2.blur(other, (5, 5))) > _MOVED
    if moved.mean() < _LEAST_MOVED:
        return None
    planes = [gradients, *(plane for _, plane in others)]
    basis = np.stack([plane[:, moved].ravel() for plane in planes], axis=1).astype(np.float64)
    norms = np.linalg.norm(basis, axis=0)
    if norms.min() == 0:
        return None
    correlation = (basis.T @ basis) / np.outer(norms, norms)
    off_diagonal = correlation - np.eye(len(planes))
    if 1 - np.square(off_diagonal).max() < _LEAST_INDEPENDENT:
        return None
    target = _gradients(output.astype(np.float32))[:, moved].ravel()
    weights = np.linalg.solve(correlation, basis.T @ target / norms) / norms
    own, ghosts = max(0.0, float(weights[0])), float(np.maximum(weights[1:], 0).sum())
    return None if own + ghosts < _LEAST_EXPLAINED else ghosts / (own + ghosts)


def _terms(image: Image) -> NDArray[np.float32]:
    """(H, W, 7): the colours 0–1, their squares, and 1."""
    colours = image[..., :3].astype(np.float32) / 255
    return np.concatenate([colours, colours**2, np.ones_like(colours[..., :1])], axis=2)


def _gradients(plane: _Plane) -> _Plane:
    smooth = cv2.GaussianBlur(plane, (0, 0), _SIGMA)
    return np.stack([cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)])
