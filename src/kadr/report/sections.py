"""The sections of a report page about a run: record in, HTML out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kadr.core.formatting import counted, date, duration, percent, size
from kadr.report.chart import error_chart, timeline
from kadr.report.document import html_text
from kadr.report.record import RunRecord
from kadr.report.thumbnails import FrameThumbnails
from kadr.report.viewer import ViewerFrame, frame_item


def header_section(record: RunRecord, name: str, keys: int | None = None) -> str:
    """What was made, of what, and a few numbers. keys: how many; None: those of the record."""
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
            f"{len(record.keys) if keys is None else keys}",
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


def next_section(record: RunRecord, thumbnails_by_index: Mapping[int, FrameThumbnails]) -> str:
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


def notes_section(record: RunRecord) -> str:
    """Lines for the user; "" if there are none."""
    if not record.notes:
        return ""
    lines = "".join(f"<li>{html_text(note)}</li>" for note in record.notes)
    return f'<ul class="notes" aria-label="Notes">{lines}</ul>'


def error_section(record: RunRecord, worst: Sequence[int]) -> str:
    """The error of each frame as a chart, with a line that names the values of one frame."""
    return f"""<section>
<h2>Error of each frame</h2>
<p class="lead">How badly the keyframes explain a frame, measured during the run. At 0 % a
keyframe, warped along the optical flow, looks like the frame. A peak between two keyframes shows
where one more painted frame helps. The bars show the frames that each keyframe styles.</p>
{error_plot(record, worst)}
<p class="readout" aria-live="polite"></p>
{legend(record, worst)}
</section>"""


def error_plot(record: RunRecord, worst: Sequence[int]) -> str:
    """The chart of errors and the bars of keyframes, in which a frame can be pointed at."""
    bars = timeline(record) if record.keys else ""
    return f"""<div class="plot">{error_chart(record, worst)}{bars}
<div class="pointer" hidden></div> <input type="range" min="0" max="{len(record.frames) - 1}"
 value="0" step="1" hidden aria-label="Frame whose error is shown"></div>"""


def legend(record: RunRecord, worst: Sequence[int]) -> str:
    """What lines and marks in the chart are."""
    stroke = '<svg width="26" height="12" aria-hidden="true"><line x1="0" x2="26" y1="6" y2="6"'
    items = [f'{stroke} class="measured"/></svg>measured error']
    if record.predicted is not None:
        largest = percent(max(record.predicted))
        items.append(
            f'{stroke} class="predicted"/></svg>error estimated by the plan, at most {largest}'
        )
    dot = '<svg width="12" height="12" aria-hidden="true"><circle cx="6" cy="6"'
    if record.keys:
        items.append(f'{dot} r="4" class="key"/></svg>keyframe')
    if worst:
        items.append(
            f'{dot} r="4.5" class="ring"/></svg>frames with the largest error, shown below'
        )
    if len(record.shots) > 1:
        items.append(f'{stroke} class="cut"/></svg>cut')
    return f'<ul class="legend">{"".join(f"<li>{item}</li>" for item in items)}</ul>'


def worst_section(record: RunRecord, thumbnails: Sequence[FrameThumbnails]) -> str:
    """The frames with the largest error; "" if there are none."""
    if not thumbnails:
        return ""
    items = "".join(frame_item(viewer_frame(record, item)) for item in thumbnails)
    upright = " upright" if thumbnails[0].width < thumbnails[0].height else ""
    return f"""<section>
<h2>Worst frames</h2>
<p class="lead">The frames with the largest error, some distance apart. Look here first.</p>
<ol class="pairs worst{upright}">{items}</ol>
</section>"""


def viewer_frame(record: RunRecord, thumbnails: FrameThumbnails) -> ViewerFrame:
    """A frame with its error, for a viewer or a list."""
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
