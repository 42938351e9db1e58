"""Parts of a line chart as SVG: axes, gridlines, curves over frames, keyframes, frame numbers.

Horizontal positions are percentages, so that a chart fills any width with text of constant size;
only the curve, in a nested SVG, is stretched.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

_MAX_POINTS = 1200
TOP, HEIGHT = 26, 200
"""Heights in pixels: of the labels above the plot, and of the plot."""
_LABEL_ROOM = {"": 4.0, "wide-only": 13.0}
"""Per cent of the width that a label needs, on wide screens and on phones."""

Keys = Sequence[tuple[int, int]]
"""(index, number) of keyframes, in order."""


@dataclass(frozen=True)
class Axis:
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


@dataclass(frozen=True)
class Scale:
    """Values at the bottom and at the top of a plot, and those to draw lines at."""

    bottom: float
    top: float
    ticks: Sequence[float]

    @classmethod
    def of(cls, smallest: float, largest: float) -> Scale:
        """A scale with 2 to 5 readable steps; it begins at 0 unless values are negative."""
        bottom = min(0.0, smallest)
        extent = max(largest - bottom, 0.002)
        power = 10.0 ** math.floor(math.log10(extent))
        step = next(
            power * factor for factor in (0.2, 0.25, 0.5, 1, 2, 5) if power * factor * 5 >= extent
        )
        low = math.floor(bottom / step + 1e-9)
        high = max(low + 1, math.ceil(largest / step - 1e-9))
        return cls(step * low, step * high, [step * count for count in range(low + 1, high + 1)])

    def share(self, value: float) -> float:
        """Height of a value, 0 at the bottom to 1 at the top."""
        return (value - self.bottom) / (self.top - self.bottom)

    def y(self, value: float) -> float:
        """Position in pixels from the top of the chart."""
        return TOP + HEIGHT * (1 - self.share(value))


def gridlines(scale: Scale, label: Callable[[float], str]) -> Iterator[str]:
    """A line at the bottom, and one with a label at each tick."""
    base = TOP + HEIGHT
    yield f'<line class="base" x1="0" x2="100%" y1="{base}" y2="{base}"/>'
    for tick in scale.ticks:
        y = scale.y(tick)
        yield f'<line class="grid" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="tick" x="-7" y="{y + 4:.1f}">{label(tick)}</text>'


def plot_area(count: int, paths: Sequence[str]) -> str:
    """The nested SVG that stretches ``paths`` over the width; count: points of the curves."""
    return (
        f'<svg y="{TOP}" width="100%" height="{HEIGHT}" viewBox="0 0 {count} 1000" '
        f'preserveAspectRatio="none">{"".join(paths)}</svg>'
    )


def curve_paths(
    values: Sequence[float | None], scale: Scale, kind: str, *, area: bool = False
) -> list[str]:
    """A line through the values of class ``kind`` for ``plot_area``, with gaps where None is."""
    paths = []
    for start, segment in _segments(values):
        line = curve_line(start, [scale.share(value) for value in segment])
        if area:
            paths.append(f'<path class="area" d="{line} V1000 H{start} Z"/>')
        paths.append(f'<path class="{kind}" d="{line}"/>')
    return paths


def thin_out(
    errors: Sequence[float | None], pick: Callable[[Sequence[float]], float] = max
) -> list[float | None]:
    """At most 1200 values: of each group the one that ``pick`` takes, so that no peak is lost."""
    step = max(1, -(-len(errors) // _MAX_POINTS))
    groups = (errors[position : position + step] for position in range(0, len(errors), step))
    measured = ([error for error in group if error is not None] for group in groups)
    return [pick(group) if group else None for group in measured]


def _segments(errors: Sequence[float | None]) -> Iterator[tuple[int, list[float]]]:
    """Segments without a gap, each with its start."""
    position = 0
    for is_rendered, group in groupby(errors, key=lambda error: error is not None):
        stretch = list(group)
        if is_rendered:
            yield position, [error for error in stretch if error is not None]
        position += len(stretch)


def curve_line(start: int, heights: Sequence[float]) -> str:
    """A path through the middle of each frame, level to the outer edges; heights 0–1."""
    ys = [f"{1000 * (1 - height):.0f}" for height in heights]
    middle = " ".join(f"L{start + position + 0.5} {y}" for position, y in enumerate(ys))
    return f"M{start} {ys[0]} {middle} L{start + len(ys)} {ys[-1]}"


def key_marks(keys: Keys, axis: Axis) -> Iterator[str]:
    """A line for each keyframe, with its number where there is room."""
    labels = dict(_key_labels(keys, axis))
    for index, number in keys:
        x = axis.middle(index)
        yield (
            f'<line class="key" x1="{x}" x2="{x}" y1="{TOP - 6}" y2="{TOP + HEIGHT}">'
            f"<title>keyframe {number}</title></line>"
        )
        yield f'<circle class="key" cx="{x}" cy="{TOP - 6}" r="3.5"/>'
        if index in labels:
            end = _text_anchor(index, axis)
            yield (f'<text class="key {labels[index]}" x="{x}" y="{TOP - 14}"{end}>{number}</text>')


def _text_anchor(index: int, axis: Axis) -> str:
    """Text anchor that keeps labels near an end inside the chart."""
    position = (index + 0.5 - axis.first) / axis.count
    return (
        "" if 0.03 < position < 0.97 else f' text-anchor="{"start" if position < 0.5 else "end"}"'
    )


def _key_labels(keys: Keys, axis: Axis) -> Iterator[tuple[int, str]]:
    """Keys with enough room for a label, and its class: "" is also shown on phones."""
    last = dict.fromkeys(_LABEL_ROOM, -math.inf)
    for index, _ in keys:
        position = (index - axis.first) / axis.count * 100
        if position - last[""] < _LABEL_ROOM[""]:
            continue
        last[""] = position
        narrow = position - last["wide-only"] < _LABEL_ROOM["wide-only"]
        if not narrow:
            last["wide-only"] = position
        yield index, "wide-only" if narrow else ""


def frame_numbers_below(numbers: Sequence[int], axis: Axis) -> Iterator[str]:
    """At most five frame numbers below the plot."""
    for position in _label_positions(len(numbers)):
        x, end = axis.middle(axis.first + position), _text_anchor(axis.first + position, axis)
        yield (
            f'<text class="number" x="{x}" y="{TOP + HEIGHT + 18}"{end}>{numbers[position]}</text>'
        )


def _label_positions(count: int) -> list[int]:
    """Positions of the frame numbers below the plot: at most five, evenly spaced."""
    if count < 5:
        return list(range(count))
    return [round(position * (count - 1) / 4) for position in range(5)]
