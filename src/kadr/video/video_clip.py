"""Read a video file as a Clip, through PyAV."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from kadr.core.frames import Frame
from kadr.core.limits import check_size
from kadr.errors import InputError
from kadr.video.base_clip import BaseClip, reverse_in_chunks
from kadr.video.decoder import Decoder, count_range, decode_range
from kadr.video.deinterlace import deinterlaced
from kadr.video.examine import VideoContent, examine
from kadr.video.file_watch import FileWatch
from kadr.video.fit_picture import fit_picture
from kadr.video.frame_index import DECODER_THREADS
from kadr.video.pixels import ToRgb
from kadr.video.read_options import ReadOptions

_MOST_STEPS = 16
"""Single frames at most this far ahead are reached by decoding on, not by seeking."""


class VideoClip(BaseClip):
    """A Clip over a video file. Made by ``open_video``."""

    def __init__(self, content: VideoContent, watch: FileWatch, *, deep: bool = False) -> None:
        super().__init__(content.info, content.times, watch)
        # frames of another size are scaled with 8 bits
        self._deep = deep and not content.info.resized
        self._frame_index = content.index
        self._pixels = content.pixels
        self._fields = content.fields
        self._aspects: dict[tuple[int, int], Fraction] = {}
        """The pixel aspect of frames of another size than the first, by their stored size."""
        self._lock = threading.Lock()
        self._cursor: tuple[int, Iterator[tuple[int, Any]]] | None = None
        """The next index, and the running decoder that ``frame`` goes on with."""
        self._cursor_rgb = ToRgb(content.pixels, deep=self._deep)

    def _read(self, index: int) -> Frame:
        """Decode one frame; going forwards in small steps costs no seeks."""
        with self._lock:
            if self._cursor is None or not self._is_near(self._cursor[0], index):
                self._drop_cursor()
                self._cursor = (index, self._decode(index, len(self)))
            decoding = self._cursor[1]
            self._cursor = None  # a failed read must not be continued
            decoded = next(decoded for position, decoded in decoding if position == index)
            self._cursor = (index + 1, decoding)
            return self._to_frame(index, decoded, self._cursor_rgb)

    def _is_near(self, position: int, index: int) -> bool:
        """Whether decoding on from a position reaches a frame no later than after a seek."""
        if not index - position >= 0 or self._frame_index is None:
            return 0 <= index - position <= _MOST_STEPS
        entry = next(self._frame_index.entries_before(index))
        is_same_group = entry is None or entry.pts <= self._frame_index.pts[position]
        return is_same_group or index - position <= _MOST_STEPS

    def _read_forward(self, start: int, stop: int) -> Iterator[Frame]:
        """Decode through a file handle of their own."""
        rgb = ToRgb(self._pixels, deep=self._deep)
        for index, decoded in self._decode(start, stop):
            yield self._to_frame(index, decoded, rgb)

    def _read_backward(self, start: int, stop: int) -> Iterator[Frame]:
        """Keep a chunk as decoded, which is small, and convert one frame at a time."""
        rgb = ToRgb(self._pixels, deep=self._deep)
        for index, decoded in reverse_in_chunks(self._decode, start, stop):
            yield self._to_frame(index, decoded, rgb)

    def _decode(self, start: int, stop: int) -> Iterator[tuple[int, Any]]:
        if self._closed:
            raise InputError(f"{self._info.path}: the clip was closed; open it again")
        if self._fields is None:
            yield from self._decode_stored(start, stop)
        else:
            yield from deinterlaced(self._decode_stored, start, stop, len(self), self._fields)

    def _decode_stored(self, start: int, stop: int) -> Iterator[tuple[int, Any]]:
        """Frames as they are stored, fields and all."""
        if start == stop:
            return
        threads = 1 if self._info.truncated else DECODER_THREADS
        decoder = Decoder(self._info.path, threads, self._watch)
        try:
            if self._frame_index is None:
                frames = count_range(decoder, start, stop)
            else:
                frames = decode_range(decoder, self._frame_index, start, stop)
            for index, frame in frames:
                if self._info.resized:
                    self._aspects[frame.width, frame.height] = decoder.pixel_aspect
                yield index, frame
        finally:
            decoder.close()

    def _to_frame(self, index: int, decoded: Any, rgb: ToRgb) -> Frame:
        image = rgb(decoded)
        size = self._info.width, self._info.height
        own_size = image.shape[1], image.shape[0]
        if own_size != size and not self._info.resized:
            raise InputError(
                f"{self._info.path}: frame {index} is {own_size[0]}×{own_size[1]}, the first "
                f"{size[0]}×{size[1]}; use frames up to {index - 1}, or give --allow-resize"
            )
        if own_size != size:
            aspect = self._aspects.get((decoded.width, decoded.height), Fraction(1))
            if self._pixels.orientation.transpose:
                aspect = 1 / aspect
            image = fit_picture(image, aspect, size, self._info.sample_aspect_ratio)
        return Frame(index, image, self._times[index])

    def _drop_cursor(self) -> None:
        if self._cursor is not None:
            self._cursor[1].close()  # type: ignore[attr-defined]
            self._cursor = None

    def close(self) -> None:
        """Free the file that ``frame`` keeps open."""
        super().close()
        with self._lock:
            self._drop_cursor()


_MOST_REMEMBERED = 4
_opened_before: dict[tuple[Path, ReadOptions, str], VideoContent] = {}
"""Files that this process opened before, by path and state; the last used comes last.

A run and its tasks open their clip several times, and libav decodes frames each time.
"""


def open_video(path: Path, options: ReadOptions, *, deep: bool = False) -> VideoClip:
    """Open a video file and index its frames; only some frames are decoded.

    deep: frames stored with more than 8 bits are uint16.
    With ``allow_truncated`` the whole file is decoded once, to find the first damage.
    Raises InputError for anything that is not a complete video.
    """
    watch = FileWatch(path, (path,))
    key = (path.absolute(), options, watch.state)
    content = _opened_before.pop(key, None)
    if content is None:
        content = examine(path, options)
    _opened_before[key] = content
    while len(_opened_before) > _MOST_REMEMBERED:
        _opened_before.pop(next(iter(_opened_before)), None)  # another thread may be faster
    check_size(path, content.info.width, content.info.height)
    info = dataclasses.replace(content.info, path=path)
    return VideoClip(dataclasses.replace(content, info=info), watch, deep=deep)
