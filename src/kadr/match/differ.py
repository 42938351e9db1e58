"""Some keys and their filmed frames in; how far they differ in what they make of the film out."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.match.colours import to_lab
from kadr.match.match_key import KeyView

_SIDE = 64
"""Longest side in pixels at which keys are compared: strokes are averaged then."""
_RIDGE = 0.02
"""Share of the variance of the film that holds slopes low."""
DIFFERENT = 2.5
"""Keys of one hand differ by less (CIE 1976)."""


def style_differences(keys: Sequence[KeyView]) -> list[float]:
    """For each key (at least two) how far its style is from that of the others, CIE 1976.

    The style of a key is taken as an affine map from the colours of the film to those of the
    painting. It is applied to the key's own film, and so are the maps of the others: their mean
    difference over the picture is the result. No correspondence is needed.
    """
    samples = [_sample(key) for key in keys]
    maps = [_fit(*sample) for sample in samples]
    differences = []
    for number, (filmed, _) in enumerate(samples):
        own = filmed @ maps[number]
        others = [filmed @ other for place, other in enumerate(maps) if place != number]
        distance = np.linalg.norm(own - np.mean(others, axis=0), axis=1)
        differences.append(float(distance.mean()))
    return differences


def _sample(key: KeyView) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n, 4) film and (n, 3) painting of the pixels that are painted."""
    height, width = key.filmed.shape[:2]
    scale = _SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    filmed, painted = (
        to_lab(cv2.resize(image, size, interpolation=cv2.INTER_AREA)).reshape(-1, 3)
        for image in (key.filmed, key.painted)
    )
    if key.weight is not None:
        inside = cv2.resize(key.weight, size, interpolation=cv2.INTER_AREA).reshape(-1) > 0.99
        if inside.any():
            filmed, painted = filmed[inside], painted[inside]
    ones = np.ones((len(filmed), 1))
    return np.hstack([filmed.astype(np.float64), ones]), painted.astype(np.float64)


def _fit(filmed: NDArray[np.float64], painted: NDArray[np.float64]) -> NDArray[np.float64]:
    """(4, 3), the affine map."""
    mean, painted_mean = filmed[:, :3].mean(axis=0), painted.mean(axis=0)
    centred = filmed[:, :3] - mean
    # einsum, not matrix products: those add up in another order for another number of threads
    covariance = np.einsum("ni,nj->ij", centred, centred) / len(centred)
    ridge = (_RIDGE * np.trace(covariance) + 1.0) * np.eye(3)
    cross = np.einsum("ni,nj->ij", centred, painted - painted_mean) / len(centred)
    slopes = np.linalg.solve(covariance + ridge, cross)
    return np.vstack([slopes, painted_mean - mean @ slopes])
