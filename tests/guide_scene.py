"""Two balls of one colour that pass before each other, and a pass of IDs that tells them apart.

The film shows no border where the balls meet; the IDs of the render do.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from kadr.image_files import write_image
from scenes import texture

HEIGHT, WIDTH = 96, 144
RADIUS = 24
PAINTS = ((226, 218, 190), (200, 60, 40), (40, 80, 190))
"""Of the background, and of the balls."""
IDS = ((0, 0, 0), (250, 60, 60), (60, 60, 250))
_NEAR = 3


@dataclass(frozen=True, eq=False)
class GuideScene:
    """By frame: filmed, ids and painted (H, W, 3) uint8, shown (H, W) uint8: which paint is right.

    painted: what a painter would paint there.
    """

    filmed: list[np.ndarray]
    ids: list[np.ndarray]
    painted: list[np.ndarray]
    shown: list[np.ndarray]

    def write(self, folder: Path, keys: tuple[int, ...] = (0,)) -> Path:
        """clip, keys and ids as folders of images."""
        for index, frame in enumerate(self.filmed):
            write_image(folder / "clip" / f"frame_{index:05d}.png", frame)
            write_image(folder / "ids" / f"id_{index:05d}.png", self.ids[index])
        for index in keys:
            write_image(folder / "keys" / f"{index:05d}.png", self.painted[index])
        return folder


def make_guide_scene(count: int, *, meet: int = 8) -> GuideScene:
    """The balls lie over each other most in frame ``meet``; the second one passes in front."""
    ground = texture(HEIGHT, WIDTH, seed=1)
    skin = texture(4 * RADIUS, 4 * RADIUS, seed=2, fine=4).astype(np.float32)
    skin = np.clip(150 + (skin - 128) * 0.1, 0, 255).astype(np.uint8)
    scene = GuideScene([], [], [], [])
    for index in range(count):
        shift = 3.5 * (index - meet)
        filmed, shown = ground.copy(), np.zeros((HEIGHT, WIDTH), np.uint8)
        for number, (x, y) in enumerate(((66 + shift, 44), (84 - shift, 56)), start=1):
            ball = np.zeros((HEIGHT, WIDTH), np.uint8)
            center = round(16 * x), round(16 * y)
            cv2.circle(ball, center, 16 * RADIUS, 255, -1, cv2.LINE_8, 4)
            matrix = np.array([[1, 0, x - 2 * RADIUS], [0, 1, y - 2 * RADIUS]])
            moved = cv2.warpAffine(skin, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)
            filmed[ball > 0], shown[ball > 0] = moved[ball > 0], number
        scene.filmed.append(filmed)
        scene.ids.append(np.array(IDS, np.uint8)[shown])
        scene.painted.append(_strokes(np.array(PAINTS, np.uint8)[shown]))
        scene.shown.append(shown)
    return scene


def _strokes(image: np.ndarray) -> np.ndarray:
    """Some unevenness of paint, much smaller than what tells the paints apart."""
    noise = texture(HEIGHT, WIDTH, seed=5).astype(np.float32) - 128
    return np.clip(image + 0.12 * noise, 0, 255).astype(np.uint8)


def right_share(image: np.ndarray, shown: np.ndarray) -> float:
    """Share of the pixels near a border between paints that have the paint that is right there."""
    differences = [np.square(image.astype(np.float32) - paint).sum(axis=2) for paint in PAINTS]
    found = np.argmin(differences, axis=0)
    side = np.ones((2 * _NEAR + 1, 2 * _NEAR + 1), np.uint8)
    border = cv2.dilate(shown, side) != cv2.erode(shown, side)
    return float((found == shown)[border].mean())
