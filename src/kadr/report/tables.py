"""Tables of keyframes, times and settings for the report page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from kadr.core.formatting import duration, percent, printable
from kadr.core.frames import FrameRange
from kadr.report.chart import record_range
from kadr.report.record import KeyRecord, RunRecord

_MOST_RANGES = 20
"""Ranges of a worker that the page names; all of them are in report.json."""


def keys_table(record: RunRecord) -> str:
    rows = []
    for key in sorted(record.keys, key=lambda key: key.index):
        mean, worst = _range_errors(record, key)
        rows.append(
            f'<tr><th scope="row">{key.number}</th><td>{record_range(record, key)}</td>'
            f'<td class="n">{key.stop - key.start}</td><td class="n">{mean}</td>'
            f'<td class="n">{worst}</td></tr>'
        )
    head = _table_head("Keyframe", "Styles frames", "Count", "Mean error", "Largest error")
    return f"<section><h2>Keyframes</h2>{_table(head, rows)}</section>"


def _table_head(*names: str) -> str:
    """Column headers; those of numbers, all but the first two, are right-aligned."""
    return "".join(
        f'<th scope="col"{" class=n" if column > 1 else ""}>{name}</th>'
        for column, name in enumerate(names)
    )


def _table(head: str, rows: Sequence[str]) -> str:
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _range_errors(record: RunRecord, key: KeyRecord) -> tuple[str, str]:
    """Mean error and largest error of the frames that a key styles."""
    frames = record.frames
    key_frames = range(max(key.start, frames.start), min(key.stop, frames.stop))
    errors = [(error, index) for index in key_frames if (error := record.error(index)) is not None]
    if not errors:
        return "–", "–"
    largest, index = max(errors)
    mean = sum(error for error, _ in errors) / len(errors)
    return percent(mean), f"{percent(largest)} at {record.number(index)}"


def timings_table(record: RunRecord) -> str:
    if not record.steps:
        return ""
    longest = max(step.seconds for step in record.steps) or 1.0
    rows = [
        f'<tr><th scope="row">{escape(step.name)}</th><td class="bar" aria-hidden="true">'
        f'<span style="width:{step.seconds / longest:.1%}"></span></td>'
        f'<td class="n">{duration(step.seconds)}</td><td class="n">{step.computed}</td>'
        f'<td class="n">{step.reused}</td></tr>'
        for step in record.steps
    ]
    head = _table_head("Step", "", "Time", "Computed", "Reused")
    return f"""<section>
<h2>Time</h2>
<p class="lead">Steps run in parallel, so the sum of their times can be longer than the
whole run, which took {duration(record.seconds)}.</p>
{_table(head, rows)}
</section>"""


def stages_table(record: RunRecord) -> str:
    """Seconds of a core by stage: of each step the longest stage first."""
    if not record.stages:
        return ""
    order = {step.name: number for number, step in enumerate(record.steps)}
    stages = sorted(
        record.stages,
        key=lambda item: (order.get(item.step, len(order)), item.step, -item.seconds),
    )
    longest = max(item.seconds for item in stages) or 1.0
    rows = []
    for item in stages:
        computed = record.computed(item.step)
        each = f"{1000 * item.seconds / computed:.1f} ms" if computed else "–"
        rows.append(
            f'<tr><th scope="row">{escape(item.step)}: {escape(item.name or "rest")}</th>'
            f'<td class="bar" aria-hidden="true">'
            f'<span style="width:{item.seconds / longest:.1%}"></span></td>'
            f'<td class="n">{item.seconds:.2f} s</td><td class="n">{each}</td></tr>'
        )
    head = _table_head("Stage", "", "Time of a core", "For each computed")
    total = math.fsum(item.seconds for item in stages)
    return f"""<section>
<h2>Time by stage</h2>
<p class="lead">Seconds of a core, added over all processes and threads: {total:.1f} s together.
Waiting does not count. “other” is what runs outside of the steps: starting processes, and threads
of FFmpeg and OpenCV.</p>
{_table(head, rows)}
</section>"""


def workers_table(record: RunRecord) -> str:
    """Which worker made which frames, by frame number; "" if none was needed."""
    if not record.workers:
        return ""
    rows = [
        f'<tr><th scope="row">{escape(item.name)}</th><td>{escape(item.step)}</td>'
        f'<td class="n">{sum(map(len, item.frames))}</td>'
        f'<td class="n">{escape(_ranges_text(record, item.frames))}</td></tr>'
        for item in record.workers
    ]
    head = _table_head("Worker", "Step", "Count", "Frames")
    return f"""<section>
<h2>Workers</h2>
<p class="lead">Executor: {escape(record.executor)}. Frames that were made in this run; one
frame may be made from several keys.</p>
{_table(head, rows)}
</section>"""


def _ranges_text(record: RunRecord, ranges: Sequence[FrameRange]) -> str:
    """Frame numbers, both ends included, of the first ranges."""
    texts = [
        f"{record.number(frames.start)}–{record.number(frames.stop - 1)}"
        for frames in ranges[:_MOST_RANGES]
    ]
    more = len(ranges) - len(texts)
    return ", ".join(texts) + (f" and {more} more" if more else "")


def settings_list(record: RunRecord) -> str:
    groups = []
    for title, values in (("Options", record.options), ("Versions", record.versions)):
        if values:
            rows = "".join(
                f"<div><dt>{escape(printable(name))}</dt><dd>{escape(printable(value))}</dd></div>"
                for name, value in _flatten(values)
            )
            open_attribute = " open" if title == "Options" else ""
            groups.append(
                f"<details{open_attribute}><summary>{title}</summary>"
                f'<dl class="settings">{rows}</dl></details>'
            )
    if record.clip.identity:
        groups.append(f'<p class="soft">Clip {escape(record.clip.identity)}</p>')
    return f"<section><h2>Settings</h2>{''.join(groups)}</section>" if groups else ""


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Names and values as lines; nested values get the outer name as a prefix; None is skipped."""
    for name, value in values.items():
        label = prefix + name.replace("_", " ")
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{label}: ")
        elif isinstance(value, bool):
            yield label, "yes" if value else "no"
        elif isinstance(value, list) and any(map(_is_nested, value)):
            for number, item in enumerate(value, start=1):
                yield from _flatten(item, f"{label} {number}: ")
        elif isinstance(value, list):
            if value:
                yield label, ", ".join(_item_text(item) for item in value)
        elif value is not None:
            yield label, f"{value:g}" if isinstance(value, float) else str(value)


def _is_nested(value: Any) -> bool:
    """Whether a value holds names and values of which some hold others, as a range does."""
    return isinstance(value, Mapping) and any(
        isinstance(inner, Mapping) for inner in value.values()
    )


def _item_text(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{name} {inner}" for name, inner in value.items())
    return str(value)
