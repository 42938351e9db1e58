"""A folder that another program works in in, where its frames, keys and projects lie out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kadr.errors import InputError
from kadr.files import IMAGE_SUFFIXES, last_number

_LEADING = re.compile(r"\d+")
_SPLIT = re.compile(r"(.*)_\d{5}")
"""ebsynth_utility's names: a date, and a number for each part of a project that it split."""


@dataclass(frozen=True)
class FolderLayout:
    """Where things lie. keys: stylized, by the number of their frame. projects: of EbSynth."""

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
        keys_folder = _first_filled(folder, names, "ebsynth_utility")
        keys = _keys(keys_folder, _leading_number)
        projects = _newest(folder)
        return FolderLayout("ebsynth_utility", folder / "video_frame", keys_folder, keys, projects)
    if (folder / "frames").is_dir() and (folder / "keys").is_dir():
        keys_folder = _first_filled(folder, ("keys",), "TemporalKit")
        keys = _keys(keys_folder, last_number)
        projects = tuple(sorted(folder.glob("*.ebs")))
        return FolderLayout("TemporalKit", folder / "frames", keys_folder, keys, projects)
    near = sorted(folder.glob("*.ebs"))
    hint = f"; to import {near[0].name}, give the file itself" if near else ""
    raise InputError(
        f"{folder}: not a folder of ebsynth_utility (video_frame/, img2img_key/) "
        f"or TemporalKit (frames/, keys/){hint}"
    )


def _first_filled(folder: Path, names: Sequence[str], program: str) -> Path:
    for name in names:
        if (folder / name).is_dir() and _images(folder / name):
            return folder / name
    wanted = " and ".join(f"{name}/" for name in names)
    raise InputError(
        f"{folder}: looks like {program}'s, but {wanted} hold no stylized keys; stylize them first"
    )


def _images(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
    )


def _keys(folder: Path, number_of: Callable[[str], int | None]) -> dict[int, Path]:
    keys: dict[int, Path] = {}
    for path in _images(folder):
        number = number_of(path.name)
        if number is None:
            raise InputError(f"{path}: no frame number in its name; rename it, or take it away")
        other = keys.setdefault(number, path)
        if other != path:
            raise InputError(f"{other} and {path}: both are keys of frame {number}; keep one")
    return keys


def _leading_number(name: str) -> int | None:
    """ebsynth_utility's own names begin with it; what a web UI adds comes behind."""
    found = _LEADING.match(name)
    return int(found[0]) if found else None


def _newest(folder: Path) -> tuple[Path, ...]:
    """The parts of the project that was written last; those with the mask turned are left."""
    parts: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*.ebs")):
        found = _SPLIT.fullmatch(path.stem)
        if not path.name.startswith("inv_"):
            parts.setdefault(found[1] if found else path.stem, []).append(path)
    return tuple(parts[max(parts)]) if parts else ()
