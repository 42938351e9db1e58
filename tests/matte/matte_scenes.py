"""Scenes whose mattes are known: an ellipse with a texture moves over another texture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from kadr.core.events import CancelToken, Event, follow
from kadr.core.frames import FrameRange
from kadr.image_files import read_image, write_image
from kadr.matte.base import FrameMatte, MatteContext, MatteMethod
from kadr.matte.make import MatteResult, make_mattes
from kadr.storage.store import MemoryStore
from kadr.video.clip_source import ClipSource
from kadr.video.clips import open_clip
from scenes import texture, write_sequence

COUNT, HEIGHT, WIDTH = 7, 108, 160
_DETAIL = 4


@dataclass(frozen=True)
class Scene:
    """Frames, (H, W, 3) uint8; their mattes, (H, W) float32 0–1; the scene without the subject."""

    frames: list[np.ndarray]
    mattes: list[np.ndarray]
    plate_image: np.ndarray


def ellipse(index: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """The matte of a frame, antialiased."""
    large = np.zeros((height * _DETAIL, width * _DETAIL), np.uint8)
    x, y = 55 + 5 * index, 50 + index
    axes = (32 * _DETAIL, 24 * _DETAIL)
    cv2.ellipse(large, (x * _DETAIL, y * _DETAIL), axes, 2 * index, 0, 360, 255, -1)
    reduced = cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA)
    return reduced.astype(np.float32) / 255


def scene(
    count: int = COUNT, *, pan: int = 0, light: Callable[[int], float] = lambda index: 1.0
) -> Scene:
    """The ellipse turns and moves; the background moves by ``pan`` pixels a frame."""
    wide = texture(HEIGHT, WIDTH + pan * count, seed=3)
    subject = np.clip(texture(HEIGHT, WIDTH, seed=4) * [0.9, 0.6, 0.5] + [60, 0, 0], 0, 255)
    frames, mattes = [], []
    for index in range(count):
        matte = ellipse(index)
        turn = cv2.getRotationMatrix2D((55, 50), -2 * index, 1)
        turn[:, 2] += [5 * index, index]
        moved = cv2.warpAffine(
            subject, turn, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
        )
        behind = wide[:, pan * index : pan * index + WIDTH].astype(np.float64)
        image = moved * matte[..., None] + behind * (1 - matte[..., None])
        image = image * light(index) + np.random.default_rng(index).normal(0, 1.5, image.shape)
        frames.append(np.clip(np.rint(image), 0, 255).astype(np.uint8))
        mattes.append(matte)
    return Scene(frames, mattes, wide[:, :WIDTH])


def write_clip(folder: Path, images: list[np.ndarray]) -> Path:
    """Frames as a numbered sequence."""
    return write_sequence(folder, images)


def write_mask(path: Path, matte: np.ndarray) -> Path:
    """A matte 0–1 as a painted mask."""
    write_image(path, np.rint(matte * 255).astype(np.uint8))
    return path


def overlap(matte: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union of what is at least half covered."""
    a, b = matte > matte.dtype.type(0.5 if matte.dtype.kind == "f" else 127), truth > 0.5
    return float((a & b).sum() / max(1, (a | b).sum()))


def read_mattes(folder: Path) -> list[np.ndarray]:
    """All mattes of a folder in order, (H, W) uint8."""
    return [read_image(path)[..., 0] for path in sorted(folder.glob("*.png"))]


def run(
    clip: Path, output: Path, method: MatteMethod, **options: object
) -> tuple[MatteResult, list[str]]:
    """Make mattes; returns the result and the notices."""
    notices: list[str] = []

    def take(event: Event) -> None:
        if event.message:
            notices.append(event.message)

    result = follow(make_mattes(ClipSource(str(clip)), output, method, **options), take)
    return result, notices


def find(
    method: MatteMethod, clip: Path, wanted: FrameRange | None = None
) -> tuple[list[FrameMatte], list[str]]:
    """What a method yields for a clip: mattes and notices."""
    mattes, notices = [], []
    with open_clip(clip) as opened:
        frames = FrameRange(0, len(opened))
        context = MatteContext(MemoryStore(), "identity", CancelToken())
        for item in method.mattes(opened, frames, wanted or frames, context):
            if isinstance(item, FrameMatte):
                mattes.append(item)
            elif item.message:
                notices.append(item.message)
    return mattes, notices


@contextmanager
def no_work(monkeypatch, name: str) -> Iterator[None]:
    """Within the block a function of a module, by its full name, must not be called."""

    def fail(*arguments: object, **options: object) -> None:
        raise AssertionError(f"{name} was called")

    with monkeypatch.context() as patch:
        patch.setattr(name, fail)
        yield
