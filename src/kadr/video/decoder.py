"""Decode frames of one open video file from any frame on, exactly."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from kadr.errors import InputError
from kadr.video.file_watch import FileWatch
from kadr.video.frame_index import (
    DECODER_THREADS,
    EntryPoint,
    FrameIndex,
    convert_read_errors,
    open_container,
    video_stream,
)


class Decoder:
    """A container with its own decoder; for one thread at a time.

    threads: of the decoder; with 1 the frames before damaged data are the same in every run.
    watch: of the file, so that no other is opened under its name.
    """

    def __init__(
        self, path: Path, threads: int = DECODER_THREADS, watch: FileWatch | None = None
    ) -> None:
        self._path, self._threads, self._watch = path, threads, watch
        self.damage: str | None = None
        self._open()

    def _open(self) -> None:
        if self._watch is None:
            self._container = open_container(self._path)
        else:
            self._container = self._watch.open(lambda: open_container(self._path))
        self._stream = video_stream(self._container, self._path)
        self._codec = self._codec_for(self._stream, self._path)
        self._codec.thread_count = self._threads
        self._is_at_start = True
        self._codec.thread_type = "AUTO"

    @staticmethod
    def _codec_for(stream: Any, path: Path) -> Any:
        codec = stream.codec_context
        if codec is None:
            raise InputError(f"{path}: its video codec is unknown; convert it to H.264 first")
        # libav's own VP8 and VP9 decoders ignore the alpha plane
        if codec.name in ("vp8", "vp9") and _has_alpha(stream):
            return av.CodecContext.create(f"libvpx{'-vp9' if codec.name == 'vp9' else ''}", "r")
        return codec

    @property
    def container(self) -> Any:
        """The open container with its headers."""
        return self._container

    @property
    def stream(self) -> Any:
        """The video stream that is decoded."""
        return self._stream

    @property
    def pixel_aspect(self) -> Fraction:
        """Width of one pixel over its height, of the frame that was decoded last."""
        return Fraction(self._codec.sample_aspect_ratio or 1)

    def close(self) -> None:
        """Free the file."""
        self._container.close()

    def decode(self, entry: EntryPoint | None = None) -> Iterator[Any]:
        """Decoded frames from ``entry`` on (None: from the start) in the decoder's order.

        Ends at the end of the file or at the first damaged data; ``damage`` then has the reason.
        """
        self.damage = None
        with convert_read_errors(self._path):
            self._seek(entry)
        try:
            for packet in self._packets(entry):
                yield from self._codec.decode(packet)
        except av.error.FFmpegError as error:
            self.damage = error.strerror or "damaged"
        yield from self._flush()

    def _packets(self, entry: EntryPoint | None) -> Iterator[Any]:
        """Packets from exactly ``entry`` on; none if the seek did not arrive there.

        Some demuxers (MPEG program streams) label packets wrongly after a seek: an intra frame with
        a time stamp that differs from the index means that another entry is needed.
        """
        packets = (packet for packet in self._container.demux(self._stream) if packet.size)
        if entry is not None:
            first = None
            for packet in packets:
                if packet.is_keyframe and packet.pts is not None and packet.pts >= entry.pts:
                    first = packet
                    break
            if first is None or first.pts != entry.pts:
                return
            yield first
        yield from packets

    def _flush(self) -> Iterator[Any]:
        try:
            yield from self._codec.decode(None)
        except av.error.EOFError:
            return
        except av.error.FFmpegError as error:
            self.damage = self.damage or error.strerror or "damaged"

    def _seek(self, entry: EntryPoint | None) -> None:
        is_at_start, self._is_at_start = self._is_at_start, False
        if entry is None:
            if not is_at_start:
                self._container.close()
                self._open()
                self._is_at_start = False
            return
        offset = entry.pts if entry.dts is None else min(entry.pts, entry.dts)
        self._container.seek(offset, stream=self._stream, backward=True)
        self._codec.flush_buffers()


def _has_alpha(stream: Any) -> bool:
    """Whether a WebM stream has an alpha plane beside its packets; some writers only tag it."""
    return any(
        name.lower() == "alpha_mode" and value == "1" for name, value in stream.metadata.items()
    )


def decode_range(
    decoder: Decoder, index: FrameIndex, start: int, stop: int
) -> Iterator[tuple[int, Any]]:
    """Decoded frames ``[start, stop)`` with their indices, each exactly once.

    A frame whose packet is empty repeats the previous frame, as in players. Raises InputError at
    the first damaged frame.
    """
    if start == stop:
        return
    expected = start
    previous: Any = None
    for position, frame in _decode_from(decoder, index, start):
        while expected < min(position, stop):
            if previous is None or index.pts[expected] not in index.empty:
                raise _damaged(decoder, expected, len(index.pts))
            yield expected, previous
            expected += 1
        if expected == stop:
            return
        if position == expected:
            yield position, frame
            expected += 1
        previous = frame
        if expected == stop:
            return
    raise _damaged(decoder, expected, len(index.pts))


def _decode_from(decoder: Decoder, index: FrameIndex, start: int) -> Iterator[tuple[int, Any]]:
    """Frames from ``start`` on, from the nearest entry at which the decoder reaches it."""
    positions = {pts: position for position, pts in enumerate(index.pts)}
    for entry in index.entries_before(start):
        frames = _with_positions(decoder, entry, positions)
        for position, frame in frames:
            if position == start:
                yield position, frame
                yield from frames
                return
            if position > start:
                break
        if decoder.damage:
            break
    raise _damaged(decoder, start, len(index.pts))


def _with_positions(
    decoder: Decoder, entry: EntryPoint | None, positions: dict[int, int]
) -> Iterator[tuple[int, Any]]:
    for frame in decoder.decode(entry):
        # frames shown before the entry may depend on frames that were not decoded
        if frame.pts in positions and (entry is None or frame.pts >= entry.pts):
            yield positions[frame.pts], frame


def count_range(decoder: Decoder, start: int, stop: int) -> Iterator[tuple[int, Any]]:
    """Like ``decode_range``, for streams without usable time stamps: frames are counted."""
    expected = 0
    for position, frame in enumerate(decoder.decode()):
        if position >= stop:
            return
        if position >= start:
            yield position, frame
        expected = position + 1
    if expected < stop:
        raise _damaged(decoder, expected, stop)


def _damaged(decoder: Decoder, good: int, total: int) -> InputError:
    return InputError(
        f"{decoder._path}: damaged or cut off: frame {good} of {total} cannot be decoded; "
        f"use --allow-truncated to use the frames before it"
    )
