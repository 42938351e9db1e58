"""Interlaced clips of a scene that moves, and the whole pictures of which their fields are."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from scenes import texture

FLAGGED = {"flags": "+ilme+ildct", "crf": "10", "preset": "veryfast"}
"""libx264 marks frames as interlaced, the bottom field first."""
NOT_FLAGGED = {"crf": "10", "preset": "veryfast"}


def moving(count: int, step: float = 1.5, size: tuple[int, int] = (160, 96)) -> list[np.ndarray]:
    """``count`` whole pictures (H, W, 3) at 50 a second; a disc moves over a slower background."""
    width, height = size
    back = _gray(texture(height, width + 80, seed=3, fine=3))
    disc = _gray(texture(height, width, seed=7, fine=3))
    y, x = np.mgrid[:height, :width]
    pictures = []
    for index in range(count):
        shift = np.array([[1, 0, -step * index / 2], [0, 1, 0]], np.float64)
        image = cv2.warpAffine(back, shift, size, borderMode=cv2.BORDER_REFLECT)
        centre = 30 + step * index, height / 2 + 8 * np.sin(index / 5)
        inside = np.hypot(x - centre[0], y - centre[1]) < height / 3
        image[inside] = disc[inside]
        pictures.append(image)
    return pictures


def _gray(image: np.ndarray) -> np.ndarray:
    """Nearly gray: colours are stored at half the height, which weaves the fields of 4:2:0."""
    gray = image.mean(axis=2, keepdims=True)
    return np.clip(gray + 0.1 * (image - gray), 0, 255).astype(np.uint8)


def woven(pictures: list[np.ndarray], *, top_first: bool = True) -> list[np.ndarray]:
    """Frames of two fields each: of pictures 0 and 1, 2 and 3, and so on."""
    frames = []
    for earlier, later in zip(pictures[::2], pictures[1::2], strict=True):
        frame = earlier.copy()
        frame[1 if top_first else 0 :: 2] = later[1 if top_first else 0 :: 2]
        frames.append(frame)
    return frames


def write_video(
    path: Path,
    images: list[np.ndarray],
    *,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    options: dict[str, str] | None = None,
) -> Path:
    """Write pictures at 25 a second."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25, options=options or {})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pixel_format
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixel_format)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
