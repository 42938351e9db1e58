"""Write ``report.json`` and a self-contained ``report.html`` from the record of a run.

The page loads nothing: style sheet, script, chart and images are part of it. Without the script it
shows the same data, with images side by side and no pointer in the chart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath

from kadr.files import atomic_file
from kadr.report.document import PageCurve, html_document, html_text
from kadr.report.record import RunRecord, plain_values, write_record
from kadr.report.sections import (
    error_section,
    header_section,
    next_section,
    notes_section,
    viewer_frame,
    worst_section,
)
from kadr.report.tables import (
    keys_table,
    settings_list,
    stages_table,
    timings_table,
    workers_table,
)
from kadr.report.thumbnails import FrameThumbnails, GetFrame, make_thumbnails
from kadr.report.viewer import viewer_section

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
    worst, spread = report_frames(record)
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


def report_frames(record: RunRecord) -> tuple[list[int], list[int]]:
    """The frames that are shown as images: those with the largest error, and some evenly spread."""
    return record.worst(_WORST_COUNT, max(1, len(record.frames) // 40)), _spread(record)


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
            header_section(record, name),
            next_section(record, thumbnails),
            notes_section(record),
            error_section(record, worst),
            viewer_section(
                "Original and result",
                [viewer_frame(record, thumbnails[i]) for i in spread if i in thumbnails],
            ),
            worst_section(record, [thumbnails[index] for index in worst if index in thumbnails]),
            keys_table(record),
            timings_table(record),
            stages_table(record),
            workers_table(record),
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
