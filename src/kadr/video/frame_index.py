"""A video file in, the table of its frames out. Packets are read, nothing is decoded."""

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
# formats in which any frame may build on all before it, whatever the packet flags say
_NO_SEEKING = {"gif", "apng"}
_EMPTY = 16  # bytes


@dataclass(frozen=True)
class _Packet:
    pts: int | None
    dts: int | None
    duration: int
    size: int
    intra: bool
    corrupt: bool


@dataclass(frozen=True)
class EntryPoint:
    """A packet from which decoding can begin."""

    pts: int
    dts: int | None


@dataclass(frozen=True)
class FrameIndex:
    """Where each frame of a stream lies in time and where decoding may begin.

    pts: one per frame, rising, in units of time_base.
    entries: rising in pts; empty when every read has to begin at the file's start.
    last_duration: of the last frame, in the same units; 0 if unknown.
    damaged: the file ends inside a packet or could not be read to its end.
    empty: time stamps of packets too small to hold a picture; they repeat the frame before.
    """

    pts: list[int]
    entries: list[EntryPoint]
    last_duration: int
    time_base: Fraction
    damaged: bool
    empty: frozenset[int] = frozenset()

    def entries_before(self, index: int) -> Iterator[EntryPoint | None]:
        """Places to begin for frame ``index``, nearest first; None is the file's start."""
        found = bisect_right(self.entries, self.pts[index], key=lambda entry: entry.pts)
        for at in range(found - 1, max(found - 4, 0), -1):
            yield self.entries[at]
        yield None


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn every libav error into an InputError that names the file."""
    try:
        yield
    except av.error.FFmpegError as error:
        raise InputError(f"{path}: cannot be read as a video ({error.strerror})") from error


def open_container(path: Path) -> Any:
    """Open a media file for reading. Raises InputError with the cause in words."""
    if not path.exists():
        raise InputError(f"{path}: no such file; check the path")
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path}: the file is empty (0 bytes); copy or export it again")
        # "file:" keeps names with colons from being taken for protocols
        return av.open(f"file:{path}", metadata_errors="replace")
    except av.error.FFmpegError as error:
        raise InputError(f"{path}: {_open_trouble(path, error)}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def _open_trouble(path: Path, error: Any) -> str:
    if isinstance(error, PermissionError):
        return "no permission to read it"
    if _lacks_moov(path):
        return (
            "the recording was cut off: its index (moov) is missing, so no frame can be read; "
            "copy it again or repair it"
        )
    return "not a video that can be read; give a video file, a folder of images or a pattern"


def _lacks_moov(path: Path) -> bool:
    """Whether the file begins like MP4 or MOV and has no index among its top-level boxes."""
    size, at = path.stat().st_size, 0
    kinds: list[bytes] = []
    with path.open("rb") as file:
        while at + 8 <= size and len(kinds) < 64:
            file.seek(at)
            head = file.read(16)
            length, kind = int.from_bytes(head[:4], "big"), head[4:8]
            kinds.append(kind)
            if length == 1:
                length = int.from_bytes(head[8:16], "big")
            if length < 8:
                break
            at += length
    return kinds[:1] == [b"ftyp"] and b"moov" not in kinds


def video_stream(container: Any, path: Path) -> Any:
    """The stream to read: the default one that is not a cover picture."""
    streams = [s for s in container.streams.video if not _is_cover(s)]
    if not streams:
        sound = "only sound" if container.streams.audio else "no video"
        raise InputError(f"{path}: has {sound}; give a file with pictures in it")
    return streams[0]


def _is_cover(stream: Any) -> bool:
    return bool(int(getattr(stream, "disposition", 0)) & 0x400)


def scan(path: Path) -> FrameIndex | None:
    """Read every packet of the video stream; None when time stamps are missing or repeat."""
    with open_container(path) as container:
        stream = video_stream(container, path)
        damaged = _ends_early(container, stream, path)
        packets: list[_Packet] = []
        try:
            packets.extend(
                _packet(p) for p in container.demux(stream) if p.size and not p.is_discard
            )
        except av.error.FFmpegError:
            damaged = True
        while packets and packets[-1].corrupt:
            packets.pop()
            damaged = True
        seekable = container.format.name not in _NO_SEEKING
        return _index(packets, Fraction(stream.time_base), damaged, seekable)


def _packet(packet: Any) -> _Packet:
    return _Packet(
        packet.pts,
        packet.dts,
        packet.duration or 0,
        packet.size,
        bool(packet.is_keyframe),
        bool(packet.is_corrupt),
    )


def _index(
    packets: list[_Packet], time_base: Fraction, damaged: bool, seekable: bool
) -> FrameIndex | None:
    # what comes before the first intra frame cannot be decoded
    first_intra = next((i for i, packet in enumerate(packets) if packet.intra), 0)
    shown = {packet.pts: packet for packet in packets[first_intra:]}
    if not shown or None in shown or len(shown) != len(packets) - first_intra:
        return None
    pts = sorted(at for at in shown if at is not None)
    return FrameIndex(
        pts=pts,
        entries=[EntryPoint(at, shown[at].dts) for at in pts if seekable and shown[at].intra],
        last_duration=shown[pts[-1]].duration,
        time_base=time_base,
        damaged=damaged,
        empty=frozenset(at for at in pts if shown[at].size <= _EMPTY),
    )


def _ends_early(container: Any, stream: Any, path: Path) -> bool:
    """Whether the container's own tables reach past the end of the file."""
    size = path.stat().st_size
    if "mp4" in container.format.name:
        entries = stream.index_entries
        return any(entries[i].pos + entries[i].size > size for i in range(len(entries)))
    if "matroska" in container.format.name:
        return _matroska_end(path) > size
    return False


def _matroska_end(path: Path) -> int:
    """Where the segment says it ends; 0 if it does not say."""
    with path.open("rb") as file:
        head = file.read(4096)
    at = head.find(b"\x18\x53\x80\x67")  # the Segment element's id
    if at < 0 or at + 12 > len(head):
        return 0
    first = head[at + 4]
    width = 9 - first.bit_length() if first else 9
    if width > 8:
        return 0
    value = int.from_bytes(head[at + 4 : at + 4 + width], "big") & ((1 << (7 * width)) - 1)
    unknown = value == (1 << (7 * width)) - 1
    return 0 if unknown else at + 4 + width + value
