"""A head that moves, turns and grows before a still background, and paint that departs from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from kadr.image_files import write_image
from scenes import paint, texture

HEIGHT, WIDTH = 160, 224
RADIUS = 30
MIDDLE = (76.0, 100.0)
"""Of the head in frame 0."""


@dataclass(frozen=True, eq=False)
class FigureScene:
    """frames: as filmed. masks: where the head is. painted: for each frame, what a painter would
    paint there, (H, W, 4) uint8.
    """

    frames: list[np.ndarray]
    masks: list[np.ndarray]
    painted: list[np.ndarray]

    def write(self, folder: Path, keys: tuple[int, ...]) -> Path:
        """clip, keys and figure as folders of images."""
        for index, frame in enumerate(self.frames):
            write_image(folder / "clip" / f"frame_{index:05d}.png", frame)
            write_image(folder / "figure" / f"{index:05d}.png", self.masks[index])
        for index in keys:
            write_image(folder / "keys" / f"{index:05d}.png", self.painted[index])
        return folder


def hat(shape: tuple[int, int]) -> np.ndarray:
    """Alpha (H, W) uint8 of a hat on the head of frame 0, brim and crown, its outline smooth."""
    x, y = MIDDLE
    alpha = np.zeros(shape, np.uint8)
    brim = np.array([[x - 46, y - 16], [x + 46, y - 16], [x + 38, y - 25], [x - 38, y - 25]])
    crown = np.array([[x - 22, y - 22], [x + 22, y - 22], [x + 16, y - 58], [x - 16, y - 58]])
    for polygon in (brim, crown):
        cv2.fillPoly(alpha, [np.rint(polygon * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return alpha


def ring(shape: tuple[int, int]) -> np.ndarray:
    """Alpha (H, W) uint8 of a ring of hair around the head of frame 0, one half of it outside."""
    alpha = np.zeros(shape, np.uint8)
    center = tuple(round(16 * value) for value in MIDDLE)
    cv2.circle(alpha, center, 16 * (RADIUS + 14), 255, -1, cv2.LINE_AA, 4)
    return alpha


def make_scene(
    count: int, shape: np.ndarray, *, offset: dict[int, float] | None = None
) -> FigureScene:
    """shape: alpha of what is painted beside the head, (H, W) uint8 in frame 0.

    offset: by frame, pixels by which the painter put it too far to the right.
    """
    background, face = texture(HEIGHT, WIDTH, seed=1), texture(HEIGHT, WIDTH, seed=2)
    disc = np.zeros((HEIGHT, WIDTH), np.uint8)
    center = tuple(round(16 * value) for value in MIDDLE)
    cv2.circle(disc, center, 16 * RADIUS, 255, -1, cv2.LINE_AA, 4)
    dots = texture(HEIGHT, WIDTH, seed=3)
    frames, masks, painted = [], [], []
    for index in range(count):
        matrix = cv2.getRotationMatrix2D(MIDDLE, -2.0 * index, 1 + 0.012 * index)
        matrix[:, 2] += (4.0 * index, -1.5 * index)
        moved = matrix.copy()
        moved[0, 2] += (offset or {}).get(index, 0.0)
        mask, beside = _moved(disc, matrix), _moved(shape, moved)
        head = _moved(face, matrix)
        share = mask[..., None] / 255.0
        frames.append(np.rint(head * share + background * (1 - share)).astype(np.uint8))
        masks.append(mask)
        cover = beside[..., None] / 255.0
        colours = _moved(paint(dots), moved) * cover + _moved(paint(face), matrix) * (1 - cover)
        alpha = np.maximum(mask, beside)
        painted.append(np.dstack([np.rint(colours).astype(np.uint8), alpha]))
    return FigureScene(frames, masks, painted)


def _moved(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    size = image.shape[1], image.shape[0]
    return cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR)


def overlap(alpha: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union of two soft alphas, (H, W) uint8."""
    a, b = alpha.astype(np.float64), truth.astype(np.float64)
    return float(np.minimum(a, b).sum() / np.maximum(a, b).sum())


def parts_and_holes(alpha: np.ndarray) -> tuple[int, int]:
    """How many parts and how many holes the outline at half of the alpha has, of over 3 pixels."""
    visible = (alpha > 127).astype(np.uint8)
    counts = []
    for image in (visible, np.pad(1 - visible, 1, constant_values=1)):
        _, _, stats, _ = cv2.connectedComponentsWithStats(image, connectivity=4)
        counts.append(int((stats[1:, cv2.CC_STAT_AREA] > 3).sum()))
    return counts[0], counts[1] - 1
