"""Convert colours 0–255 to a network's value range and back, and detect that range."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]

RANGES = ("0-1", "0-255", "-1-1", "imagenet")
OUTPUT_RANGES = RANGES[:3]

_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
"""Statistics of ImageNet's colours; many networks take images normalized by them."""

_DIFFERENT_RANGES = 1.25
"""Different ranges for input and output are chosen only for so many times the likeness."""

_CONTRAST = 50.0
"""Standard deviation of the levels of an image with normal contrast."""


def encode(image: Plane, value_range: str) -> Plane:
    """(..., 3) colours 0–255 as numbers of one of ``RANGES``."""
    if value_range == "0-255":
        return image
    if value_range == "-1-1":
        return image / np.float32(127.5) - np.float32(1)
    unit = image / np.float32(255)
    return (unit - _MEAN) / _DEVIATION if value_range == "imagenet" else unit


def decode(values: Plane, value_range: str) -> Plane:
    """(..., 3) numbers of one of ``OUTPUT_RANGES`` as colours; some may lie outside 0–255."""
    if value_range == "0-255":
        return values
    if value_range == "-1-1":
        return (values + np.float32(1)) * np.float32(127.5)
    return values * np.float32(255)


def detect_ranges(
    run: Callable[[Plane], Plane], size: tuple[int, int], input_range: str, output_range: str
) -> tuple[str, str]:
    """Detect the ranges of a network's input and output from its result for a test image.

    run: (H, W, 3) numbers → (H', W', 3) numbers. size: (width, height) of the test image.
    input_range, output_range: a range that is known, or "auto".
    The test image is always the same, so the result does not depend on the clip. Both ranges are
    the same unless another pair keeps far more of the image's forms visible.
    """
    image = probe_image(size)
    candidates = RANGES if input_range == "auto" else (input_range,)
    results: dict[str, tuple[float, str]] = {}
    """Input range → likeness to the test image, output range."""
    for candidate in candidates:
        values = run(encode(image, candidate))
        output = _range_of(values) if output_range == "auto" else output_range
        results[candidate] = (_likeness(decode(values, output), image), output)
    best = max(results, key=lambda candidate: results[candidate][0])
    same = [candidate for candidate in results if candidate == results[candidate][1]]
    for candidate in sorted(same, key=lambda candidate: -results[candidate][0]):
        if results[candidate][0] * _DIFFERENT_RANGES >= results[best][0]:
            best = candidate
            break
    return best, results[best][1]


def probe_image(size: tuple[int, int]) -> Plane:
    """(H, W, 3) 0–255: gradients, discs and some grain, always the same for a size."""
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
    """The range of an output; a few numbers may overshoot, so the outermost are ignored."""
    numbers = values[np.isfinite(values)]
    low, high = np.percentile(numbers, (0.5, 99.5)) if numbers.size else (0.0, 0.0)
    if max(abs(low), abs(high)) > 4:
        return "0-255"
    return "-1-1" if low < -0.25 else "0-1"


def _likeness(output: Plane, image: Plane) -> float:
    """0–1: how much of the forms of an image is visible in a network's output."""
    if not np.isfinite(output).all():
        return 0.0
    inside = float(np.mean((output > -8) & (output < 263)))
    output_edges = _edges(np.clip(output, 0, 255), (image.shape[1], image.shape[0]))
    if float(output_edges.std()) < 1e-3:
        return 0.0
    correlation = float(np.corrcoef(output_edges.ravel(), _edges(image).ravel())[0, 1])
    return inside * max(0.0, correlation) * min(1.0, float(output.std()) / _CONTRAST)


def _edges(image: Plane, size: tuple[int, int] | None = None) -> Plane:
    gray = cv2.GaussianBlur(image.mean(axis=2), (0, 0), 1.5)
    if size is not None and size != (gray.shape[1], gray.shape[0]):
        gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    edges: Plane = np.hypot(cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1))
    return edges
