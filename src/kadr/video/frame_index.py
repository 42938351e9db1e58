"""Index the frames of a video file by reading its packets, without decoding."""

from __future__ import annotations

import contextlib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from kadr.errors import InputError

DECODER_THREADS = 4
# formats in which any frame may depend on all frames before it, whatever the packet flags say
_NO_SEEKING = {"gif", "apng"}
_EMPTY = 16
"""Bytes: packets up to this size hold no picture."""


@dataclass(frozen=True)
class _Packet:
    pts: int | None
    dts: int | None
    duration: int
    size: int
    intra: bool
    corrupt: bool
    size_in_pixels: tuple[int, int] = (0, 0)
    """Of an intra packet, where its header tells."""


@dataclass(frozen=True)
class EntryPoint:
    """A packet at which decoding can start."""

    pts: int
    dts: int | None


@dataclass(frozen=True)
class FrameIndex:
    """The time stamp of each frame of a stream, and the packets at which decoding can start.

    pts: one per frame, increasing, in units of time_base.
    entries: increasing in pts; empty if every read has to start at the beginning of the file.
    last_duration: of the last frame, in the same units; 0 if unknown.
    damaged: the file ends inside a packet or could not be read to its end.
    empty: time stamps of packets too small to hold a picture; they repeat the previous frame.
    size_change: the first intra packet of another size than the first: its time stamp, its width
    and height as stored; None if there is none.
    """

    pts: list[int]
    entries: list[EntryPoint]
    last_duration: int
    time_base: Fraction
    damaged: bool
    empty: frozenset[int] = frozenset()
    size_change: tuple[int, int, int] | None = None

    def entries_before(self, index: int) -> Iterator[EntryPoint | None]:
        """Entries before frame ``index``, nearest first; then None, the start of the file."""
        count = bisect_right(self.entries, self.pts[index], key=lambda entry: entry.pts)
        for position in range(count - 1, max(count - 4, 0), -1):
            yield self.entries[position]
        yield None


@contextlib.contextmanager
def convert_read_errors(path: Path) -> Iterator[None]:
    """Turn every libav error into an InputError that names the file."""
    try:
        yield
    except av.error.FFmpegError as error:
        raise InputError(f"{path}: cannot be read as a video ({error.strerror})") from error


def open_container(path: Path) -> Any:
    """Open a media file for reading. Raises InputError with the cause."""
    if not path.exists():
        raise InputError(f"{path}: no such file; check the path")
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path}: the file is empty (0 bytes); copy or export it again")
        # "file:" keeps names with colons from being taken for protocols
        return av.open(f"file:{path}", metadata_errors="replace")
    except av.error.FFmpegError as error:
        raise InputError(f"{path}: {_why_not_opened(path, error)}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def _why_not_opened(path: Path, error: Any) -> str:
    if isinstance(error, PermissionError):
        return "no permission to read it"
    if _lacks_moov(path):
        return (
            "the recording was cut off: its index (moov) is missing, so no frame can be read; "
            "copy it again or repair it"
        )
    return "not a video that can be read; give a video file, a folder of images or a pattern"


def _lacks_moov(path: Path) -> bool:
    """Whether the file starts like MP4 or MOV and has no index among its top-level boxes."""
    size, position = path.stat().st_size, 0
    box_types: list[bytes] = []
    with path.open("rb") as file:
        while position + 8 <= size and len(box_types) < 64:
            file.seek(position)
            header = file.read(16)
            length, box_type = int.from_bytes(header[:4], "big"), header[4:8]
            box_types.append(box_type)
            if length == 1:
                length = int.from_bytes(header[8:16], "big")
            if length < 8:
                break
            position += length
    return box_types[:1] == [b"ftyp"] and b"moov" not in box_types


def video_stream(container: Any, path: Path) -> Any:
    """The first video stream that is not a cover image."""
    streams = picture_streams(container)
    if not streams:
        content = "only sound" if container.streams.audio else "no video"
        raise InputError(f"{path}: has {content}; give a file with a video stream")
    return streams[0]


def picture_streams(container: Any) -> list[Any]:
    """The video streams of a container that are not cover images."""
    return [stream for stream in container.streams.video if not _is_cover(stream)]


def _is_cover(stream: Any) -> bool:
    return bool(int(getattr(stream, "disposition", 0)) & 0x400)


def scan(path: Path) -> FrameIndex | None:
    """Read every packet of the video stream; None if time stamps are missing or repeat."""
    with open_container(path) as container:
        stream = video_stream(container, path)
        damaged = _ends_early(container, stream, path)
        packets: list[_Packet] = []
        try:
            packets.extend(
                _packet(p, stream.codec_context)
                for p in container.demux(stream)
                if p.size and not p.is_discard
            )
        except av.error.FFmpegError:
            damaged = True
        while packets and packets[-1].corrupt:
            packets.pop()
            damaged = True
        seekable = container.format.name not in _NO_SEEKING
        return _index(packets, Fraction(stream.time_base), damaged, seekable)


def _packet(packet: Any, codec: Any) -> _Packet:
    intra = bool(packet.is_keyframe)
    return _Packet(
        packet.pts,
        packet.dts,
        packet.duration or 0,
        packet.size,
        intra,
        bool(packet.is_corrupt),
        _size_in_pixels(packet, codec) if intra and codec is not None else (0, 0),
    )


def _size_in_pixels(packet: Any, codec: Any) -> tuple[int, int]:
    """(width, height) in the headers of an intra packet; (0, 0) if they do not tell.

    A parser of its own reads them, without decoding; only VP9's parser does not know the size.
    """
    try:
        parser = av.CodecContext.create(codec.name, "r")
        if codec.extradata:
            parser.extradata = codec.extradata
        if codec.name in ("vp9", "libvpx-vp9"):
            frames = [*parser.decode(packet), *parser.decode(None)]
            return (frames[0].width, frames[0].height) if frames else (0, 0)
        parser.parse(bytes(packet))
        parser.parse(None)
    except (av.error.FFmpegError, ValueError):
        return (0, 0)
    return parser.width, parser.height


def _index(
    packets: list[_Packet], time_base: Fraction, damaged: bool, seekable: bool
) -> FrameIndex | None:
    # frames before the first intra frame cannot be decoded
    first_intra = next((i for i, packet in enumerate(packets) if packet.intra), 0)
    by_pts = {packet.pts: packet for packet in packets[first_intra:]}
    if not by_pts or None in by_pts or len(by_pts) != len(packets) - first_intra:
        return None
    stamps = sorted(pts for pts in by_pts if pts is not None)
    return FrameIndex(
        pts=stamps,
        entries=[
            EntryPoint(pts, by_pts[pts].dts) for pts in stamps if seekable and by_pts[pts].intra
        ],
        last_duration=by_pts[stamps[-1]].duration,
        time_base=time_base,
        damaged=damaged,
        empty=frozenset(pts for pts in stamps if by_pts[pts].size <= _EMPTY),
        size_change=_size_change([(pts, by_pts[pts].size_in_pixels) for pts in stamps]),
    )


def _size_change(sizes: list[tuple[int, tuple[int, int]]]) -> tuple[int, int, int] | None:
    valid = [(pts, size) for pts, size in sizes if all(size)]
    return next(((pts, *size) for pts, size in valid if size != valid[0][1]), None)


def _ends_early(container: Any, stream: Any, path: Path) -> bool:
    """Whether the container's tables refer to data past the end of the file."""
    size = path.stat().st_size
    if "mp4" in container.format.name:
        entries = stream.index_entries
        return any(entries[i].pos + entries[i].size > size for i in range(len(entries)))
    if "matroska" in container.format.name:
        return _matroska_end(path) > size
    return False


def _matroska_end(path: Path) -> int:
    """The end of the segment in bytes, from its header; 0 if its length is unknown."""
    with path.open("rb") as file:
        header = file.read(4096)
    position = header.find(b"\x18\x53\x80\x67")  # the Segment element's id
    if position < 0 or position + 12 > len(header):
        return 0
    start = position + 4
    width = 9 - header[start].bit_length() if header[start] else 9
    if width > 8:
        return 0
    largest = (1 << (7 * width)) - 1
    length = int.from_bytes(header[start : start + width], "big") & largest
    return 0 if length == largest else start + width + length
