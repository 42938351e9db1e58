"""The image behind a styled frame: of the film, of one colour, or of another image or clip."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np

from kadr.core.background import parse_background
from kadr.core.closing import Closing
from kadr.core.frames import Image, to_8_bits
from kadr.errors import InputError
from kadr.files import file_digest
from kadr.image_files import IMAGE_SUFFIXES, decode_image, read_image, read_image_bytes
from kadr.options import RunOptions
from kadr.remote.copies import local_copy
from kadr.storage.layout import WorkLayout
from kadr.video.animated_clip import is_animated
from kadr.video.base import Clip
from kadr.video.clip_source import ClipSource
from kadr.video.clips import open_clip
from kadr.video.forward_frames import ForwardFrames
from kadr.video.identity import identify


@dataclass(frozen=True)
class BackdropSource:
    """What lies behind the frames of a film; plain values only.

    film: the clip of the run. text: as the user gave it; empty: nothing. clip: the clip, if it is
    one. digest: a hash of the content, if it is a file.
    """

    film: ClipSource
    text: str = "film"
    clip: ClipSource | None = None
    digest: str = ""

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Read what ``dataclasses.asdict`` made of it, after it was sent to a task."""
        clip = values["clip"]
        return cls(
            ClipSource(**values["film"]),
            values["text"],
            None if clip is None else ClipSource(**clip),
            values["digest"],
        )


def find_backdrop(
    options: RunOptions, film: Clip, last: int, source: ClipSource, layout: WorkLayout
) -> tuple[BackdropSource, list[str]]:
    """The source of a run's background, and notices about it.

    last: the last frame of the run. Raises InputError if it cannot be used.
    """
    background = parse_background(options.background)
    path = background.path
    if path is None:
        return BackdropSource(source, options.background), []
    path = local_copy(path)
    if not path.exists():
        raise InputError(
            f"{path}: no such background; give film, transparent, a colour such as #204080, or an "
            "image or a clip that exists"
        )
    film_size = (film.info.width, film.info.height)
    text = str(path.absolute())
    if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file() and not is_animated(path):
        image = read_image(path)
        backdrop = BackdropSource(source, text, digest=file_digest(path))
        return backdrop, list(_fit_notices(path, (image.shape[1], image.shape[0]), film_size))
    with open_clip(path) as clip:
        needed = film.times[last]
        if needed >= clip.info.duration:
            raise InputError(
                f"{path}: lasts {float(clip.info.duration):.2f} s, the film until frame "
                f"{film.number(last)} {float(needed):.2f} s; give a longer background, an image, "
                "or fewer --frames"
            )
        identity = identify(clip, layout.folder)
        backdrop = BackdropSource(source, text, ClipSource(text).pinned(clip), identity)
        return backdrop, list(_fit_notices(path, (clip.info.width, clip.info.height), film_size))


def _fit_notices(path: Path, size: tuple[int, int], film: tuple[int, int]) -> Iterator[str]:
    if size != film:
        yield (
            f"{path}: a background of {size[0]}×{size[1]} for a film of {film[0]}×{film[1]}; "
            "scaled to cover it, and cropped around its middle where the shape differs"
        )


class Backdrop(Closing):
    """Reads what lies behind frames; for one thread at a time."""

    def __init__(self, source: BackdropSource, size: tuple[int, int]) -> None:
        """size: (width, height) of the film."""
        self._source, self._size = source, size
        self._background = parse_background(source.text)
        self._clips: list[Clip] = []
        self._frames: ForwardFrames | None = None
        self._times: list[Fraction] = []
        self._film_clip: Clip | None = None
        self._still: Image | None = None

    def image(self, index: int) -> Image | None:
        """(H, W, 3 or 4) uint8 behind the frame ``index``; None if it is nothing."""
        background, source = self._background, self._source
        if background.transparent:
            return None
        if self._still is None and background.colour is not None:
            self._still = np.full((self._size[1], self._size[0], 3), background.colour, np.uint8)
        if self._still is None and background.path is not None and source.clip is None:
            self._still = self._read_still(background.path)
        if self._still is not None:
            return self._still
        if self._frames is None:
            self._frames = self._open()
        if source.clip is None:
            return to_8_bits(self._frames.get(index).image)
        assert self._film_clip is not None
        position = bisect.bisect_right(self._times, self._film_clip.times[index]) - 1
        return _cover(to_8_bits(self._frames.get(position).image), self._size)

    def _open(self) -> ForwardFrames:
        self._film_clip = self._source.film.open()
        self._clips.append(self._film_clip)
        if self._source.clip is None:
            return ForwardFrames(self._film_clip)
        other = self._source.clip.open()
        self._clips.append(other)
        self._times = list(other.times)
        return ForwardFrames(other)

    def _read_still(self, path: Path) -> Image:
        if file_digest(path) != self._source.digest:
            raise InputError(
                f"{path}: was changed while the run read it; start again to use the new file"
            )
        return _cover(to_8_bits(decode_image(path, read_image_bytes(path))), self._size)

    def close(self) -> None:
        """Close the clips."""
        if self._frames is not None:
            self._frames.close()
            self._frames = None
        while self._clips:
            self._clips.pop().close()


def _cover(image: Image, size: tuple[int, int]) -> Image:
    """Scale an image so that it covers ``size`` (width, height), and crop it around its middle."""
    height, width = image.shape[:2]
    if (width, height) == size:
        return image
    scale = max(size[0] / width, size[1] / height)
    scaled = (max(size[0], round(width * scale)), max(size[1], round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    values = image.astype(np.float32)
    if image.shape[2] == 4:
        values[..., :3] *= values[..., 3:] / 255
    resized = cv2.resize(values, scaled, interpolation=method)
    x, y = (scaled[0] - size[0]) // 2, (scaled[1] - size[1]) // 2
    part = resized[y : y + size[1], x : x + size[0]]
    if image.shape[2] == 4:
        part[..., :3] /= np.maximum(part[..., 3:] / 255, 1 / 255)
    covering: Image = np.clip(np.rint(part), 0, 255).astype(np.uint8)
    return covering
