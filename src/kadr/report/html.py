"""A run's record and its frames in; ``report.json`` and a ``report.html`` that needs nothing else.

The page loads nothing: style, script, chart and pictures are in it. Without its script it shows
the same, only that pictures stand side by side and the chart has no pointer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path, PurePath

from kadr.core.formatting import counted, duration, moment, percent, size
from kadr.files import atomic_file
from kadr.report.chart import error_chart, timeline
from kadr.report.pictures import Fetch, Picture, embed
from kadr.report.record import RunRecord, plain_values, write_record
from kadr.report.tables import keys_table, settings_list, timings_table

_SHOWN, _WORST = 8, 6
"""How many frames are shown as pictures: spread evenly, and of the largest error."""


def write_report(record: RunRecord, folder: Path, source: Fetch, made: Fetch) -> Path:
    """Write ``report.json`` and ``report.html`` into ``folder`` and give the page's path.

    source, made: give the filmed and the restyled frame at an index of the clip, (H, W, 3 or 4)
    uint8; asked in rising order for at most 15 frames, ``made`` only for frames that have been
    made. A frame that cannot be read is left out with a logged note. Raises OutputError.
    """
    apart = max(1, len(record.frames) // 40)
    worst, spread = record.worst(_WORST, apart), _spread(record)
    alone = [] if record.next_key is None else [record.next_key.index]
    filmed = [index for index in (*worst, *spread, *alone) if index in record.frames]
    pictures = {
        picture.index: picture for picture in embed(filmed, (*worst, *spread), source, made)
    }
    write_record(record, folder / "report.json")
    page = folder / "report.html"
    with atomic_file(page) as temporary:
        text = _page(record, worst, spread, pictures)
        temporary.write_text(text, encoding="utf-8", errors="replace")
    return page


def _spread(record: RunRecord) -> list[int]:
    """Some of the frames made, spread evenly."""
    made = [index for index in record.frames if record.error(index) is not None]
    if len(made) <= _SHOWN:
        return made
    return [made[int((at + 0.5) * len(made) / _SHOWN)] for at in range(_SHOWN)]


def _page(
    record: RunRecord,
    worst: Sequence[int],
    spread: Sequence[int],
    pictures: Mapping[int, Picture],
) -> str:
    name = PurePath(record.clip.path.replace("\\", "/")).name or record.clip.path
    body = "\n".join(
        [
            _header(record, name),
            _next(record, pictures),
            _notes(record),
            _errors(record, worst),
            _viewer(record, [pictures[at] for at in spread if at in pictures]),
            _worst(record, [pictures[at] for at in worst if at in pictures]),
            keys_table(record),
            timings_table(record),
            settings_list(record),
            f"<footer>Written by kadr {_text((record.versions or {}).get('kadr', ''))}. The same "
            "facts for programs are in report.json beside this page.</footer>",
        ]
    )
    # the page may neither load anything nor send anything
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{_text(name)}: kadr report</title>
<style>
{_asset("page.css")}</style>
</head>
<body>
{body}
<script id="facts" type="application/json">{_facts(record)}</script>
<script>
{_asset("page.js")}</script>
</body>
</html>
"""


def _asset(name: str) -> str:
    return resources.files("kadr.report").joinpath(name).read_text(encoding="utf-8")


def _text(value: object) -> str:
    return escape(str(value))


def _facts(record: RunRecord) -> str:
    """What the script needs, as JSON that cannot end the element that it stands in."""
    facts = {
        "first": record.first_frame,
        "numbers": record.numbers,
        "measured": [None if error is None else round(error, 5) for error in record.measured],
        "predicted": record.predicted and [round(error, 5) for error in record.predicted],
        "keys": plain_values(record.keys),
    }
    return json.dumps(facts, separators=(",", ":")).replace("<", "\\u003c")


def _header(record: RunRecord, name: str) -> str:
    clip, made, count = record.clip, record.made, len(record.frames)
    state = "" if record.finished else f" Stopped: {made} of {counted(count, 'frame')} made."
    output = f" Output: {_text(record.output)}." if record.output else ""
    when = f"{_text(moment(record.began))}. " if record.began else ""
    shape = f"{clip.width}×{clip.height}, {clip.frame_rate:.6g} frames a second"
    at_worst = "".join(
        f"at most {percent(record.error(index))}, frame {record.number(index)}"
        for index in record.worst(1)
    )
    reused = sum(step.reused for step in record.steps)
    pace = f"{record.seconds / made:.2f} s a frame" if made else ""
    pace = "with work kept from before" if reused else pace
    kept = f"work files {size(record.work_bytes)}" if record.work_bytes else ""
    facts = [
        ("Frames made", f"{made}", f"of {count}" if made != count else _frame_numbers(record)),
        (
            "Keys",
            f"{len(record.keys)}",
            f"{counted(len(record.shots), 'shot')}" * bool(record.shots),
        ),
        ("Mean error", percent(record.mean_error), at_worst),
        ("Time", duration(record.seconds), pace),
        ("Output", size(record.output_bytes) if record.output_bytes else "–", kept),
    ]
    cells = "".join(
        f"<div><dt>{label}</dt><dd>{value}<small>{more}</small></dd></div>"
        for label, value, more in facts
    )
    return f"""<header>
<p class="over">kadr report</p>
<h1>{_text(name)}</h1>
<p class="soft">{when}{shape}.{output}{state}</p>
<dl class="facts">{cells}</dl>
</header>"""


def _frame_numbers(record: RunRecord) -> str:
    return f"{record.numbers[0]}–{record.numbers[-1]}"


def _next(record: RunRecord, pictures: Mapping[int, Picture]) -> str:
    """The one thing to do next, if anything is."""
    step = record.next_key
    if step is None:
        return ""
    picture = pictures.get(step.index)
    image = ""
    if picture is not None and picture.filmed is not None:
        image = f'<img src="{picture.filmed}" alt="Frame {step.number} as filmed">'
    change = ""
    if record.mean_error is not None:
        lower = max(0.0, record.mean_error - step.gain)
        change = (
            f" It should lower the mean error from {percent(record.mean_error)} "
            f"to about {percent(lower)}."
        )
    return (
        f'<section class="next" aria-label="Next frame to paint">{image}<p><strong>Paint frame '
        f"{step.number} next.</strong>{change} Save it in the keys folder under that number and "
        "run again: only what depends on it is made anew.</p></section>"
    )


def _notes(record: RunRecord) -> str:
    if not record.notes:
        return ""
    lines = "".join(f"<li>{_text(note)}</li>" for note in record.notes)
    return f'<ul class="notes" aria-label="Notes">{lines}</ul>'


def _errors(record: RunRecord, worst: Sequence[int]) -> str:
    stroke = '<svg width="26" height="12" aria-hidden="true"><line x1="0" x2="26" y1="6" y2="6"'
    legend = [f'{stroke} class="measured"/></svg>measured error']
    if record.predicted is not None:
        most = percent(max(record.predicted))
        legend.append(f'{stroke} class="predicted"/></svg>expected by the plan, its peak is {most}')
    dot = '<svg width="12" height="12" aria-hidden="true"><circle cx="6" cy="6"'
    legend.append(f'{dot} r="4" class="key"/></svg>key')
    if worst:
        legend.append(f'{dot} r="4.5" class="ring"/></svg>worst frames, shown below')
    if len(record.shots) > 1:
        legend.append(f'{stroke} class="cut"/></svg>cut')
    items = "".join(f"<li>{item}</li>" for item in legend)
    return f"""<section>
<h2>Error of each frame</h2>
<p class="lead">How much of a frame its keys do not explain, measured while it was made.
A hill between two keys is where one more painted frame helps; the bars show which frames each key
styles.</p>
<div class="plot">{error_chart(record, worst)}{timeline(record)}<div class="pointer" hidden></div>
<input type="range" min="0" max="{len(record.frames) - 1}" value="0" step="1" hidden
 aria-label="Frame to read the error of"></div>
<p class="readout" aria-live="polite"></p>
<ul class="legend">{items}</ul>
</section>"""


def _viewer(record: RunRecord, pictures: Sequence[Picture]) -> str:
    if not pictures:
        return ""
    first = pictures[0]
    ratio = f"--ratio:{first.width / first.height:.4f}"
    items = "".join(_pair(record, picture) for picture in pictures)
    return f"""<section>
<h2>Filmed and painted</h2>
<p class="lead">Drag across the picture to compare.</p>
<div class="look" style="{ratio}"><div class="viewer"><div class="compare">
<img class="made" alt=""><img class="filmed" alt=""><span class="edge"></span>
<span class="side left">filmed</span><span class="side right">painted</span>
<input type="range" min="0" max="100" step="0.5" value="50"
 aria-label="How much of the filmed frame is shown, in per cent">
</div><p class="soft" aria-live="polite"></p></div>
<ol class="pairs strip">{items}</ol></div>
</section>"""


def _worst(record: RunRecord, pictures: Sequence[Picture]) -> str:
    if not pictures:
        return ""
    items = "".join(_pair(record, picture) for picture in pictures)
    upright = " upright" if pictures[0].width < pictures[0].height else ""
    return f"""<section>
<h2>Worst frames</h2>
<p class="lead">The largest errors, a little apart from one another. Look here first.</p>
<ol class="pairs worst{upright}">{items}</ol>
</section>"""


def _pair(record: RunRecord, picture: Picture) -> str:
    """A frame as filmed and as made, side by side, that the viewer takes up when pressed."""
    number, sides = record.number(picture.index), []
    told = {"filmed": (picture.filmed, "as filmed"), "made": (picture.made, "as painted")}
    for name, (uri, how) in told.items():
        if uri is not None:
            sides.append(
                f'<img class="{name}" src="{uri}" alt="Frame {number} {how}" '
                f'width="{picture.width}" height="{picture.height}">'
            )
    is_key = any(key.index == picture.index for key in record.keys)
    error = f'<span class="share">{percent(record.error(picture.index))}</span>'
    return (
        f'<li><button type="button" data-index="{picture.index}" aria-pressed="false">'
        f'<span class="images{" single" if len(sides) == 1 else ""}">{"".join(sides)}</span>'
        f'<span class="caption"><b>{number}</b> {error}{" key" if is_key else ""}</span>'
        "</button></li>"
    )
