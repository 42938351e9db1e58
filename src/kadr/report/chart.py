"""Draw charts of a run as SVG: the error of each frame, and the keyframes with their ranges.

Horizontal positions are percentages, so that a chart fills any width with text of constant size;
only the curve, in a nested SVG, is stretched.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from kadr.core.formatting import counted, percent
from kadr.report.record import KeyRecord, RunRecord

_MAX_POINTS = 1200
_TOP, _HEIGHT = 26, 200
"""Heights in pixels: of the labels above the plot, and of the plot."""
_LANE, _MAX_LANES = 24, 6
_LABEL_ROOM = {"": 4.0, "wide-only": 13.0}
"""Per cent of the width that a label needs, on wide screens and on phones."""


@dataclass(frozen=True)
class _Axis:
    """Horizontal positions of frames, in per cent of the width."""

    first: int
    count: int

    def edge(self, index: float) -> str:
        """The left edge of a frame."""
        return f"{(index - self.first) / self.count * 100:.3f}%"

    def middle(self, index: int) -> str:
        """The middle of a frame."""
        return self.edge(index + 0.5)

    def width(self, frames: int) -> str:
        """The width of this many frames."""
        return f"{frames / self.count * 100:.3f}%"


def error_chart(record: RunRecord, marked: Collection[int] = ()) -> str:
    """An SVG of the measured error of each frame, with keyframes, cuts and the estimated error.

    marked: indices of frames to mark with a ring.
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
        f'aria-label="{escape(_description(record))}">{"".join(parts)}</svg>'
    )


def _description(record: RunRecord) -> str:
    worst = record.worst(1)
    if not worst:
        return "Error of each frame: no frame is rendered yet"
    numbers = ", ".join(str(key.number) for key in record.keys)
    return (
        f"Error of each frame, {record.numbers[0]} to {record.numbers[-1]}: on average "
        f"{percent(record.mean_error)}, at worst {percent(record.error(worst[0]))} at frame "
        f"{record.number(worst[0])}; keyframes at {numbers}"
    )


def _scale(largest: float) -> tuple[float, list[float]]:
    """The top of the scale and the errors to draw lines at: readable steps, 2 to 5."""
    largest = max(largest, 0.002)
    power = 10.0 ** math.floor(math.log10(largest))
    step = next(
        power * factor for factor in (0.2, 0.25, 0.5, 1, 2, 5) if power * factor * 5 >= largest
    )
    count = math.ceil(largest / step - 1e-9)
    return step * count, [step * position for position in range(1, count + 1)]


def _y(error: float, top: float) -> float:
    return _TOP + _HEIGHT * (1 - error / top)


def _shots(record: RunRecord, axis: _Axis) -> Iterator[str]:
    """A background for every second shot; a line at each cut."""
    frames = record.frames
    inside = [s for s in record.shots if s.start < frames.stop and frames.start < s.stop]
    for position, shot in enumerate(inside):
        start, stop = max(shot.start, frames.start), min(shot.stop, frames.stop)
        x = axis.edge(start)
        if position % 2:
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
    position = record.first_frame
    for is_rendered, errors in groupby(record.measured, key=lambda error: error is not None):
        count = len(list(errors))
        if not is_rendered:
            yield (
                f'<rect class="missing" x="{axis.edge(position)}" y="{_TOP}" '
                f'width="{axis.width(count)}" height="{_HEIGHT}">'
                f"<title>{counted(count, 'frame')} not rendered</title></rect>"
            )
        position += count


def _curves(record: RunRecord, top: float) -> str:
    """The measured error as an area with a line, the estimated error as a dashed line."""
    measured = _thin_out(record.measured)
    paths = []
    for start, errors in _segments(measured):
        line = _line(start, [error / top for error in errors])
        paths.append(f'<path class="area" d="{line} V1000 H{start} Z"/>')
        paths.append(f'<path class="measured" d="{line}"/>')
    largest = max(record.predicted or (0.0,))
    if record.predicted is not None and largest > 0:
        shape = [error / largest for error in _thin_out(record.predicted) if error is not None]
        paths.append(f'<path class="predicted" d="{_line(0, shape)}"/>')
    return (
        f'<svg y="{_TOP}" width="100%" height="{_HEIGHT}" viewBox="0 0 {len(measured)} 1000" '
        f'preserveAspectRatio="none">{"".join(paths)}</svg>'
    )


def _thin_out(errors: Sequence[float | None]) -> list[float | None]:
    """At most ``_MAX_POINTS`` errors: the largest of each group, so that no peak is lost."""
    step = -(-len(errors) // _MAX_POINTS)
    groups = (errors[position : position + step] for position in range(0, len(errors), step))
    measured = ([error for error in group if error is not None] for group in groups)
    return [max(group, default=None) for group in measured]


def _segments(errors: Sequence[float | None]) -> Iterator[tuple[int, list[float]]]:
    """Segments without a gap, each with its start."""
    position = 0
    for is_rendered, group in groupby(errors, key=lambda error: error is not None):
        stretch = list(group)
        if is_rendered:
            yield position, [error for error in stretch if error is not None]
        position += len(stretch)


def _line(start: int, heights: Sequence[float]) -> str:
    """A path through the middle of each frame, level to the outer edges; heights 0–1."""
    ys = [f"{1000 * (1 - height):.0f}" for height in heights]
    middle = " ".join(f"L{start + position + 0.5} {y}" for position, y in enumerate(ys))
    return f"M{start} {ys[0]} {middle} L{start + len(ys)} {ys[-1]}"


def _keys(record: RunRecord, axis: _Axis) -> Iterator[str]:
    labels = dict(_key_labels(record, axis))
    for key in _keys_inside(record):
        x = axis.middle(key.index)
        yield (
            f'<line class="key" x1="{x}" x2="{x}" y1="{_TOP - 6}" y2="{_TOP + _HEIGHT}">'
            f"<title>keyframe {key.number}</title></line>"
        )
        yield f'<circle class="key" cx="{x}" cy="{_TOP - 6}" r="3.5"/>'
        if key.index in labels:
            end = _text_anchor(key.index, axis)
            yield (
                f'<text class="key {labels[key.index]}" x="{x}" y="{_TOP - 14}"{end}>'
                f"{key.number}</text>"
            )


def _keys_inside(record: RunRecord) -> list[KeyRecord]:
    """Keys among the frames of the run, in order."""
    return sorted((key for key in record.keys if key.index in record.frames), key=lambda k: k.index)


def _text_anchor(index: int, axis: _Axis) -> str:
    """Text anchor that keeps labels near an end inside the chart."""
    position = (index + 0.5 - axis.first) / axis.count
    return (
        "" if 0.03 < position < 0.97 else f' text-anchor="{"start" if position < 0.5 else "end"}"'
    )


def _key_labels(record: RunRecord, axis: _Axis) -> Iterator[tuple[int, str]]:
    """Keys with enough room for a label, and its class: "" is also shown on phones."""
    last = dict.fromkeys(_LABEL_ROOM, -math.inf)
    for key in _keys_inside(record):
        position = (key.index - axis.first) / axis.count * 100
        if position - last[""] < _LABEL_ROOM[""]:
            continue
        last[""] = position
        narrow = position - last["wide-only"] < _LABEL_ROOM["wide-only"]
        if not narrow:
            last["wide-only"] = position
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
    for position in _label_positions(len(record.frames)):
        x, end = axis.middle(axis.first + position), _text_anchor(axis.first + position, axis)
        yield (
            f'<text class="number" x="{x}" y="{_TOP + _HEIGHT + 18}"{end}>'
            f"{record.numbers[position]}</text>"
        )


def _label_positions(count: int) -> list[int]:
    """Positions of the frame numbers below the plot: at most five, evenly spaced."""
    if count < 5:
        return list(range(count))
    return [round(position * (count - 1) / 4) for position in range(5)]


def timeline(record: RunRecord) -> str:
    """An SVG of the frames that each key styles: one bar for each key, overlaps in lanes."""
    axis = _Axis(record.first_frame, len(record.frames))
    lanes: list[int] = []
    bars = []
    for key in sorted(record.keys, key=lambda key: (key.start, key.stop)):
        start, stop = max(key.start, axis.first), min(key.stop, axis.first + axis.count)
        if start >= stop:
            continue
        lane = next((position for position, end in enumerate(lanes) if end <= start), len(lanes))
        lanes[lane : lane + 1] = [stop]
        bars.append(_bar(key, start, stop, lane % _MAX_LANES, axis, record))
    height = _LANE * min(_MAX_LANES, max(1, len(lanes))) + 4
    description = "; ".join(
        f"keyframe {key.number} styles {record_range(record, key)}" for key in _keys_inside(record)
    )
    return (
        f'<svg class="timeline" role="img" width="100%" height="{height}" '
        f'aria-label="{escape(description)}">{"".join(bars)}</svg>'
    )


def record_range(record: RunRecord, key: KeyRecord) -> str:
    """``1001–1024``: the frame numbers that a key styles, both ends included."""
    frames = record.frames
    start, stop = max(key.start, frames.start), min(key.stop, frames.stop)
    return f"{record.number(start)}–{record.number(stop - 1)}" if start < stop else "none"


def _bar(key: KeyRecord, start: int, stop: int, lane: int, axis: _Axis, record: RunRecord) -> str:
    y = 2 + lane * _LANE
    title = f"keyframe {key.number}: frames {record_range(record, key)}"
    dot = f'<circle class="key" cx="{axis.middle(key.index)}" cy="{y + 9}" r="4.5"/>'
    return (
        f'<g><title>{title}</title><rect class="range" x="{axis.edge(start)}" y="{y}" rx="4" '
        f'width="{axis.width(stop - start)}" height="18"/>'
        f"{dot if key.index in record.frames else ''}</g>"
    )
