"""EbSynth projects for tests, with the small images that they name."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from kadr import write_image
from kadr.exchange.ebs import EbsProject, EbsRange, write_ebs

SIZE = (16, 12)

RANGES = (
    EbsRange(3, 1, 6, "out-00003/[#####].png", 1, 1),
    EbsRange(6, 3, 8, "out-00006/[#####].png", 1, 1),
)
EBS = EbsProject("video_frame/[#####].png", "img2img_key/[#####].png", RANGES)


def image(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """(H, W, 3) uint8, different for each number."""
    y, x = np.mgrid[: size[1], : size[0]]
    return np.stack([x * 9, y * 11, np.full_like(x, number % 251)], axis=2).astype(np.uint8)


def make_images(
    folder: Path,
    numbers: Sequence[int] = range(1, 9),
    name: str = "{:05d}.png",
    size: tuple[int, int] = SIZE,
) -> Path:
    """Numbered images."""
    for number in numbers:
        write_image(folder / name.format(number), image(number, size))
    return folder


def make_ebs(folder: Path, name: str = "p.ebs", **changes: object) -> Path:
    """A project file next to its frames 1–8 and keys 3 and 6."""
    make_images(folder / "video_frame")
    make_images(folder / "img2img_key", [3, 6])
    write_ebs(folder / name, replace(EBS, **changes))  # type: ignore[arg-type]
    return folder / name


def copy_images(template: Path, folder: Path, names: Mapping[str, str]) -> None:
    """Copy folders of images to new names: faster than encoding them again."""
    for new, old in names.items():
        shutil.copytree(template / old, folder / new)
