"""Find frames, keys and project files in a folder of ebsynth_utility or TemporalKit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kadr.errors import InputError
from kadr.files import list_folder
from kadr.frame_names import frame_numbers
from kadr.image_files import IMAGE_SUFFIXES

_LEADING = re.compile(r"\d+")
_SPLIT = re.compile(r"(.*)_\d{5}")
"""Names of ebsynth_utility: a date, and a number for each part of a split project."""


@dataclass(frozen=True)
class FolderLayout:
    """Paths in a folder. keys: stylized keys by frame number. projects: EbSynth's files."""

    program: str
    frames: Path
    keys_folder: Path
    keys: Mapping[int, Path]
    projects: tuple[Path, ...]


def find_layout(folder: Path) -> FolderLayout:
    """Recognize a folder of ebsynth_utility or of TemporalKit.

    Raises InputError naming what is missing.
    """
    if (folder / "video_frame").is_dir():
        names = ("img2img_upscale_key", "img2img_key")
        keys_folder = _first_with_images(folder, names, "ebsynth_utility")
        images = list_images(keys_folder)
        keys = _keys(images, [_leading_number(path) for path in images])
        projects = _newest_projects(folder)
        return FolderLayout("ebsynth_utility", folder / "video_frame", keys_folder, keys, projects)
    if _is_part(folder):
        keys_folder = _first_with_images(folder, ("keys",), "TemporalKit")
        images = list_images(keys_folder)
        keys = _keys(images, frame_numbers(images))
        projects = tuple(sorted(folder.glob("*.ebs")))
        return FolderLayout("TemporalKit", folder / "frames", keys_folder, keys, projects)
    ebs_files = sorted(folder.glob("*.ebs"))
    hint = f"; to import {ebs_files[0].name}, give the file itself" if ebs_files else ""
    raise InputError(
        f"{folder}: not a folder of ebsynth_utility (video_frame/, img2img_key/) "
        f"or TemporalKit (frames/, keys/){hint}"
    )


def find_parts(folder: Path) -> list[Path]:
    """The folders into which TemporalKit split a project, by their numbers; none if it did not."""
    if not folder.is_dir() or _is_part(folder):
        return []
    return sorted(
        (path for path in list_folder(folder) if path.name.isdecimal() and _is_part(path)),
        key=lambda path: int(path.name),
    )


def _is_part(folder: Path) -> bool:
    return (folder / "frames").is_dir() and (folder / "keys").is_dir()


def _first_with_images(folder: Path, names: Sequence[str], program: str) -> Path:
    for name in names:
        if (folder / name).is_dir() and list_images(folder / name):
            return folder / name
    folders = " and ".join(f"{name}/" for name in names)
    raise InputError(
        f"{folder}: looks like {program}'s, but {folders} hold no stylized keys; stylize them first"
    )


def list_images(folder: Path) -> list[Path]:
    """The images of a folder, sorted by name."""
    return sorted(
        path
        for path in list_folder(folder)
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
    )


def _keys(images: Sequence[Path], numbers: Sequence[int]) -> dict[int, Path]:
    keys: dict[int, Path] = {}
    for path, number in zip(images, numbers, strict=True):
        existing = keys.setdefault(number, path)
        if existing != path:
            raise InputError(f"{existing} and {path}: both are keys of frame {number}; keep one")
    return keys


def _leading_number(path: Path) -> int:
    """Names of ebsynth_utility begin with the number; web UIs append their own."""
    match = _LEADING.match(path.name)
    if match is None:
        raise InputError(f"{path}: no frame number in its name; rename it or remove it")
    return int(match[0])


def _newest_projects(folder: Path) -> tuple[Path, ...]:
    """The parts of the newest project, without those that have an inverted mask."""
    parts: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*.ebs")):
        match = _SPLIT.fullmatch(path.stem)
        if not path.name.startswith("inv_"):
            parts.setdefault(match[1] if match else path.stem, []).append(path)
    return tuple(parts[max(parts)]) if parts else ()
