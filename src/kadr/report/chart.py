"""Draw charts of a run as SVG: the error of each frame, and the keyframes with their ranges."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from html import escape
from itertools import groupby

from kadr.core.formatting import counted, percent
from kadr.report.line_chart import (
    HEIGHT,
    TOP,
    Axis,
    Scale,
    curve_line,
    curve_paths,
    frame_numbers_below,
    gridlines,
    key_marks,
    plot_area,
    thin_out,
)
from kadr.report.record import KeyRecord, RunRecord

_LANE, _MAX_LANES = 24, 6


def error_chart(record: RunRecord, marked: Collection[int] = ()) -> str:
    """An SVG of the measured error of each frame, with keyframes, cuts and the estimated error.

    marked: indices of frames to mark with a ring.
    """
    axis = Axis(record.first_frame, len(record.frames))
    errors = [error for error in record.measured if error is not None]
    scale = Scale.of(0.0, max(errors, default=0.0))
    parts = [
        *_shots(record, axis),
        *gridlines(scale, lambda tick: f"{tick * 100:.3g} %"),
        *_missing(record, axis),
        _curves(record, scale),
        *key_marks(_key_numbers(record), axis),
        *_rings(record, axis, scale, marked),
        *frame_numbers_below(record.numbers, axis),
    ]
    return (
        f'<svg class="chart" role="img" width="100%" height="{TOP + HEIGHT + 26}" '
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


def _shots(record: RunRecord, axis: Axis) -> Iterator[str]:
    """A background for every second shot; a line at each cut."""
    frames = record.frames
    inside = [s for s in record.shots if s.start < frames.stop and frames.start < s.stop]
    for position, shot in enumerate(inside):
        start, stop = max(shot.start, frames.start), min(shot.stop, frames.stop)
        x = axis.edge(start)
        if position % 2:
            width = axis.width(stop - start)
            yield f'<rect class="shot" x="{x}" y="{TOP}" width="{width}" height="{HEIGHT}"/>'
        if start > frames.start:
            yield (
                f'<line class="cut" x1="{x}" x2="{x}" y1="{TOP}" y2="{TOP + HEIGHT}">'
                f"<title>cut before frame {record.number(start)}</title></line>"
            )


def _missing(record: RunRecord, axis: Axis) -> Iterator[str]:
    position = record.first_frame
    for is_rendered, errors in groupby(record.measured, key=lambda error: error is not None):
        count = len(list(errors))
        if not is_rendered:
            yield (
                f'<rect class="missing" x="{axis.edge(position)}" y="{TOP}" '
                f'width="{axis.width(count)}" height="{HEIGHT}">'
                f"<title>{counted(count, 'frame')} not rendered</title></rect>"
            )
        position += count


def _curves(record: RunRecord, scale: Scale) -> str:
    """The measured error as an area with a line, the estimated error as a dashed line."""
    measured = thin_out(record.measured)
    paths = curve_paths(measured, scale, "measured", area=True)
    largest = max(record.predicted or (0.0,))
    if record.predicted is not None and largest > 0:
        shape = [error / largest for error in thin_out(record.predicted) if error is not None]
        paths.append(f'<path class="predicted" d="{curve_line(0, shape)}"/>')
    return plot_area(len(measured), paths)


def _key_numbers(record: RunRecord) -> list[tuple[int, int]]:
    return [(key.index, key.number) for key in _keys_inside(record)]


def _keys_inside(record: RunRecord) -> list[KeyRecord]:
    """Keys among the frames of the run, in order."""
    return sorted((key for key in record.keys if key.index in record.frames), key=lambda k: k.index)


def _rings(record: RunRecord, axis: Axis, scale: Scale, marked: Collection[int]) -> Iterator[str]:
    for index in sorted(marked):
        error = record.error(index)
        if error is not None:
            x = axis.middle(index)
            yield (
                f'<circle class="ring" cx="{x}" cy="{scale.y(error):.1f}" r="4.5">'
                f"<title>frame {record.number(index)}: {percent(error)}</title></circle>"
            )


def timeline(record: RunRecord) -> str:
    """An SVG of the frames that each key styles: one bar for each key, overlaps in lanes."""
    axis = Axis(record.first_frame, len(record.frames))
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


def _bar(key: KeyRecord, start: int, stop: int, lane: int, axis: Axis, record: RunRecord) -> str:
    y = 2 + lane * _LANE
    title = f"keyframe {key.number}: frames {record_range(record, key)}"
    dot = f'<circle class="key" cx="{axis.middle(key.index)}" cy="{y + 9}" r="4.5"/>'
    return (
        f'<g><title>{title}</title><rect class="range" x="{axis.edge(start)}" y="{y}" rx="4" '
        f'width="{axis.width(stop - start)}" height="18"/>'
        f"{dot if key.index in record.frames else ''}</g>"
    )
