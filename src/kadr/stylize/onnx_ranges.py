"""Colours 0–255 in, the numbers that a network was trained on out; and which those are."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]

RANGES = ("0-1", "0-255", "-1-1", "imagenet")
OUTPUT_RANGES = RANGES[:3]

_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_SPREAD = np.array([0.229, 0.224, 0.225], np.float32)
"""Of the colours of ImageNet, by which many networks are fed."""

_FAR_BETTER = 1.25
"""A network that is fed in another range than it answers in must answer so much better for it."""

_CONTRAST = 50.0
"""Spread of the levels of a picture that is neither dull nor harsh."""


def encode(image: Plane, kind: str) -> Plane:
    """(..., 3) colours 0–255 as numbers of one of ``RANGES``."""
    if kind == "0-255":
        return image
    if kind == "-1-1":
        return image / np.float32(127.5) - np.float32(1)
    unit = image / np.float32(255)
    return (unit - _MEAN) / _SPREAD if kind == "imagenet" else unit


def decode(values: Plane, kind: str) -> Plane:
    """(..., 3) numbers of one of ``OUTPUT_RANGES`` as colours; some may lie outside 0–255."""
    if kind == "0-255":
        return values
    if kind == "-1-1":
        return (values + np.float32(1)) * np.float32(127.5)
    return values * np.float32(255)


def detect_ranges(
    answer: Callable[[Plane], Plane], size: tuple[int, int], given: str, answered: str
) -> tuple[str, str]:
    """The ranges of a network's input and output, found by what it makes of a made-up picture.

    answer: (H, W, 3) numbers → (H', W', 3) numbers. size: (width, height) of the picture.
    given, answered: a range that is known, or "auto".
    The picture is always the same, so what is found does not depend on the clip. Networks answer
    in the range they are fed in, unless another makes far more of the picture's forms visible.
    """
    picture = probe_picture(size)
    kinds = RANGES if given == "auto" else (given,)
    tried: dict[str, tuple[float, str]] = {}
    for kind in kinds:
        values = answer(encode(picture, kind))
        out = _range_of(values) if answered == "auto" else answered
        tried[kind] = (_likeness(decode(values, out), picture), out)
    best = max(tried, key=lambda kind: tried[kind][0])
    usual = [kind for kind in tried if kind == tried[kind][1]]
    for kind in sorted(usual, key=lambda kind: -tried[kind][0]):
        if tried[kind][0] * _FAR_BETTER >= tried[best][0]:
            best = kind
            break
    return best, tried[best][1]


def probe_picture(size: tuple[int, int]) -> Plane:
    """(H, W, 3) 0–255: slopes, discs and some grain, always the same for a size."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    y, x = y / height, x / width
    image = np.stack([255 * x, 255 * y, 255 * (1 - x)], axis=2)
    for cx, cy, radius, colour in (
        (0.3, 0.35, 0.2, (230, 60, 40)),
        (0.7, 0.6, 0.25, (30, 90, 200)),
        (0.45, 0.75, 0.12, (245, 240, 225)),
        (0.75, 0.2, 0.1, (15, 20, 15)),
    ):
        image[(x - cx) ** 2 + (y - cy) ** 2 < radius**2] = colour
    image += np.random.default_rng(0).normal(0, 5, image.shape)
    probe: Plane = np.clip(image, 0, 255).astype(np.float32)
    return probe


def _range_of(values: Plane) -> str:
    """A few numbers may overshoot in any range, so the outermost are left out."""
    numbers = values[np.isfinite(values)]
    low, high = np.percentile(numbers, (0.5, 99.5)) if numbers.size else (0.0, 0.0)
    if max(abs(low), abs(high)) > 4:
        return "0-255"
    return "-1-1" if low < -0.25 else "0-1"


def _likeness(image: Plane, picture: Plane) -> float:
    """0–1: how much of the picture's forms is seen in what a network made of it."""
    if not np.isfinite(image).all():
        return 0.0
    inside = float(np.mean((image > -8) & (image < 263)))
    edges = _edges(np.clip(image, 0, 255), (picture.shape[1], picture.shape[0])), _edges(picture)
    spread = float(edges[0].std())
    if spread < 1e-3:
        return 0.0
    shared = max(0.0, float(np.corrcoef(edges[0].ravel(), edges[1].ravel())[0, 1]))
    return inside * shared * min(1.0, float(image.std()) / _CONTRAST)


def _edges(image: Plane, size: tuple[int, int] | None = None) -> Plane:
    gray = cv2.GaussianBlur(image.mean(axis=2), (0, 0), 1.5)
    if size is not None and size != (gray.shape[1], gray.shape[0]):
        gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    edges: Plane = np.hypot(cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1))
    return edges
