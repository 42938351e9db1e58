"""Write ``report.json`` and a self-contained ``report.html`` from the record of a run.

The page loads nothing: style sheet, script, chart and images are part of it. Without the script it
shows the same data, with images side by side and no pointer in the chart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath

from kadr.core.formatting import counted, date, duration, percent, size
from kadr.files import atomic_file
from kadr.report.chart import error_chart, timeline
from kadr.report.document import PageCurve, html_document, html_text
from kadr.report.record import RunRecord, plain_values, write_record
from kadr.report.tables import keys_table, settings_list, stages_table, timings_table
from kadr.report.thumbnails import FrameThumbnails, GetFrame, make_thumbnails
from kadr.report.viewer import ViewerFrame, frame_item, viewer_section

_SPREAD_COUNT, _WORST_COUNT = 8, 6
"""Number of frames shown as images: evenly spread, and with the largest error."""


def write_report(
    record: RunRecord, folder: Path, get_original: GetFrame, get_result: GetFrame
) -> Path:
    """Write ``report.json`` and ``report.html`` into ``folder`` and return the page's path.

    get_original, get_result: return the original and the restyled frame at an index of the clip,
    (H, W, 3 or 4) uint8; called in rising order for at most 15 frames, ``get_result`` only for
    rendered frames. A frame that cannot be read is left out with a logged warning. Raises
    OutputError.
    """
    min_distance = max(1, len(record.frames) // 40)
    worst, spread = record.worst(_WORST_COUNT, min_distance), _spread(record)
    next_frame = [] if record.next_key is None else [record.next_key.index]
    originals = [index for index in (*worst, *spread, *next_frame) if index in record.frames]
    thumbnails = {
        item.index: item
        for item in make_thumbnails(originals, (*worst, *spread), get_original, get_result)
    }
    write_record(record, folder / "report.json")
    page = folder / "report.html"
    with atomic_file(page) as temporary:
        text = _page(record, worst, spread, thumbnails)
        temporary.write_text(text, encoding="utf-8", errors="replace")
    return page


def _spread(record: RunRecord) -> list[int]:
    """Some of the rendered frames, evenly spread."""
    rendered = [index for index in record.frames if record.error(index) is not None]
    if len(rendered) <= _SPREAD_COUNT:
        return rendered
    return [rendered[int((i + 0.5) * len(rendered) / _SPREAD_COUNT)] for i in range(_SPREAD_COUNT)]


def _page(
    record: RunRecord,
    worst: Sequence[int],
    spread: Sequence[int],
    thumbnails: Mapping[int, FrameThumbnails],
) -> str:
    name = PurePath(record.clip.path.replace("\\", "/")).name or record.clip.path
    body = "\n".join(
        [
            _header_section(record, name),
            _next_section(record, thumbnails),
            _notes_section(record),
            _error_section(record, worst),
            viewer_section(
                "Original and result",
                [_viewer_frame(record, thumbnails[i]) for i in spread if i in thumbnails],
            ),
            _worst_section(record, [thumbnails[index] for index in worst if index in thumbnails]),
            keys_table(record),
            timings_table(record),
            stages_table(record),
            settings_list(record),
            f"<footer>Written by kadr {html_text((record.versions or {}).get('kadr', ''))}. The "
            "same data for programs is in report.json, in the same folder.</footer>",
        ]
    )
    return html_document(
        f"{name}: kadr report",
        body,
        first=record.first_frame,
        numbers=record.numbers,
        curves=_curves(record),
        keys=plain_values(record.keys),
    )


def _curves(record: RunRecord) -> list[PageCurve]:
    curves = [PageCurve("error", record.measured, "percent", "not rendered")]
    if record.predicted is not None:
        curves.append(PageCurve("estimated error", record.predicted, "percent"))
    return curves


def _header_section(record: RunRecord, name: str) -> str:
    clip, rendered, count = record.clip, record.rendered_count, len(record.frames)
    state = (
        "" if record.finished else f" Stopped: {rendered} of {counted(count, 'frame')} rendered."
    )
    output = f" Output: {html_text(record.output)}." if record.output else ""
    started = f"{html_text(date(record.started))}. " if record.started else ""
    shape = f"{clip.width}×{clip.height}, {clip.frame_rate:.6g} frames a second"
    at_worst = "".join(
        f"at most {percent(record.error(index))}, frame {record.number(index)}"
        for index in record.worst(1)
    )
    reused = sum(step.reused for step in record.steps)
    speed = f"{record.seconds / rendered:.2f} s a frame" if rendered else ""
    speed = "with reused work files" if reused else speed
    work_files = f"work files {size(record.work_bytes)}" if record.work_bytes else ""
    summary = [
        (
            "Frames rendered",
            f"{rendered}",
            f"of {count}" if rendered != count else _frame_numbers(record),
        ),
        (
            "Keyframes",
            f"{len(record.keys)}",
            f"{counted(len(record.shots), 'shot')}" * bool(record.shots),
        ),
        ("Mean error", percent(record.mean_error), at_worst),
        ("Time", duration(record.seconds), speed),
        ("Output", size(record.output_bytes) if record.output_bytes else "–", work_files),
    ]
    cells = "".join(
        f"<div><dt>{label}</dt><dd>{value}<small>{detail}</small></dd></div>"
        for label, value, detail in summary
    )
    return f"""<header>
<p class="over">kadr report</p>
<h1>{html_text(name)}</h1>
<p class="soft">{started}{shape}.{output}{state}</p>
<dl class="facts">{cells}</dl>
</header>"""


def _frame_numbers(record: RunRecord) -> str:
    return f"{record.numbers[0]}–{record.numbers[-1]}"


def _next_section(record: RunRecord, thumbnails_by_index: Mapping[int, FrameThumbnails]) -> str:
    """The suggested next step, if there is one."""
    next_key = record.next_key
    if next_key is None:
        return ""
    thumbnails = thumbnails_by_index.get(next_key.index)
    image = ""
    if thumbnails is not None and thumbnails.original is not None:
        image = f'<img src="{thumbnails.original}" alt="Frame {next_key.number}, original">'
    change = ""
    if record.mean_error is not None:
        lower = max(0.0, record.mean_error - next_key.gain)
        change = (
            f" Estimated: this lowers the mean error from {percent(record.mean_error)} "
            f"to about {percent(lower)}."
        )
    return (
        f'<section class="next" aria-label="Next frame to paint">{image}<p><strong>Paint frame '
        f"{next_key.number} next.</strong>{change} Save the painted frame in the keys folder under "
        "that number and run again; only frames that depend on it are computed again.</p></section>"
    )


def _notes_section(record: RunRecord) -> str:
    if not record.notes:
        return ""
    lines = "".join(f"<li>{html_text(note)}</li>" for note in record.notes)
    return f'<ul class="notes" aria-label="Notes">{lines}</ul>'


def _error_section(record: RunRecord, worst: Sequence[int]) -> str:
    stroke = '<svg width="26" height="12" aria-hidden="true"><line x1="0" x2="26" y1="6" y2="6"'
    legend = [f'{stroke} class="measured"/></svg>measured error']
    if record.predicted is not None:
        largest = percent(max(record.predicted))
        legend.append(
            f'{stroke} class="predicted"/></svg>error estimated by the plan, at most {largest}'
        )
    dot = '<svg width="12" height="12" aria-hidden="true"><circle cx="6" cy="6"'
    legend.append(f'{dot} r="4" class="key"/></svg>keyframe')
    if worst:
        legend.append(
            f'{dot} r="4.5" class="ring"/></svg>frames with the largest error, shown below'
        )
    if len(record.shots) > 1:
        legend.append(f'{stroke} class="cut"/></svg>cut')
    items = "".join(f"<li>{item}</li>" for item in legend)
    return f"""<section>
<h2>Error of each frame</h2>
<p class="lead">How badly the keyframes explain a frame, measured during the run. At 0 % a
keyframe, warped along the optical flow, looks like the frame. A peak between two keyframes shows
where one more painted frame helps. The bars show the frames that each keyframe styles.</p> <div
class="plot">{error_chart(record, worst)}{timeline(record)}<div class="pointer" hidden></div> <input
type="range" min="0" max="{len(record.frames) - 1}" value="0" step="1" hidden
 aria-label="Frame whose error is shown"></div>
<p class="readout" aria-live="polite"></p>
<ul class="legend">{items}</ul>
</section>"""


def _worst_section(record: RunRecord, thumbnails: Sequence[FrameThumbnails]) -> str:
    if not thumbnails:
        return ""
    items = "".join(frame_item(_viewer_frame(record, item)) for item in thumbnails)
    upright = " upright" if thumbnails[0].width < thumbnails[0].height else ""
    return f"""<section>
<h2>Worst frames</h2>
<p class="lead">The frames with the largest error, some distance apart. Look here first.</p>
<ol class="pairs worst{upright}">{items}</ol>
</section>"""


def _viewer_frame(record: RunRecord, thumbnails: FrameThumbnails) -> ViewerFrame:
    images = {"original": thumbnails.original, "result": thumbnails.result}
    is_key = any(key.index == thumbnails.index for key in record.keys)
    error = f'<span class="share">{percent(record.error(thumbnails.index))}</span>'
    return ViewerFrame(
        thumbnails.index,
        record.number(thumbnails.index),
        {name: data_uri for name, data_uri in images.items() if data_uri is not None},
        thumbnails.width,
        thumbnails.height,
        f"{error}{' keyframe' if is_key else ''}",
    )
