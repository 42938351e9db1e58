"""Read an animated image (GIF, WebP, APNG, AVIF) as a Clip, through Pillow."""

from __future__ import annotations

import contextlib
import struct
import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage
from PIL.GifImagePlugin import GifImageFile

from kadr.core.frames import Frame, Image
from kadr.core.limits import check_animation
from kadr.errors import InputError
from kadr.image_files import is_image_file, read_image_header
from kadr.video.base import ClipInfo
from kadr.video.base_clip import BaseClip
from kadr.video.file_watch import FileWatch

# milliseconds; browsers show frames with such short delays for 100 ms
_TOO_SHORT, _BROWSER_DELAY = 10, 100

_ERRORS = (
    OSError,
    EOFError,
    SyntaxError,
    ValueError,
    struct.error,
    PillowImage.DecompressionBombError,
)
"""What Pillow raises for damaged files."""


class AnimatedClip(BaseClip):
    """A Clip over one animated image. Made by ``open_animated``."""

    def _read(self, index: int) -> Frame:
        """Decode from the start up to one frame: every frame builds on the frames before it."""
        return next(self._read_forward(index, index + 1))

    def _read_forward(self, start: int, stop: int) -> Iterator[Frame]:
        if start == stop:
            return
        images = _decode(self._watch, self._info.path, self._info.has_alpha, start, stop)
        for index, (image, _) in enumerate(images, start):
            yield Frame(index, image, self._times[index])


def is_animated(path: Path) -> bool:
    """Whether the file is a GIF, or another image with more than one frame.

    Raises InputError if it is an image beyond the limits.
    """
    if not is_image_file(path):
        return False
    header = read_image_header(path)
    return header.type == "GIF" or header.frames > 1


def open_animated(path: Path, *, allow_truncated: bool = False) -> AnimatedClip:
    """Open an animated image; decodes it once to read its delays and to check for alpha."""
    watch = FileWatch(path, (path,))
    delays: list[int] = []
    alpha = False
    damage: InputError | None = None
    _check_limits(path)
    try:
        for image, delay in _decode(watch, path, True, 0, None):
            delays.append(delay)
            alpha = alpha or bool((image[..., 3] < 255).any())
    except InputError as error:
        damage = error
    if not delays or (damage is not None and not allow_truncated):
        raise InputError(
            f"{path}: cut off or damaged: only the first {len(delays)} frames are good; "
            f"use --allow-truncated to use these"
        ) from damage
    info, times = _facts(path, image.shape[:2], delays, alpha, damage is not None)
    return AnimatedClip(info, times, watch)


def _check_limits(path: Path) -> None:
    """Raise InputError for too many frames or pixels; a GIF's frames are counted, not decoded."""
    header = read_image_header(path)
    count = header.frames
    if header.type == "GIF":
        # not Image.open, which warns of sizes that the limits here decide on
        with (
            contextlib.suppress(*_ERRORS),
            warnings.catch_warnings(action="ignore"),
            path.open("rb") as file,
        ):
            count = GifImageFile(file).n_frames
    check_animation(path, header.width, header.height, count, path.stat().st_size)


def _facts(
    path: Path, shape: tuple[int, ...], delays: list[int], alpha: bool, truncated: bool
) -> tuple[ClipInfo, list[Fraction]]:
    """The facts of an animation, and the time of each frame."""
    starts = np.concatenate([[0], np.cumsum(delays)]).tolist()
    duration = Fraction(starts.pop(), 1000)
    info = ClipInfo(
        path=path,
        kind="video",
        width=shape[1],
        height=shape[0],
        frame_count=len(delays),
        frame_rate=len(delays) / duration,
        duration=duration,
        variable_frame_rate=len(set(delays)) > 1,
        codec=path.suffix.lower().lstrip("."),
        pixel_format="rgba" if alpha else "rgb24",
        container=path.suffix.lower().lstrip("."),
        has_alpha=alpha,
        time_base=Fraction(1, 1000),
        truncated=truncated,
    )
    return info, [Fraction(start, 1000) for start in starts]


def _open_quietly(path: Path) -> PillowImage.Image:
    """Open without Pillow's warning of large images: the limits here have decided already."""
    with warnings.catch_warnings(action="ignore"):
        return PillowImage.open(path)


def _decode(
    watch: FileWatch, path: Path, alpha: bool, start: int, stop: int | None
) -> Iterator[tuple[Image, int]]:
    """Frames ``[start, stop)`` with their delays in milliseconds, decoded one after the other."""
    try:
        with watch.open(lambda: _open_quietly(path)) as image:
            count = getattr(image, "n_frames", 1)
            for index in range(min(stop or count, count)):
                image.seek(index)
                image.load()
                if index >= start:
                    delay = round(image.info.get("duration", 0))
                    pixels = np.asarray(image.convert("RGBA" if alpha else "RGB"))
                    yield pixels, _BROWSER_DELAY if delay <= _TOO_SHORT else delay
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; check the path") from error
    except _ERRORS as error:
        raise InputError(f"{path}: cannot be read ({error}); save it again") from error
