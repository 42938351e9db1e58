"""A run's record in, SVG out: its error frame by frame, and its keys and ranges below it.

Places along the frames are percentages, so that a chart fills any width with text of one size;
only the curve itself, in a box of its own, is stretched.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from kadr.core.formatting import counted, percent
from kadr.report.record import KeyRecord, RunRecord

_MOST_POINTS = 1200
_TOP, _HEIGHT = 26, 200
"""Pixels: above the plot, where keys are named, and of the plot."""
_LANE, _MOST_LANES = 24, 6
_LABEL_ROOM = {"": 4.0, "wide-only": 13.0}
"""Per cent of the width that a label needs, on wide screens and on a phone's."""


@dataclass(frozen=True)
class _Axis:
    """Where a frame stands along the width, in per cent."""

    first: int
    count: int

    def edge(self, index: float) -> str:
        """The left edge of a frame."""
        return f"{(index - self.first) / self.count * 100:.3f}%"

    def middle(self, index: int) -> str:
        """The middle of a frame."""
        return self.edge(index + 0.5)

    def width(self, frames: int) -> str:
        """Of so many frames."""
        return f"{frames / self.count * 100:.3f}%"


def error_chart(record: RunRecord, marked: Collection[int] = ()) -> str:
    """An SVG of the measured error a frame, with keys, cuts and the plan's guess.

    marked: indices of frames to put a ring around.
    """
    axis = _Axis(record.first_frame, len(record.frames))
    top, ticks = _scale(max((error for error in record.measured if error is not None), default=0.0))
    parts = [
        *_shots(record, axis),
        *_gridlines(ticks, top),
        *_missing(record, axis),
        _curves(record, top),
        *_keys(record, axis),
        *_rings(record, axis, top, marked),
    ]
    return (
        f'<svg class="chart" role="img" width="100%" height="{_TOP + _HEIGHT + 26}" '
        f'aria-label="{escape(_in_words(record))}">{"".join(parts)}</svg>'
    )


def _in_words(record: RunRecord) -> str:
    worst = record.worst(1)
    if not worst:
        return "Error of each frame: no frame is made yet"
    numbers = ", ".join(str(key.number) for key in record.keys)
    return (
        f"Error of each frame, {record.numbers[0]} to {record.numbers[-1]}: on average "
        f"{percent(record.mean_error)}, at worst {percent(record.error(worst[0]))} at frame "
        f"{record.number(worst[0])}; keys at {numbers}"
    )


def _scale(most: float) -> tuple[float, list[float]]:
    """The top of the scale and the errors to draw lines at: readable steps, 2 to 5."""
    most = max(most, 0.002)
    power = 10.0 ** math.floor(math.log10(most))
    step = next(
        power * factor for factor in (0.2, 0.25, 0.5, 1, 2, 5) if power * factor * 5 >= most
    )
    count = math.ceil(most / step - 1e-9)
    return step * count, [step * at for at in range(1, count + 1)]


def _y(error: float, top: float) -> float:
    return _TOP + _HEIGHT * (1 - error / top)


def _shots(record: RunRecord, axis: _Axis) -> Iterator[str]:
    """Every other shot has a ground of its own; a line at each cut."""
    frames = record.frames
    inside = [s for s in record.shots if s.start < frames.stop and frames.start < s.stop]
    for at, shot in enumerate(inside):
        start, stop = max(shot.start, frames.start), min(shot.stop, frames.stop)
        x = axis.edge(start)
        if at % 2:
            width = axis.width(stop - start)
            yield f'<rect class="shot" x="{x}" y="{_TOP}" width="{width}" height="{_HEIGHT}"/>'
        if start > frames.start:
            yield (
                f'<line class="cut" x1="{x}" x2="{x}" y1="{_TOP}" y2="{_TOP + _HEIGHT}">'
                f"<title>cut before frame {record.number(start)}</title></line>"
            )


def _gridlines(ticks: Sequence[float], top: float) -> Iterator[str]:
    base = _TOP + _HEIGHT
    yield f'<line class="base" x1="0" x2="100%" y1="{base}" y2="{base}"/>'
    for tick in ticks:
        y = _y(tick, top)
        yield f'<line class="grid" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="tick" x="-7" y="{y + 4:.1f}">{tick * 100:.3g} %</text>'


def _missing(record: RunRecord, axis: _Axis) -> Iterator[str]:
    at = record.first_frame
    for made, errors in groupby(record.measured, key=lambda error: error is not None):
        count = len(list(errors))
        if not made:
            yield (
                f'<rect class="missing" x="{axis.edge(at)}" y="{_TOP}" '
                f'width="{axis.width(count)}" height="{_HEIGHT}">'
                f"<title>{counted(count, 'frame')} not made</title></rect>"
            )
        at += count


def _curves(record: RunRecord, top: float) -> str:
    """The measured error as an area with an edge, the plan's guess as a dashed line."""
    measured = _thinned(record.measured)
    paths = []
    for start, errors in _runs(measured):
        line = _line(start, [error / top for error in errors])
        paths.append(f'<path class="area" d="{line} V1000 H{start} Z"/>')
        paths.append(f'<path class="measured" d="{line}"/>')
    most = max(record.predicted or (0.0,))
    if record.predicted is not None and most > 0:
        shape = [error / most for error in _thinned(record.predicted) if error is not None]
        paths.append(f'<path class="predicted" d="{_line(0, shape)}"/>')
    return (
        f'<svg y="{_TOP}" width="100%" height="{_HEIGHT}" viewBox="0 0 {len(measured)} 1000" '
        f'preserveAspectRatio="none">{"".join(paths)}</svg>'
    )


def _thinned(errors: Sequence[float | None]) -> list[float | None]:
    """At most so many errors: the largest of each few, so that no peak is lost."""
    step = -(-len(errors) // _MOST_POINTS)
    groups = (errors[at : at + step] for at in range(0, len(errors), step))
    known = ([error for error in group if error is not None] for group in groups)
    return [max(group, default=None) for group in known]


def _runs(errors: Sequence[float | None]) -> Iterator[tuple[int, list[float]]]:
    """Stretches without a gap, each with the place where it begins."""
    at = 0
    for made, group in groupby(errors, key=lambda error: error is not None):
        stretch = list(group)
        if made:
            yield at, [error for error in stretch if error is not None]
        at += len(stretch)


def _line(start: int, heights: Sequence[float]) -> str:
    """A path through the middle of each frame, level to the outer edges; heights 0–1."""
    ys = [f"{1000 * (1 - height):.0f}" for height in heights]
    middle = " ".join(f"L{start + at + 0.5} {y}" for at, y in enumerate(ys))
    return f"M{start} {ys[0]} {middle} L{start + len(ys)} {ys[-1]}"


def _keys(record: RunRecord, axis: _Axis) -> Iterator[str]:
    labels = dict(_labels(record, axis))
    for key in _inside(record):
        x = axis.middle(key.index)
        yield (
            f'<line class="key" x1="{x}" x2="{x}" y1="{_TOP - 6}" y2="{_TOP + _HEIGHT}">'
            f"<title>key {key.number}</title></line>"
        )
        yield f'<circle class="key" cx="{x}" cy="{_TOP - 6}" r="3.5"/>'
        if key.index in labels:
            end = _anchor(key.index, axis)
            yield (
                f'<text class="key {labels[key.index]}" x="{x}" y="{_TOP - 14}"{end}>'
                f"{key.number}</text>"
            )


def _inside(record: RunRecord) -> list[KeyRecord]:
    """Keys among the run's frames, in their order."""
    return sorted((key for key in record.keys if key.index in record.frames), key=lambda k: k.index)


def _anchor(index: int, axis: _Axis) -> str:
    """Labels near an end are kept inside."""
    place = (index + 0.5 - axis.first) / axis.count
    return "" if 0.03 < place < 0.97 else f' text-anchor="{"start" if place < 0.5 else "end"}"'


def _labels(record: RunRecord, axis: _Axis) -> Iterator[tuple[int, str]]:
    """Keys with room for their number, and the class of the label: "" has room on a phone too."""
    last = dict.fromkeys(_LABEL_ROOM, -math.inf)
    for key in _inside(record):
        place = (key.index - axis.first) / axis.count * 100
        if place - last[""] < _LABEL_ROOM[""]:
            continue
        last[""] = place
        narrow = place - last["wide-only"] < _LABEL_ROOM["wide-only"]
        if not narrow:
            last["wide-only"] = place
        yield key.index, "wide-only" if narrow else ""


def _rings(record: RunRecord, axis: _Axis, top: float, marked: Collection[int]) -> Iterator[str]:
    for index in sorted(marked):
        error = record.error(index)
        if error is not None:
            x = axis.middle(index)
            yield (
                f'<circle class="ring" cx="{x}" cy="{_y(error, top):.1f}" r="4.5">'
                f"<title>frame {record.number(index)}: {percent(error)}</title></circle>"
            )
    for at in _numbered(len(record.frames)):
        x, end = axis.middle(axis.first + at), _anchor(axis.first + at, axis)
        yield (
            f'<text class="number" x="{x}" y="{_TOP + _HEIGHT + 18}"{end}>'
            f"{record.numbers[at]}</text>"
        )


def _numbered(count: int) -> list[int]:
    """Places of the frames whose numbers stand below the plot: at most five, evenly."""
    if count < 5:
        return list(range(count))
    return [round(at * (count - 1) / 4) for at in range(5)]


def timeline(record: RunRecord) -> str:
    """An SVG of the frames each key styles: a bar a key, a dot at the key, overlaps in lanes."""
    axis = _Axis(record.first_frame, len(record.frames))
    lanes: list[int] = []
    bars = []
    for key in sorted(record.keys, key=lambda key: (key.start, key.stop)):
        start, stop = max(key.start, axis.first), min(key.stop, axis.first + axis.count)
        if start >= stop:
            continue
        lane = next((at for at, end in enumerate(lanes) if end <= start), len(lanes))
        lanes[lane : lane + 1] = [stop]
        bars.append(_bar(key, start, stop, lane % _MOST_LANES, axis, record))
    height = _LANE * min(_MOST_LANES, max(1, len(lanes))) + 4
    words = "; ".join(
        f"key {key.number} styles {record_range(record, key)}" for key in _inside(record)
    )
    return (
        f'<svg class="timeline" role="img" width="100%" height="{height}" '
        f'aria-label="{escape(words)}">{"".join(bars)}</svg>'
    )


def record_range(record: RunRecord, key: KeyRecord) -> str:
    """``1001–1024``: the frames that a key styles, by their numbers, both ends included."""
    frames = record.frames
    start, stop = max(key.start, frames.start), min(key.stop, frames.stop)
    return f"{record.number(start)}–{record.number(stop - 1)}" if start < stop else "none"


def _bar(key: KeyRecord, start: int, stop: int, lane: int, axis: _Axis, record: RunRecord) -> str:
    y = 2 + lane * _LANE
    told = f"key {key.number}: frames {record_range(record, key)}"
    dot = f'<circle class="key" cx="{axis.middle(key.index)}" cy="{y + 9}" r="4.5"/>'
    return (
        f'<g><title>{told}</title><rect class="range" x="{axis.edge(start)}" y="{y}" rx="4" '
        f'width="{axis.width(stop - start)}" height="18"/>'
        f"{dot if key.index in record.frames else ''}</g>"
    )
