"""A run's record in; its keys, times and settings out as parts of a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from kadr.core.formatting import duration, percent
from kadr.report.chart import record_range
from kadr.report.record import KeyRecord, RunRecord


def keys_table(record: RunRecord) -> str:
    rows = []
    for key in sorted(record.keys, key=lambda key: key.index):
        mean, worst = _of_range(record, key)
        rows.append(
            f'<tr><th scope="row">{key.number}</th><td>{record_range(record, key)}</td>'
            f'<td class="n">{key.stop - key.start}</td><td class="n">{mean}</td>'
            f'<td class="n">{worst}</td></tr>'
        )
    head = _head("Key", "Styles frames", "Count", "Mean error", "Worst")
    return f"<section><h2>Keys</h2>{_table(head, rows)}</section>"


def _head(*names: str) -> str:
    """Heads of columns; those of numbers, all but the first two, stand to the right."""
    return "".join(
        f'<th scope="col"{" class=n" if at > 1 else ""}>{name}</th>'
        for at, name in enumerate(names)
    )


def _table(head: str, rows: Sequence[str]) -> str:
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _of_range(record: RunRecord, key: KeyRecord) -> tuple[str, str]:
    """Mean error and worst frame among the frames that a key styles."""
    frames = record.frames
    own = range(max(key.start, frames.start), min(key.stop, frames.stop))
    errors = [(error, index) for index in own if (error := record.error(index)) is not None]
    if not errors:
        return "–", "–"
    most, index = max(errors)
    mean = sum(error for error, _ in errors) / len(errors)
    return percent(mean), f"{percent(most)} at {record.number(index)}"


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
    head = _head("Step", "", "Time", "Made", "Kept from before")
    return f"""<section>
<h2>Time</h2>
<p class="lead">Steps run side by side on several cores, so their times may add up to more than the
whole run, which took {duration(record.seconds)}.</p>
{_table(head, rows)}
</section>"""


def settings_list(record: RunRecord) -> str:
    groups = []
    for title, values in (("Options", record.options), ("Versions", record.versions)):
        if values:
            rows = "".join(
                f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
                for name, value in _flat(values)
            )
            opened = " open" if title == "Options" else ""
            groups.append(
                f"<details{opened}><summary>{title}</summary>"
                f'<dl class="settings">{rows}</dl></details>'
            )
    if record.clip.identity:
        groups.append(f'<p class="soft">Clip {escape(record.clip.identity)}</p>')
    return f"<section><h2>Settings</h2>{''.join(groups)}</section>" if groups else ""


def _flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Names and values as lines; what is inside another is named after it; nothing for None."""
    for name, value in values.items():
        called = before + name.replace("_", " ")
        if isinstance(value, Mapping):
            yield from _flat(value, f"{called}: ")
        elif isinstance(value, bool):
            yield called, "yes" if value else "no"
        elif isinstance(value, list):
            if value:
                yield called, ", ".join(_inner(item) for item in value)
        elif value is not None:
            yield called, f"{value:g}" if isinstance(value, float) else str(value)


def _inner(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{name} {inner}" for name, inner in value.items())
    return str(value)
