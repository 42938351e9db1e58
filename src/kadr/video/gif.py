"""Frames in, an animated GIF out: one palette for the whole clip, a still dither pattern.

A palette cannot be chosen before all frames are known, so frames wait in a compressed temporary
file while a colour histogram grows. One palette and an ordered dither keep what stands still in the
clip still in the GIF, where palettes per frame and error diffusion would crawl.
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
from scipy.spatial import cKDTree

from kadr.core.frames import Frame, Image, to_8_bits
from kadr.errors import InputError, KadrError, OutputError
from kadr.files import make_folder, publish, remove_empty, temporary_beside
from kadr.video.base import Clip, FinishingMixin
from kadr.video.timing import Timing

_CLOCK = Fraction(1, 50)  # viewers slow delays of less than 2/100 s down
_TICKS = 2  # GIF's own hundredths in one step of _CLOCK
_COLORS = 255  # the last entry is transparent
_BITS = 5  # of the histogram's axes
_SAMPLES = 250_000  # pixels from which the palette is made


class GifWriter(FinishingMixin):
    """A ClipWriter for .gif; memory does not grow with the clip.

    Times are rounded to 1/50 s; frames that fall together are left out. Alpha below one half
    becomes transparent. There is no sound.
    """

    def __init__(self, path: Path, *, like: Clip | None, frame_rate: Fraction | None) -> None:
        self._path = path
        self._timing = Timing(like, frame_rate, clock=_CLOCK)
        self._made = make_folder(path.parent)
        self._spool: IO[bytes] | None = None
        self._spool_path: Path | None = None
        self._temporary: Path | None = None
        self._histogram = np.zeros(1 << (3 * _BITS), np.int64)
        self._sums = np.zeros((self._histogram.size, 3))
        self._entries: list[tuple[int, int]] = []  # (tick, bytes in the spool)
        self._shape: tuple[int, int] = (0, 0)
        self._finished = False

    @property
    def path(self) -> Path:
        """Where the GIF will stand."""
        return self._path

    def write(self, frame: Frame) -> None:
        """Put one frame aside."""
        if self._finished:
            raise ValueError(f"{self._path}: already finished")
        with self._guarded():
            height, width = frame.image.shape[:2]
            if self._spool is None:
                self._spool_path = temporary_beside(self._path)
                self._spool = self._spool_path.open("w+b")
                self._shape = (height, width)
            if (height, width) != self._shape:
                raise InputError(
                    f"frame {frame.index} is {width}x{height} but the first was "
                    f"{self._shape[1]}x{self._shape[0]}; all frames must have one size"
                )
            time = self._timing.next(frame)
            if time is not None:
                self._put_aside(to_8_bits(frame.image), round(time / _CLOCK) * _TICKS)

    def _put_aside(self, image: Image, tick: int) -> None:
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

    def finish(self) -> Path:
        """Choose the palette and write the file."""
        if self._finished:
            return self._path
        with self._guarded():
            if not self._entries or self._spool is None:
                raise OutputError(f"{self._path}: no frame was written; nothing was made")
            self._temporary = temporary_beside(self._path)
            self._encode(self._temporary)
            publish(self._temporary, self._path)
            self._temporary = None
        self._remove_spool()
        self._finished = True
        return self._path

    def _encode(self, temporary: Path) -> None:
        palette = _palette(self._histogram, self._sums)
        mapper = _Mapper(palette, self._shape)
        ends = [tick for tick, _ in self._entries[1:]]
        last = max(_TICKS, round(self._timing.end * 100) - self._entries[-1][0])
        options = {"loop": "0", "final_delay": str(last)}
        with av.open(f"file:{temporary}", "w", format="gif", options=options) as container:
            stream: Any = container.add_stream("gif", rate=100)
            stream.height, stream.width = self._shape
            stream.pix_fmt = "pal8"
            stream.codec_context.time_base = Fraction(1, 100)
            for at, image in enumerate(self._images()):
                tick = self._entries[at][0]
                picture = av.VideoFrame.from_ndarray((mapper(image), mapper.argb), format="pal8")
                picture.pts = tick
                picture.time_base = Fraction(1, 100)
                picture.duration = (ends[at] - tick) if at < len(ends) else last
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))

    def _images(self) -> Iterator[Image]:
        assert self._spool is not None
        self._spool.seek(0)
        for _, size in self._entries:
            data = zlib.decompress(self._spool.read(size))
            yield np.frombuffer(data, np.uint8).reshape(*self._shape, 4)

    def _remove_spool(self) -> None:
        if self._spool is not None:
            self._spool.close()
            self._spool = None
        if self._spool_path is not None:
            self._spool_path.unlink(missing_ok=True)

    def abort(self) -> None:
        """Remove what was put aside."""
        if self._finished:
            return
        self._finished = True
        with contextlib.suppress(OSError):
            self._remove_spool()
        for left in (self._spool_path, self._temporary):
            if left is not None:
                left.unlink(missing_ok=True)
        remove_empty(self._made)

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self.abort()
            if isinstance(error, av.error.FFmpegError | OSError) and not isinstance(
                error, KadrError
            ):
                raise OutputError(
                    f"{self._path}: cannot be written ({error.strerror or error})"
                ) from error
            raise


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


class _Mapper:
    """RGBA images → palette indices with an ordered dither."""

    def __init__(self, palette: NDArray[np.uint8], shape: tuple[int, int]) -> None:
        self.argb = np.zeros((256, 4), np.uint8)
        self.argb[:_COLORS, 0] = 255  # the encoder takes the first clear entry for transparency
        self.argb[: len(palette), 1:] = palette
        centres = (np.arange(64) * (255 / 63)).astype(np.float32)
        grid = np.stack(np.meshgrid(centres, centres, centres, indexing="ij"), -1).reshape(-1, 3)
        tree = cKDTree(palette.astype(np.float32))
        self._nearest = tree.query(grid)[1].astype(np.uint8)
        # as wide as the usual gap between two colours: less leaves bands, more only grain; few
        # colours are all in the palette as they are
        gaps = tree.query(palette.astype(np.float32), k=2)[0][:, 1]
        spread = float(np.median(gaps)) / 3**0.5 if len(palette) == _COLORS else 0.0
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


def _bayer() -> NDArray[np.float64]:
    """The 8 x 8 ordered-dither matrix, from -0.5 to 0.5."""
    matrix = np.zeros((1, 1))
    for _ in range(3):
        matrix = np.block([[4 * matrix, 4 * matrix + 2], [4 * matrix + 3, 4 * matrix + 1]])
    return (matrix + 0.5) / 64 - 0.5
