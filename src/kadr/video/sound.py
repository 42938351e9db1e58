"""Add the sound of a clip to a new video: copied, or encoded again if the container needs it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from kadr.video.base import ClipInfo
from kadr.video.frame_index import open_container
from kadr.video.sound_encoding import SoundEncoding, choose_encoding, encoding_notices

_log = logging.getLogger(__name__)

_TITLES = ("language", "title")
"""What of a track's metadata is kept."""


class Sound:
    """All sound tracks of a clip, muxed into an open container in sync with the frames.

    start: the first written frame's time in the clip, seconds from its first frame. If it is 0,
    sound before the first frame is kept, and ``lead`` is how much later the frames have to start.
    If it is not 0, earlier sound is left out. Tracks keep their language, title and which of them
    is the default. Damaged sound ends with a logged warning; the frames continue.
    """

    def __init__(self, info: ClipInfo, start: Fraction) -> None:
        with open_container(info.path) as container:
            indices = [
                stream.index
                for stream in container.streams.audio
                if stream.codec_context is not None
            ]
        self._clip = info.path
        self._tracks = [_Track(info, index, start) for index in indices]
        self.notices: list[str] = []
        """What of the tracks changes in the output that they are attached to, one line each."""
        self.lead = max(track.lead for track in self._tracks)

    def attach(self, output: Any, output_path: Path) -> None:
        """Add the sound streams to an output container, after its video stream."""
        for number, track in enumerate(self._tracks, 1):
            track.attach(output, output_path)
            if track.encoding is not None:
                self.notices += encoding_notices(
                    track.encoding, track.stream, number, self._clip, output_path
                )

    def round_lead(self, base: Fraction) -> Fraction:
        """Round ``lead`` to a multiple of the video's time base and return it."""
        self.lead = round(self.lead / base) * base
        for track in self._tracks:
            track.lead = self.lead
        return self.lead

    def copy_until(self, end: Fraction | None) -> None:
        """Mux the sound before ``end``, in seconds from the first written frame."""
        for track in self._tracks:
            track.copy_until(end)

    def finish(self, end: Fraction | None) -> None:
        """Mux the rest of the sound up to ``end``, or all of it, and close the input."""
        for track in self._tracks:
            track.finish(end)

    def close(self) -> None:
        """Free the input file."""
        for track in self._tracks:
            track.close()


class _Track:
    """One sound stream; it reads the input through a handle of its own."""

    def __init__(self, info: ClipInfo, index: int, start: Fraction) -> None:
        self._path = info.path
        self._input = open_container(info.path)
        self._stream = self._input.streams[index]
        self._start = info.first_time + start
        sound_start = Fraction(self._stream.start_time or 0) * self._stream.time_base
        self._from_start = start == 0
        lead = max(self._start - sound_start, Fraction(0))
        self.lead = lead if self._from_start else Fraction(0)
        self._packets = self._read_packets()
        self._next: Any = None
        self._done = False
        self._output: Any = None
        self._target: Any = None
        self._encoding: SoundEncoding | None = None

    @property
    def stream(self) -> Any:
        """The sound stream of the input."""
        return self._stream

    @property
    def encoding(self) -> SoundEncoding | None:
        """How it is encoded again for the output; None: it is copied."""
        return self._encoding

    def attach(self, output: Any, output_path: Path) -> None:
        """Add the stream to an output container."""
        self._output = output
        self._encoding = choose_encoding(self._stream, output_path)
        self._target = self._add_stream()
        self._target.disposition = self._stream.disposition
        for name in _TITLES:
            if name in self._stream.metadata:
                self._target.metadata[name] = self._stream.metadata[name]

    def _add_stream(self) -> Any:
        encoding = self._encoding
        if encoding is None:
            return self._output.add_stream_from_template(self._stream)
        target = self._output.add_stream(encoding.codec, rate=encoding.rate)
        target.codec_context.layout = encoding.layout
        target.codec_context.bit_rate = encoding.bit_rate
        return target

    def copy_until(self, end: Fraction | None) -> None:
        """Mux the sound before ``end``, in seconds from the first written frame."""
        while not self._done:
            if self._next is None:
                self._next = next(self._packets, None)
            if self._next is None:
                self._done = True
            elif end is None or self._time(self._next.pts) < end:
                self._mux(self._next)
                self._next = None
            else:
                return

    def _read_packets(self) -> Iterator[Any]:
        if not self._from_start:
            self._input.seek(max(0, int((self._start - 1) * 1_000_000)))
        try:
            for packet in self._input.demux(self._stream):
                if packet.size and packet.pts is not None and self._is_audible(packet):
                    yield packet
        except av.error.FFmpegError as error:
            self._stop_at_damage(error)

    def _is_audible(self, packet: Any) -> bool:
        # at the start everything is kept: codecs need packets before time 0 for priming
        return self._from_start or self._time(packet.pts + (packet.duration or 0)) > 0

    def _time(self, pts: int) -> Fraction:
        """Seconds from the first written frame."""
        return pts * Fraction(self._stream.time_base) - self._start

    def _mux(self, packet: Any) -> None:
        shift = round((self._start - self.lead) / Fraction(self._stream.time_base))
        if self._encoding is None:
            packet.pts -= shift
            packet.dts = packet.pts
            packet.stream = self._target
            self._output.mux(packet)
            return
        try:
            frames = self._stream.codec_context.decode(packet)
        except av.error.FFmpegError as error:
            self._stop_at_damage(error)
            return
        for frame in frames:
            frame.pts = None if frame.pts is None else frame.pts - shift
            self._output.mux(self._target.encode(frame))

    def _stop_at_damage(self, error: Any) -> None:
        _log.warning("%s: the sound is damaged and ends early (%s)", self._path, error.strerror)
        self._done = True

    def finish(self, end: Fraction | None) -> None:
        """Mux the rest of the track up to ``end``, or all of it, and close the input."""
        self.copy_until(end)
        if self._encoding is not None:
            self._output.mux(self._target.encode(None))
        self.close()

    def close(self) -> None:
        """Free the input file."""
        self._done = True
        self._input.close()
