"""Measures in; the lines of a table for people out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kadr.measure.summary import Measure

_HEAD = ("", "mean", "worst", "frame", "beside it", "ratio", "better")


def table_lines(measures: Mapping[str, Measure], numbers: Sequence[int]) -> list[str]:
    """One line for each measure, and a head; numbers: of the frames, for the worst one."""
    rows = [_HEAD, *(measure_cells(measure, numbers) for measure in measures.values())]
    whole = [row for row in rows if len(row) == len(_HEAD)]
    widths = [max(len(row[column]) for row in whole) for column in range(len(_HEAD))]
    widths[0] = max(len(row[0]) for row in rows)
    return [_line(row, widths) for row in rows]


def measure_cells(measure: Measure, numbers: Sequence[int]) -> tuple[str, ...]:
    """Label, mean, worst, its frame, what it is compared with, ratio, direction; or label, why."""
    if measure.mean is None:
        return (measure.label, f"not measured: {measure.missing}")
    worst_number = "" if measure.worst_position is None else str(numbers[measure.worst_position])
    beside = ""
    if measure.beside is not None:
        beside = f"{measure.beside_name} {format_value(measure, measure.beside)}"
    return (
        measure.label,
        format_value(measure, measure.mean),
        format_value(measure, measure.worst),
        worst_number,
        beside,
        "" if measure.ratio is None else f"{measure.ratio:.2f}",
        measure.better,
    )


def format_value(measure: Measure, value: float | None) -> str:
    """A value with its unit, such as ``1.24 levels`` or ``36.1 dB``; a dash for None."""
    if value is None:
        return "–"
    if measure.unit == "dB":
        return f"{value:.1f} dB"
    if measure.unit == "×":
        return f"{value:.2f}×"
    if measure.unit == "levels":
        return f"{value:.2f}"
    if measure.name == "ghosting":
        return f"{value * 100:.1f} %"
    return f"{value:.3f}"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    label = row[0].ljust(widths[0])
    if len(row) < len(_HEAD):
        return f"{label}  {row[1]}"
    cells = [cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:-1], strict=True)]
    return "  ".join([label, *cells, row[-1]]).rstrip()
