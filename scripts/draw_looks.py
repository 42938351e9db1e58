"""Draw a still life and show it in the looks that need no model: docs/images/looks.webp."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from kadr.core.frames import Frame, Image
from kadr.stylize.base import StylizeContext, StylizeJob
from kadr.stylize.looks.paper import smooth_noise
from kadr.stylize.registry import create_stylizer

Plane = NDArray[np.float32]
Colour = tuple[float, float, float]

OUT = Path(__file__).resolve().parents[1] / "docs" / "images" / "looks.webp"
WIDTH, HEIGHT = 960, 540
CELL = (480, 270)
LOOKS = (
    ("paint", {}),
    ("ink", {}),
    ("watercolour", {}),
    ("pencil", {}),
    ("pencil", {"colour": 1.0}),
)
LIGHT = np.array([-0.5, -0.62, 0.6], np.float32)

x, y = np.meshgrid(np.arange(WIDTH, dtype=np.float32), np.arange(HEIGHT, dtype=np.float32))


def main() -> None:
    """Draw the scene, each look of it, and the sheet of all."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    scene = still_life()
    images = [scene] + [draw(name, scene, options) for name, options in LOOKS]
    cells = [cv2.resize(image, CELL, interpolation=cv2.INTER_AREA) for image in images]
    sheet = np.vstack([np.hstack(cells[row : row + 3]) for row in (0, 3)])
    PillowImage.fromarray(sheet).save(OUT, quality=82, method=6)
    print(f"{OUT}: {OUT.stat().st_size // 1024} KiB")


def draw(name: str, scene: Image, options: dict[str, float]) -> Image:
    """The scene in a look."""
    ((styled,),) = create_stylizer(name, **options).stylize(
        [StylizeJob(Frame(0, scene), 0, 0)], StylizeContext()
    )
    return styled.image


def still_life() -> Image:
    """(540, 960, 3) uint8: fruit and a jug on a table, hills behind a window."""
    canvas = np.empty((HEIGHT, WIDTH, 3), np.float32)
    canvas[...] = np.array([196, 178, 150]) * (1.05 - 0.5 * x / WIDTH)[..., None]
    window(canvas)
    table = y > 370 + 4 * smooth_noise((HEIGHT, WIDTH), 200, 1)
    streaks = cv2.resize(smooth_noise((HEIGHT, 24), 3, 2), (WIDTH, HEIGHT))
    wood = 1 + 0.09 * streaks
    canvas[table] = (np.array([146, 98, 62]) * (wood * (0.7 + 0.4 * (y - 370) / 170))[..., None])[
        table
    ]
    jug(canvas, 690, 150, 300)
    for cx, cy, rx, ry, colour in (
        (300.0, 372.0, 74.0, 70.0, (204.0, 46.0, 38.0)),
        (452.0, 392.0, 64.0, 60.0, (226.0, 150.0, 34.0)),
        (388.0, 440.0, 52.0, 49.0, (128.0, 160.0, 52.0)),
        (545.0, 428.0, 44.0, 42.0, (92.0, 52.0, 110.0)),
    ):
        fruit(canvas, cx, cy, rx, ry, colour)
    grain = np.random.default_rng(0).normal(0, 1.5, canvas.shape)
    blurred = cv2.GaussianBlur(canvas, (0, 0), 0.8)
    return np.clip(np.rint(blurred + grain), 0, 255).astype(np.uint8)


def window(canvas: Plane) -> None:
    """A view of hills under a cloudy sky, with a frame."""
    inside = (x > 70) & (x < 400) & (y > 40) & (y < 300)
    noise = sum(cell * smooth_noise((HEIGHT, WIDTH), cell, 3) for cell in (64, 32, 16, 8)) / 120
    clouds = np.clip(0.4 + 0.5 * noise, 0, 1)[..., None]
    view = np.array([126, 172, 214]) + clouds * np.array([110, 72, 34])
    for base, height, seed, colour in (
        (190, 16, 4, (112, 134, 158)),
        (222, 12, 5, (92, 128, 84)),
        (258, 7, 6, (132, 146, 70)),
    ):
        ridge = base + height * smooth_noise((1, WIDTH), 70, seed)
        shade = 1 + 0.13 * smooth_noise((HEIGHT, WIDTH), 9, seed + 10)
        view = np.where((y > ridge)[..., None], np.array(colour) * shade[..., None], view)
    canvas[inside] = view[inside]
    bars = inside & ((np.abs(x - 235) < 5) | (np.abs(y - 160) < 4))
    edge = ~inside & (x > 56) & (x < 414) & (y > 26) & (y < 314)
    canvas[bars | edge] = (236, 228, 210)


def fruit(canvas: Plane, cx: float, cy: float, rx: float, ry: float, colour: Colour) -> None:
    """A shaded ellipsoid with its shadow, a highlight and a stem."""
    shadow = ((x - cx - 0.75 * rx) / (1.3 * rx)) ** 2 + ((y - cy - 0.86 * ry) / (0.3 * ry)) ** 2
    canvas *= 1 - 0.55 * np.exp(-(shadow**2))[..., None] * (y > 370)[..., None]
    u, v = (x - cx) / rx, (y - cy) / ry
    inside = u * u + v * v < 1
    depth = np.sqrt(np.clip(1 - u * u - v * v, 0, 1))
    light = np.clip(u * LIGHT[0] + v * LIGHT[1] + depth * LIGHT[2], 0, 1)
    speckle = 1 + 0.06 * smooth_noise((HEIGHT, WIDTH), 5, int(cx))
    shaded = np.array(colour) * ((0.22 + 0.9 * light) * speckle)[..., None]
    shaded = shaded + 150 * (light**24)[..., None]
    canvas[inside] = shaded[inside]
    stem = (np.abs(x - cx - 0.12 * (cy - 0.85 * ry - y)) < 3) & (np.abs(y - cy + ry) < 0.22 * ry)
    canvas[stem] = (66, 48, 30)


def jug(canvas: Plane, cx: float, top: float, height: float) -> None:
    """A glazed jug: a surface of revolution, and a handle."""
    t = (y - top) / height
    radius = 52 + 46 * np.maximum(np.sin(np.pi * np.clip(t, 0, 1) ** 1.25), 0) ** 1.4
    ring = np.hypot((x - cx - 95) / 62, (y - top - 110) / 78)
    canvas[(np.abs(ring - 1) < 0.16) & (x > cx + 40)] = (58, 92, 124)
    shadow = ((x - cx - 110) / 150) ** 2 + ((y - top - height) / 26) ** 2
    canvas *= 1 - 0.5 * np.exp(-(shadow**2))[..., None] * (y > 370)[..., None]
    u = (x - cx) / radius
    inside = (t > 0) & (t < 1) & (np.abs(u) < 1)
    light = np.clip(0.62 * np.sqrt(np.clip(1 - u * u, 0, 1)) - 0.55 * u, 0, 1)
    band = np.where(np.abs(t - 0.52) < 0.09, 1.0, 0.0)[..., None]
    glaze = (1 - band) * np.array([84, 132, 168]) + band * np.array([226, 214, 186])
    shaded = glaze * (0.25 + 0.95 * light)[..., None] + 120 * (light**18)[..., None]
    canvas[inside] = shaded[inside]
    mouth = ((x - cx) / 52) ** 2 + ((y - top) / 13) ** 2 < 1
    canvas[mouth] = (34, 48, 60)


if __name__ == "__main__":
    main()
