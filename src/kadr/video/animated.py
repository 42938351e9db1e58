"""The backend for animated images (GIF, WebP, APNG): a path in, a Clip out, read by Pillow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

from kadr.core.frames import Frame, Image
from kadr.errors import InputError
from kadr.video.base import ClipInfo, ClosingMixin, check_index, check_range

_CHUNK = 16
# what browsers make of delays that were never meant: up to 10 ms is shown for 100 ms
_TOO_SHORT, _INSTEAD = 10, 100


class AnimatedClip(ClosingMixin):
    """A Clip over one animated image. Made by ``open_animated``."""

    def __init__(self, info: ClipInfo, times: list[Fraction]) -> None:
        self._info = info
        self._times = times

    @property
    def info(self) -> ClipInfo:
        """Size, rate and the rest."""
        return self._info

    @property
    def times(self) -> Sequence[Fraction]:
        """Seconds from the first frame, one per frame."""
        return self._times

    def __len__(self) -> int:
        return len(self._times)

    def number(self, index: int) -> int:
        """The index itself."""
        check_index(str(self._info.path), index, len(self))
        return index

    def index_of(self, number: int) -> int | None:
        """The number itself, if the clip has that frame."""
        return number if 0 <= number < len(self) else None

    def name(self, index: int) -> str:
        """``frame_00012``."""
        return f"frame_{self.number(index):05d}"

    def frame(self, index: int) -> Frame:
        """Decode from the start up to one frame: every frame builds on those before it."""
        check_index(str(self._info.path), index, len(self))
        return next(self._forward(index, index + 1))

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        """Frames ``[start, stop)`` through a file handle of their own."""
        start, stop = check_range(str(self._info.path), start, stop, len(self))
        return self._forward(start, stop)

    def _forward(self, start: int, stop: int) -> Iterator[Frame]:
        if start == stop:
            return
        for at, (image, _) in enumerate(_read(self._info.path, self._info.has_alpha, start, stop)):
            yield Frame(start + at, image, self._times[start + at])

    def frames_backward(self, start: int, stop: int) -> Iterator[Frame]:
        """Frames ``stop - 1`` … ``start``; keeps 16 at a time."""
        start, stop = check_range(str(self._info.path), start, stop, len(self))
        return self._backward(start, stop)

    def _backward(self, start: int, stop: int) -> Iterator[Frame]:
        for end in range(stop, start, -_CHUNK):
            chunk = list(self._forward(max(start, end - _CHUNK), end))
            while chunk:
                yield chunk.pop()


def is_animated(path: Path) -> bool:
    """Whether the file is a GIF, or a WebP or PNG with more than one frame."""
    try:
        with PillowImage.open(path) as image:
            return image.format == "GIF" or bool(getattr(image, "is_animated", False))
    except (OSError, SyntaxError, ValueError, PillowImage.DecompressionBombError):
        return False


def open_animated(path: Path, *, allow_truncated: bool = False) -> AnimatedClip:
    """Open an animated image; decodes it once for its delays and to learn whether alpha is used."""
    delays: list[int] = []
    alpha = False
    damage: InputError | None = None
    try:
        for image, delay in _read(path, True, 0, None):
            delays.append(delay)
            alpha = alpha or bool((image[..., 3] < 255).any())
    except InputError as error:
        damage = error
    if not delays or (damage is not None and not allow_truncated):
        raise InputError(
            f"{path}: cut off or damaged: only the first {len(delays)} frames are good; "
            f"use --allow-truncated to work with those"
        ) from damage
    return _clip(path, image.shape[1], image.shape[0], delays, alpha, damage is not None)


def _clip(
    path: Path, width: int, height: int, delays: list[int], alpha: bool, truncated: bool
) -> AnimatedClip:
    starts = np.concatenate([[0], np.cumsum(delays)]).tolist()
    duration = Fraction(starts.pop(), 1000)
    info = ClipInfo(
        path=path,
        kind="video",
        width=width,
        height=height,
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
    return AnimatedClip(info, [Fraction(start, 1000) for start in starts])


def _read(path: Path, alpha: bool, start: int, stop: int | None) -> Iterator[tuple[Image, int]]:
    """Frames ``[start, stop)`` with their delays in milliseconds, decoded one after the other."""
    try:
        with PillowImage.open(path) as image:
            count = getattr(image, "n_frames", 1)
            for at in range(min(stop or count, count)):
                image.seek(at)
                image.load()
                if at >= start:
                    delay = round(image.info.get("duration", 0))
                    pixels = np.asarray(image.convert("RGBA" if alpha else "RGB"))
                    yield pixels, _INSTEAD if delay <= _TOO_SHORT else delay
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; check the path") from error
    except (OSError, EOFError, SyntaxError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); save it again") from error
