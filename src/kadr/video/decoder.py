"""One open video file that decodes from any frame on, exactly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av

from kadr.errors import InputError
from kadr.video.frame_index import (
    DECODER_THREADS,
    EntryPoint,
    FrameIndex,
    open_container,
    readable,
    video_stream,
)


class Decoder:
    """A container with a decoder of its own; for one thread at a time.

    threads: of the decoder; 1 makes the frames before a damaged place the same in every run.
    """

    def __init__(self, path: Path, threads: int = DECODER_THREADS) -> None:
        self._path, self._threads = path, threads
        self.damage: str | None = None
        self._open()

    def _open(self) -> None:
        self._container = open_container(self._path)
        self._stream = video_stream(self._container, self._path)
        self._codec = self._codec_for(self._stream, self._path)
        self._codec.thread_count = self._threads
        self._codec.thread_type = "AUTO"

    @staticmethod
    def _codec_for(stream: Any, path: Path) -> Any:
        codec = stream.codec_context
        if codec is None:
            raise InputError(f"{path}: its video codec is unknown; convert it to H.264 first")
        # libav's own VP8 and VP9 decoders leave the alpha plane out
        if codec.name in ("vp8", "vp9") and stream.metadata.get("alpha_mode") == "1":
            return av.CodecContext.create(f"libvpx{'-vp9' if codec.name == 'vp9' else ''}", "r")
        return codec

    @property
    def container(self) -> Any:
        """The open container, for what its headers say."""
        return self._container

    @property
    def stream(self) -> Any:
        """The video stream that is decoded."""
        return self._stream

    def close(self) -> None:
        """Free the file."""
        self._container.close()

    def decode(self, entry: EntryPoint | None = None) -> Iterator[Any]:
        """Decoded frames from ``entry`` on (None: from the start) as the decoder gives them.

        Ends at the file's end or at the first damaged place, which ``damage`` then tells.
        """
        self.damage = None
        with readable(self._path):
            self._seek(entry)
        try:
            for packet in self._packets(entry):
                yield from self._codec.decode(packet)
        except av.error.FFmpegError as error:
            self.damage = error.strerror or "damaged"
        yield from self._flush()

    def _packets(self, entry: EntryPoint | None) -> Iterator[Any]:
        """Packets from exactly ``entry`` on; none when seeking did not lead there.

        Some demuxers (MPEG program streams) label packets wrongly after a seek, so an intra frame
        with another time stamp than the index has means: begin elsewhere.
        """
        packets = (packet for packet in self._container.demux(self._stream) if packet.size)
        if entry is not None:
            at = None
            for packet in packets:
                if packet.is_keyframe and packet.pts is not None and packet.pts >= entry.pts:
                    at = packet
                    break
            if at is None or at.pts != entry.pts:
                return
            yield at
        yield from packets

    def _flush(self) -> Iterator[Any]:
        try:
            yield from self._codec.decode(None)
        except av.error.EOFError:
            return
        except av.error.FFmpegError as error:
            self.damage = self.damage or error.strerror or "damaged"

    def _seek(self, entry: EntryPoint | None) -> None:
        if entry is None:
            self._container.close()
            self.damage = None
            self._open()
            return
        offset = entry.pts if entry.dts is None else min(entry.pts, entry.dts)
        self._container.seek(offset, stream=self._stream, backward=True)
        self._codec.flush_buffers()


def decode_range(
    decoder: Decoder, index: FrameIndex, start: int, stop: int
) -> Iterator[tuple[int, Any]]:
    """Decoded frames ``[start, stop)`` with their index, exact, each one once.

    A frame whose packet is empty repeats the one before, as players do. Raises InputError at the
    first damaged frame.
    """
    if start == stop:
        return
    found = _enter(decoder, index, start)
    expected = start
    last: Any = None
    for at, frame in found:
        while expected < min(at, stop):
            if last is None or index.pts[expected] not in index.empty:
                raise _damaged(decoder, expected, len(index.pts))
            yield expected, last
            expected += 1
        if expected == stop:
            return
        if at == expected:
            yield at, frame
            expected += 1
        last = frame
        if expected == stop:
            return
    raise _damaged(decoder, expected, len(index.pts))


def _enter(decoder: Decoder, index: FrameIndex, start: int) -> Iterator[tuple[int, Any]]:
    """Frames from ``start`` on, beginning at the nearest entry that really leads there."""
    where = {pts: at for at, pts in enumerate(index.pts)}
    for entry in index.entries_before(start):
        frames = _numbered(decoder, entry, where)
        for at, frame in frames:
            if at == start:
                yield at, frame
                yield from frames
                return
            if at > start:
                break
        if decoder.damage:
            break
    raise _damaged(decoder, start, len(index.pts))


def _numbered(
    decoder: Decoder, entry: EntryPoint | None, where: dict[int, int]
) -> Iterator[tuple[int, Any]]:
    for frame in decoder.decode(entry):
        # frames shown before the entry may build on ones that were never decoded
        if frame.pts in where and (entry is None or frame.pts >= entry.pts):
            yield where[frame.pts], frame


def count_range(decoder: Decoder, start: int, stop: int) -> Iterator[tuple[int, Any]]:
    """As decode_range, for streams without usable time stamps: counted from the file's start."""
    expected = 0
    for at, frame in enumerate(decoder.decode()):
        if at >= stop:
            return
        if at >= start:
            yield at, frame
        expected = at + 1
    if expected < stop:
        raise _damaged(decoder, expected, stop)


def _damaged(decoder: Decoder, good: int, total: int) -> InputError:
    return InputError(
        f"{decoder._path}: damaged or cut off: frame {good} of {total} cannot be decoded; "
        f"use --allow-truncated to work with what comes before it"
    )
