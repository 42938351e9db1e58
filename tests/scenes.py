"""Small synthetic scenes with exactly known motion."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from kadr.core.frames import Frame
from kadr.image_files import write_image

Matrix = np.ndarray
"""(2, 3) float64: maps a pixel (x, y, 1) of a frame to its position in the first frame."""


def texture(height: int = 72, width: int = 96, *, seed: int = 0, fine: float = 1.5) -> np.ndarray:
    """(H, W, 3) uint8 RGB with detail at several scales and no repetition."""
    rng = np.random.default_rng(seed)
    image = np.zeros((height, width, 3), np.float32)
    for sigma, amplitude in ((fine, 60), (4 * fine, 60), (12 * fine, 50)):
        noise = rng.normal(0, 1, image.shape).astype(np.float32)
        noise = cv2.GaussianBlur(noise, (0, 0), sigma)
        image += amplitude * noise / noise.std()
    return np.clip(image * 0.7 + 128, 0, 255).astype(np.uint8)


def paint(image: np.ndarray) -> np.ndarray:
    """A stylized image: other colours and hard tones, pixel by pixel."""
    swapped = image[..., [2, 0, 1]].astype(np.int32)
    return (255 - swapped // 24 * 24).astype(np.uint8)


def translation(dx: float, dy: float) -> Matrix:
    """The content moves by (dx, dy)."""
    return np.array([[1, 0, -dx], [0, 1, -dy]], np.float64)


def rotation(degrees: float, center: tuple[float, float], zoom: float = 1.0) -> Matrix:
    """The content turns about ``center`` and grows by ``zoom``."""
    return cv2.invertAffineTransform(cv2.getRotationMatrix2D(center, degrees, zoom))


def positions(matrix: Matrix, height: int, width: int) -> np.ndarray:
    """(H, W, 2) float32: the source position of each pixel."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    return np.stack([m[0] * x + m[1] * y + m[2] for m in matrix], axis=2).astype(np.float32)


def show(image: np.ndarray, matrix: Matrix) -> np.ndarray:
    """The image moved: out[p] = image[matrix · p]."""
    source_positions = positions(matrix, *image.shape[:2])
    return cv2.remap(image, source_positions, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


def sliding(
    count: int, dx: float, dy: float = 0.0, *, height: int = 72, width: int = 96, seed: int = 0
) -> list[np.ndarray]:
    """Frames of one image that slides steadily; new content enters at the sides."""
    border = int(max(abs(dx), abs(dy)) * count) + 4
    wide = texture(height + 2 * border, width + 2 * border, seed=seed)
    return [
        np.ascontiguousarray(
            show(wide, translation(dx * t, dy * t))[border : border + height, border:-border]
        )
        for t in range(count)
    ]


def as_frames(images: Sequence[np.ndarray], first: int = 0) -> list[Frame]:
    """Frames numbered from ``first``, 25 a second."""
    return [
        Frame(first + offset, image, Fraction(first + offset, 25))
        for offset, image in enumerate(images)
    ]


def write_sequence(folder: Path, images: Sequence[np.ndarray], first: int = 0) -> Path:
    """A numbered sequence of PNG files."""
    folder.mkdir(parents=True, exist_ok=True)
    for offset, image in enumerate(images):
        write_image(folder / f"frame_{first + offset:05d}.png", image)
    return folder


def psnr(a: np.ndarray, b: np.ndarray, border: int = 0) -> float:
    """Peak signal to noise in decibels, ``border`` pixels at each side left out."""
    inner = slice(border, -border or None)
    difference = a[inner, inner].astype(np.float64) - b[inner, inner]
    return float(10 * np.log10(255**2 / max(np.square(difference).mean(), 1e-9)))
