"""Write frames as an animated GIF: one palette for the whole clip, a still dither pattern.

A palette cannot be chosen before all frames are known, so frames wait in a compressed temporary
file while a colour histogram grows. With one palette and an ordered dither, parts of the clip that
do not move do not change in the GIF; palettes per frame and error diffusion would make it flicker.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from kadr.core.frames import Frame, Image, to_8_bits
from kadr.video.base import Clip
from kadr.video.base_writer import BaseWriter
from kadr.video.sound_encoding import no_sound_notice
from kadr.video.timing import Timing, rate_notices

_CLOCK = Fraction(1, 100)  # seconds
_SHORTEST = 2  # steps of the clock; viewers show shorter delays for longer
_COLORS = 255  # the last entry is transparent
_BITS = 5  # bits a channel in the histogram
_GRID = 64  # levels a channel in the table of nearest palette entries
_SAMPLES = 250_000  # pixels from which the palette is made


class GifWriter(BaseWriter):
    """A ClipWriter for .gif; memory does not grow with the clip.

    Times are rounded to 1/100 s, so delays alternate (30, 40, 30 ms at 30 frames a second) and the
    whole keeps its length. No delay is shorter than 20 ms: above 50 frames a second some are left
    out. Alpha below one half becomes transparent. There is no sound.
    """

    _library_errors = (av.error.FFmpegError,)

    def __init__(self, path: Path, *, like: Clip | None, frame_rate: Fraction | None) -> None:
        self._timing = Timing(like, frame_rate, clock=_CLOCK, shortest=_SHORTEST * _CLOCK)
        super().__init__(path, path.parent)
        self._notices += rate_notices(path, self._timing)
        if like is not None and like.info.has_audio:
            self._notices.append(no_sound_notice(path, like.info.path))
        self._spool: IO[bytes] | None = None
        self._histogram = np.zeros(1 << (3 * _BITS), np.int64)
        self._sums = np.zeros((self._histogram.size, 3))
        self._entries: list[tuple[int, int]] = []
        """(tick, bytes in the spool) of each frame."""

    def _add(self, frame: Frame) -> None:
        if self._spool is None:
            self._spool = self._new_temporary().open("w+b")
        self._check_size(frame)
        time = self._timing.next(frame)
        if time is not None:
            self._store(to_8_bits(frame.image), round(time / _CLOCK))

    def _store(self, image: Image, tick: int) -> None:
        """Count a frame's colours and append it to the spool."""
        codes = (image[..., :3] >> (8 - _BITS)).astype(np.uint16)
        joined = (codes[..., 0] << (2 * _BITS)) | (codes[..., 1] << _BITS) | codes[..., 2]
        flat = joined.ravel()
        self._histogram += np.bincount(flat, minlength=self._histogram.size)
        for channel in range(3):
            levels = image[..., channel].ravel()
            self._sums[:, channel] += np.bincount(flat, levels, self._histogram.size)
        if image.shape[2] == 3:
            image = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
        data = zlib.compress(image.tobytes(), 1)
        assert self._spool is not None
        self._spool.write(data)
        self._entries.append((tick, len(data)))

    def _end(self) -> None:
        file = self._new_temporary()
        self._encode(file)
        self._publish(file)
        self._close()
        for spool in self._temporary:
            spool.unlink(missing_ok=True)

    def _encode(self, file: Path) -> None:
        assert self._size is not None
        width, height = self._size
        mapper = _PaletteMapper(_palette(self._histogram, self._sums), (height, width))
        ends = [tick for tick, _ in self._entries[1:]]
        last = max(_SHORTEST, round(self._timing.end * 100) - self._entries[-1][0])
        options = {"loop": "0", "final_delay": str(last)}
        with av.open(f"file:{file}", "w", format="gif", options=options) as container:
            stream: Any = container.add_stream("gif", rate=100)
            stream.width, stream.height = width, height
            stream.pix_fmt = "pal8"
            stream.codec_context.time_base = Fraction(1, 100)
            for index, image in enumerate(self._images((height, width, 4))):
                tick = self._entries[index][0]
                frame = av.VideoFrame.from_ndarray((mapper(image), mapper.argb), format="pal8")
                frame.pts = tick
                frame.time_base = Fraction(1, 100)
                frame.duration = (ends[index] - tick) if index < len(ends) else last
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))

    def _images(self, shape: tuple[int, int, int]) -> Iterator[Image]:
        """The frames in the spool, (H, W, 4) each."""
        assert self._spool is not None
        self._spool.seek(0)
        for _, size in self._entries:
            data = zlib.decompress(self._spool.read(size))
            yield np.frombuffer(data, np.uint8).reshape(shape)

    def _close(self) -> None:
        if self._spool is not None:
            with contextlib.suppress(OSError):
                self._spool.close()
            self._spool = None


def _palette(histogram: NDArray[np.int64], sums: NDArray[np.float64]) -> NDArray[np.uint8]:
    """(n, 3) colours, n up to 255, by median cut over the mean colours of the histogram's bins."""
    used = np.flatnonzero(histogram)
    colors = np.round(sums[used] / histogram[used, None]).astype(np.uint8)
    if len(colors) <= _COLORS:
        return colors
    # roots give small but distinct areas (eyes, lights) colours of their own
    weights = np.sqrt(histogram[used])
    counts = np.maximum(1, np.round(weights / weights.sum() * _SAMPLES)).astype(int)
    pixels = np.repeat(colors, counts, axis=0)
    image = PillowImage.fromarray(pixels[None])
    reduced = image.quantize(_COLORS, method=PillowImage.Quantize.MEDIANCUT, kmeans=3)
    table = np.array(reduced.getpalette(), np.uint8).reshape(-1, 3)
    return table[: len(reduced.getcolors(_COLORS) or table)]


class _PaletteMapper:
    """RGBA images → palette indices with an ordered dither."""

    def __init__(self, palette: NDArray[np.uint8], shape: tuple[int, int]) -> None:
        self.argb = np.zeros((256, 4), np.uint8)
        self.argb[:_COLORS, 0] = 255  # the encoder takes the first clear entry for transparency
        self.argb[: len(palette), 1:] = palette
        self._nearest = nearest_entries(palette)
        # fewer colours than entries are all in the palette, unchanged
        spread = _usual_gap(palette) / 3**0.5 if len(palette) == _COLORS else 0.0
        tiles = (-(-shape[0] // 8), -(-shape[1] // 8))
        pattern = np.tile(_bayer(), tiles)[: shape[0], : shape[1]]
        self._offset = np.round(pattern * spread).astype(np.int16)[..., None]

    def __call__(self, image: Image) -> NDArray[np.uint8]:
        """(H, W, 4) → (H, W) indices; 255 where alpha is below one half."""
        levels = np.clip(image[..., :3].astype(np.int16) + self._offset, 0, 255) * 63 + 127
        codes = (levels // 255).astype(np.int32)
        indices = self._nearest[(codes[..., 0] << 12) | (codes[..., 1] << 6) | codes[..., 2]]
        indices[image[..., 3] < 128] = _COLORS
        return np.ascontiguousarray(indices)


def nearest_entries(palette: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(64 * 64 * 64,) index of the palette entry nearest to each colour of an even RGB grid.

    palette: (n, 3), n up to 255. Of entries that are equally near the first is taken.
    """
    levels = (np.arange(_GRID) * (255 / (_GRID - 1))).astype(np.float32).astype(np.float64)
    entries = palette.astype(np.float64)
    red, green, blue = ((levels[:, None] - entries[:, channel]) ** 2 for channel in range(3))
    nearest = np.empty((_GRID, _GRID, _GRID), np.uint8)
    for level in range(_GRID):  # all at once would need half a gigabyte
        squares = (red[level] + green)[:, None] + blue
        nearest[level] = squares.argmin(axis=2)
    return nearest.ravel()


def _usual_gap(palette: NDArray[np.uint8]) -> float:
    """The median distance of a colour to its neighbour: a wider dither would only add grain."""
    entries = palette.astype(np.int32)
    squares = ((entries[:, None] - entries) ** 2).sum(axis=2)
    return float(np.median(np.sqrt(np.sort(squares, axis=1)[:, 1])))


def _bayer() -> NDArray[np.float64]:
    """The 8 x 8 ordered-dither matrix, from -0.5 to 0.5."""
    matrix = np.zeros((1, 1))
    for _ in range(3):
        matrix = np.block([[4 * matrix, 4 * matrix + 2], [4 * matrix + 3, 4 * matrix + 1]])
    return (matrix + 0.5) / 64 - 0.5
