"""Projects of small clips for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kadr import Frame, create_clip, new_project, open_project, write_image
from kadr.project.folder import ProjectFolder

SIZE = (32, 24)
COUNT = 8

PROJECT_TEXT = """\
format = 1
[clip]
path = "clip.mp4"
[keys]
ranges = [
  "0:3:5",
  "4:6:9",
]
[stylizer]
name = "paint"
radius = 5
[picture]
detail = "low"
deflicker = 1
[output]
path = "out.mp4"
crf = 20
[run]
seed = 4
"""
"""A short project file without faults."""


def with_entries(**entries: str) -> str:
    """``PROJECT_TEXT`` with more lines in its sections."""
    text = PROJECT_TEXT
    for section, lines in entries.items():
        assert f"[{section}]\n" in text
        text = text.replace(f"[{section}]\n", f"[{section}]\n{lines}\n")
    return text


def picture(index: int) -> np.ndarray:
    """(24, 32, 3) uint8, another one for each index."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    return np.stack([x * 7, y * 9, np.full_like(x, index * 20)], axis=2).astype(np.uint8)


def make_video(path: Path) -> Path:
    """``COUNT`` frames."""
    with create_clip(path, like=None) as writer:
        for index in range(COUNT):
            writer.write(Frame(index, picture(index)))
    return path


def make_images(folder: Path, first: int = 1001) -> Path:
    """``COUNT`` images, numbered."""
    for index in range(COUNT):
        write_image(folder / f"f_{first + index:05d}.png", picture(index))
    return folder


def make_keys(folder: Path, *numbers: int) -> Path:
    """Painted keys."""
    for number in numbers:
        write_image(folder / f"{number:05d}.png", 255 - picture(number % 10))
    return folder


def make_project(folder: Path, **settings: object) -> ProjectFolder:
    """``folder/p.kadr`` of the video ``folder/clip.mp4`` with keys 0 and 5."""
    clip, keys = make_video(folder / "clip.mp4"), make_keys(folder / "painted", 0, 5)
    return new_project(clip, [keys], folder / "p.kadr", **settings)  # type: ignore[arg-type]


def rewrite(project: ProjectFolder, old: str, new: str) -> ProjectFolder:
    """The project opened again after an edit by hand."""
    assert old in project.text
    project.toml.write_text(project.text.replace(old, new), encoding="utf-8")
    return open_project(project.root)
