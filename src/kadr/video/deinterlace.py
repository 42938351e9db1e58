"""Decoded interlaced frames in, as many whole frames out, through libavfilter's bwdif."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import av
import av.filter

from kadr.video.frame_index import DECODER_THREADS
from kadr.video.interlacing import Fields

_STEP = Fraction(1, 25)
"""The time of frames in the filter; it only tells their order."""

_PARITY = {"flags": "auto", "top": "tff", "bottom": "bff"}

Decode = Callable[[int, int], Iterator[tuple[int, Any]]]
"""(start, stop) → the decoded frames of that range with their indices, in order."""


def deinterlaced(
    decode: Decode, start: int, stop: int, count: int, fields: Fields
) -> Iterator[tuple[int, Any]]:
    """Decoded frames ``[start, stop)`` with their indices, one whole frame for each frame.

    The earlier field is kept, the lines of the other are made from it and from the fields before
    and after. So a frame depends on the ones around it; these are decoded too, and frames are the
    same wherever a reading begins. count: of the clip's frames.
    """
    if start == stop:
        return
    weaving: _Filter | None = None
    for index, frame in decode(max(0, start - 1), min(count, stop + 1)):
        if weaving is None or not weaving.takes(frame):
            if weaving is not None:
                yield from _within(weaving.finish(), start, stop)
            weaving = _Filter(frame, fields)
        yield from _within(weaving.add(index, frame), start, stop)
    if weaving is not None:
        yield from _within(weaving.finish(), start, stop)


def _within(frames: Iterator[tuple[int, Any]], start: int, stop: int) -> Iterator[tuple[int, Any]]:
    return (item for item in frames if start <= item[0] < stop)


class _Filter:
    """A filter graph for frames of one size and format; frames come out one later than they go in.

    The graph must live as long as its ends are used.
    """

    def __init__(self, first: Any, fields: Fields) -> None:
        self._kind = _kind(first)
        self._indices: deque[int] = deque()
        self._graph = graph = av.filter.Graph()
        graph.threads = DECODER_THREADS
        size = f"video_size={first.width}x{first.height}:pix_fmt={first.format.name}"
        self._entry = graph.add("buffer", args=f"{size}:time_base={_STEP}:pixel_aspect=1/1")
        which = "interlaced" if fields.flagged_only else "all"
        options = f"mode=send_frame:parity={_PARITY[fields.order]}:deint={which}"
        bwdif = graph.add("bwdif", args=options)
        self._exit = graph.add("buffersink")
        self._entry.link_to(bwdif)
        bwdif.link_to(self._exit)
        graph.configure()

    def takes(self, frame: Any) -> bool:
        """Whether the graph was made for frames of this size and format."""
        return _kind(frame) == self._kind

    def add(self, index: int, frame: Any) -> Iterator[tuple[int, Any]]:
        """Frames that are finished once ``frame`` is known."""
        frame.pts, frame.time_base = index, _STEP
        self._indices.append(index)
        self._entry.push(frame)
        yield from self._pull()

    def finish(self) -> Iterator[tuple[int, Any]]:
        """The frames that waited for another one."""
        self._entry.push(None)
        yield from self._pull()

    def _pull(self) -> Iterator[tuple[int, Any]]:
        while self._indices:
            try:
                frame = self._exit.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            yield self._indices.popleft(), frame


def _kind(frame: Any) -> tuple[int, int, str]:
    return frame.width, frame.height, frame.format.name
