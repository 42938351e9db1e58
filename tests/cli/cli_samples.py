"""Small clips and painted keys to call the command line on."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kadr import Frame, create_clip, open_clip, write_image

SIZE = (64, 48)
COUNT = 6
FIRST = 1001


@dataclass(frozen=True)
class Done:
    """The result of a call."""

    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The objects that ``--json`` printed."""
        return [json.loads(line) for line in self.out.splitlines()]


Call = Callable[..., Done]


def picture(index: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """(H, W, 3) uint8: smooth texture that moves one pixel to the right a frame."""
    width, height = size
    y, x = np.mgrid[:height, :width].astype(np.float64)
    x = x - index
    waves = [np.sin(x / 5) + np.cos(y / 7), np.sin((x + y) / 6), np.cos((x - 2 * y) / 9)]
    return np.stack([127 + 60 * wave for wave in waves], axis=2).round().astype(np.uint8)


def painted(index: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """The same image in other colours, as a painted key."""
    return 255 - picture(index, size)[..., ::-1]


def make_keys(folder: Path, *numbers: int, size: tuple[int, int] = SIZE, first: int = 0) -> Path:
    """Painted keys named by frame number; ``first`` is the number of the clip's first frame."""
    for number in numbers:
        write_image(folder / f"{number:05d}.png", painted(number - first, size))
    return folder


def make_images(folder: Path, numbers: Sequence[int], size: tuple[int, int] = SIZE) -> Path:
    """A numbered sequence."""
    for index, number in enumerate(numbers):
        write_image(folder / f"shot_{number}.png", picture(index, size))
    return folder


def make_video(path: Path, count: int = COUNT, size: tuple[int, int] = SIZE) -> Path:
    """A video of ``picture`` at 24 frames per second."""
    with create_clip(path, like=None, crf=10) as writer:
        for index in range(count):
            writer.write(Frame(index, picture(index, size)))
    return path


def frames_of(path: Path) -> list[np.ndarray]:
    """All images of a clip."""
    with open_clip(path) as clip:
        return [frame.image for frame in clip.frames()]
