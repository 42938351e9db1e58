"""Folders of a project that TemporalKit split in, one sequence of frames with all keys out."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import to_8_bits
from kadr.errors import InputError
from kadr.exchange.ebs import EbsRange, read_ebs
from kadr.exchange.folders import FolderLayout, find_layout, list_images
from kadr.frame_names import frame_numbers
from kadr.image_files import read_image

_SAME_SHARE = 0.3
"""Two images are the same frame if they differ by less than this share of a step of the motion."""
_MOST_OVERLAP = 200
"""Frames at the end of a part that are looked for at the start of the next one."""
_SIDE = 64

Thumbnail = NDArray[np.float32]


@dataclass(frozen=True)
class JoinedParts:
    """layout: of the joined frames, numbered from 0. ranges: of all parts, in these numbers."""

    layout: FolderLayout
    ranges: tuple[EbsRange, ...]
    notices: tuple[str, ...]


@dataclass(frozen=True)
class _Part:
    """frames: its images in order, by their numbers. first: its first new frame's joined number.

    overlap: how many of its frames the part before it has too.
    """

    layout: FolderLayout
    frames: dict[int, Path]
    first: int = 0
    overlap: int = 0

    def joined(self, number: int) -> int:
        """The joined number of a frame of the part, by its own number."""
        return self.first - self.overlap + list(self.frames).index(number)


def join_parts(parts: Sequence[Path], folder: Path) -> JoinedParts:
    """Copy the frames of all parts into ``folder``, one after the other, each frame once.

    parts: their folders, in order. Raises InputError for a part without frames, or a key of a frame
    that its part does not have, or if no part has a key.
    """
    notices: list[str] = []
    placed = _place([_read_part(path, notices) for path in parts], notices)
    folder.mkdir()
    keys: dict[int, Path] = {}
    ranges: list[EbsRange] = []
    for part in placed:
        for count, path in enumerate(list(part.frames.values())[part.overlap :], part.first):
            shutil.copyfile(path, folder / f"{count:05d}{path.suffix}")
        for number, path in part.layout.keys.items():
            if number not in part.frames:
                raise InputError(f"{path}: its part has no frame {number}; rename or remove it")
            used = keys.setdefault(part.joined(number), path)
            if used != path:
                notices.append(f"{path}: left out, {used} is a key of the same frame")
        ranges += _ranges(part, notices)
    if not keys:
        raise InputError(f"{parts[0].parent}: no part has stylized keys; stylize them first")
    projects = tuple(file for part in placed for file in part.layout.projects)
    layout = FolderLayout("TemporalKit", folder, parts[0] / "keys", keys, projects)
    return JoinedParts(layout, tuple(ranges), tuple(notices))


def _read_part(path: Path, notices: list[str]) -> _Part:
    images = list_images(path / "frames")
    if not images:
        raise InputError(f"{path / 'frames'}: holds no frames; put them back, or move {path} away")
    frames = dict(sorted(zip(frame_numbers(images), images, strict=True)))
    if len(frames) < len(images):
        raise InputError(f"{path / 'frames'}: two images have the same number; keep one")
    try:
        layout = find_layout(path)
    except InputError as error:
        notices.append(f"{error}; its frames are joined without keys")
        layout = FolderLayout("TemporalKit", path / "frames", path / "keys", {}, ())
    return _Part(layout, frames)


def _place(parts: Sequence[_Part], notices: list[str]) -> list[_Part]:
    """The parts with the place of each among the joined frames."""
    placed = [parts[0]]
    for part in parts[1:]:
        before = placed[-1]
        first = before.first + len(before.frames) - before.overlap
        overlap = _find_overlap(list(before.frames.values()), list(part.frames.values()))
        if overlap:
            name = part.layout.frames.parent
            notices.append(f"{name}: its first {overlap} frames end the part before; joined there")
        placed.append(replace(part, first=first, overlap=overlap))
    return placed


def _find_overlap(before: Sequence[Path], after: Sequence[Path]) -> int:
    """How many frames at the end of ``before`` are those at the start of ``after``."""
    most = min(len(before), len(after) - 1, _MOST_OVERLAP)
    end = [_thumbnail(path) for path in before[len(before) - most :]] if most > 0 else []
    start = [_thumbnail(path) for path in after[: most + 1]]
    if any(image.shape != start[0].shape for image in (*end, *start)):
        return 0  # which the clip tells when it is opened
    steps = [_difference(a, b) for images in (end, start) for a, b in pairwise(images)]
    limit = _SAME_SHARE * float(np.median(steps)) if steps else 0.0
    for count in range(most, 0, -1):
        if all(_difference(a, b) < limit for a, b in zip(end[-count:], start)):
            return count
    return 0


def _thumbnail(path: Path) -> Thumbnail:
    image = to_8_bits(read_image(path))[..., :3].astype(np.float32)
    size = min(_SIDE, image.shape[1]), min(_SIDE, image.shape[0])
    reduced: Thumbnail = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return reduced


def _difference(first: Thumbnail, second: Thumbnail) -> float:
    return float(np.abs(first - second).mean())


def _ranges(part: _Part, notices: list[str]) -> list[EbsRange]:
    """The ranges of a part's EbSynth projects, in joined numbers."""
    first, last = next(iter(part.frames)), list(part.frames)[-1]
    joined = []
    for file in part.layout.projects:
        for item in read_ebs(file).ranges:
            if item.key not in part.layout.keys:
                notices.append(f"{file}: key {item.key} of its ranges is missing; left out")
                continue
            start, stop = max(first, item.first), min(last, item.last)
            joined.append(
                replace(
                    item,
                    key=part.joined(item.key),
                    first=part.first - part.overlap + start - first,
                    last=part.first - part.overlap + stop - first,
                )
            )
    return joined
