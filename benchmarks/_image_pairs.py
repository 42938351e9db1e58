"""Pairs of a filmed image and its painted version, from a folder of test clips.

Without the folder the pairs are generated, so that the benchmarks run anywhere.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.image_files import read_image

Image = NDArray[np.uint8]
Number = TypeVar("Number", np.uint8, np.float32)


@dataclass(frozen=True, eq=False)
class Pair:
    """A filmed image and its painted version, both (H, W, 3) uint8, aligned by pixel.

    matte: (H, W) float32 0–1, where a layer is opaque; None for a full image.
    """

    filmed: Image
    painted: Image
    matte: NDArray[np.float32] | None = None


@functools.lru_cache(maxsize=1)
def background(clips: Path | None) -> Pair:
    """A full image, 960×540: a filmed lynx and its painting, or generated strokes."""
    if clips is None:
        filmed = _scenery(540, 960, seed=1)
        return Pair(filmed, _paint(filmed, seed=2))
    folder = clips / "lynx"
    return Pair(_read(folder / "input" / "000.jpg"), _read(folder / "keys" / "000.jpg"))


@functools.lru_cache(maxsize=1)
def layer(clips: Path | None) -> Pair:
    """A layer to move over a background, about 500 pixels tall, with its matte."""
    if clips is None:
        filmed = _scenery(500, 400, seed=5)[..., ::-1].copy()
        y, x = np.mgrid[:500, :400]
        inside = ((x - 200) / 170.0) ** 2 + ((y - 250) / 220.0) ** 2
        matte = (inside < 1 + 0.12 * np.sin(7 * np.arctan2(y - 250, x - 200))).astype(np.float32)
        return Pair(filmed, _paint(filmed, seed=6), matte)
    folder = clips / "ebsynth_stills" / "facestyle"
    light = _read(folder / "source_Gapp.png")
    matte = _outline(light[..., 0] > 8)
    # the substitute for a photograph is gray there; skin is not
    skin = np.array([1.0, 0.82, 0.7], np.float32)
    filmed = np.clip(light * skin, 0, 255).astype(np.uint8)
    painted = _read(folder / "source_painting.png")
    return Pair(_half_size(filmed), _half_size(painted), _half_size(matte))


def _read(path: Path) -> Image:
    return read_image(path)[..., :3].astype(np.uint8)


def _half_size(image: NDArray[Number]) -> NDArray[Number]:
    size = (image.shape[1] // 2, image.shape[0] // 2)
    reduced: NDArray[Number] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return reduced


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The largest contour of a mask, filled and eroded by a few pixels."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    matte = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(matte, [max(contours, key=cv2.contourArea)], -1, 255, cv2.FILLED)
    inner: Image = cv2.erode(matte, np.ones((9, 9), np.uint8))
    return inner.astype(np.float32) / np.float32(255)


def _scenery(height: int, width: int, seed: int) -> Image:
    """Coloured noise of several scales with some hard-edged shapes."""
    rng = np.random.default_rng(seed)
    image = np.full((height, width, 3), 128, np.float32)
    for sigma, strength in ((60, 35), (20, 20), (6, 12), (1.5, 8)):
        image += _noise(rng, (height, width), sigma) * strength
    for _ in range(14):
        center = (int(rng.integers(width)), int(rng.integers(height)))
        axes = (int(rng.integers(20, 90)), int(rng.integers(15, 60)))
        shape = np.zeros((height, width), np.uint8)
        cv2.ellipse(shape, center, axes, float(rng.uniform(0, 180)), 0, 360, 255, -1, cv2.LINE_AA)
        colour = rng.uniform(-70, 70, 3).astype(np.float32)
        image += shape[..., None] / np.float32(255) * colour
    return np.clip(image, 0, 255).astype(np.uint8)


def _noise(rng: np.random.Generator, size: tuple[int, int], sigma: float) -> NDArray[np.float32]:
    """(H, W, 3) smooth noise of standard deviation 1, enlarged from a small one for large sigma."""
    step = max(1.0, sigma / 3)
    small = (round(size[0] / step), round(size[1] / step), 3)
    noise = rng.standard_normal(small).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), sigma / step)
    enlarged: NDArray[np.float32] = cv2.resize(noise, size[::-1], interpolation=cv2.INTER_CUBIC)
    enlarged /= enlarged.std()
    return enlarged


def _paint(filmed: Image, seed: int) -> Image:
    """Strokes along the edges of an image in its colours, transformed and amplified."""
    rng = np.random.default_rng(seed)
    height, width = filmed.shape[:2]
    blurred = cv2.GaussianBlur(filmed, (0, 0), 3)
    level = cv2.cvtColor(blurred, cv2.COLOR_RGB2GRAY).astype(np.float32)
    angle = np.arctan2(cv2.Sobel(level, cv2.CV_32F, 1, 0), -cv2.Sobel(level, cv2.CV_32F, 0, 1))
    colour_matrix = np.array([[1.1, -0.3, 0.3], [0.1, 1.0, -0.2], [-0.3, 0.3, 1.2]], np.float32)
    palette = np.clip((blurred.astype(np.float32) - 128) @ colour_matrix.T * 1.3 + 128, 0, 255)
    image = np.ascontiguousarray(palette.astype(np.uint8))
    for x, y in rng.integers(0, (width, height), (width * height // 40, 2)):
        reach = rng.uniform(4, 14) * np.array([np.cos(angle[y, x]), np.sin(angle[y, x])])
        colour = np.clip(palette[y, x] + rng.normal(0, 22) + rng.normal(0, 8, 3), 0, 255)
        start, stop = (x - reach[0], y - reach[1]), (x + reach[0], y + reach[1])
        ends = [tuple(int(v) for v in np.rint(end)) for end in (start, stop)]
        cv2.line(image, ends[0], ends[1], colour.tolist(), int(rng.integers(1, 4)), cv2.LINE_AA)
    return image
