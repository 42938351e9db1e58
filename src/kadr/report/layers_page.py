"""Write the report of a run in layers: a page about the whole, with a section for each layer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath

from kadr.core.formatting import counted, duration, percent
from kadr.files import atomic_file
from kadr.report.document import PageCurve, html_document, html_text
from kadr.report.page import report_frames
from kadr.report.record import RunRecord, write_record
from kadr.report.sections import (
    error_plot,
    header_section,
    legend,
    next_section,
    notes_section,
    viewer_frame,
    worst_section,
)
from kadr.report.tables import keys_table, settings_list, timings_table
from kadr.report.thumbnails import GetFrame, make_thumbnails
from kadr.report.viewer import viewer_section


def write_layers_report(
    whole: RunRecord,
    layers: Sequence[tuple[str, RunRecord]],
    folder: Path,
    get_original: GetFrame,
    get_result: GetFrame,
) -> Path:
    """Write ``report.json`` and ``report.html`` of a run in layers; returns the page's path.

    whole: the composited frames, whose error is the largest of their layers. layers: name and
    record of each, from the bottom up, of the same frames. get_original, get_result: as for
    ``write_report``; results are composited. Raises OutputError.
    """
    worst, spread = report_frames(whole)
    thumbnails = {
        item.index: item
        for item in make_thumbnails((*worst, *spread), (*worst, *spread), get_original, get_result)
    }
    frames = [viewer_frame(whole, thumbnails[index]) for index in spread if index in thumbnails]
    name = PurePath(whole.clip.path.replace("\\", "/")).name or whole.clip.path
    names = ", ".join(html_text(layer) for layer, _ in layers)
    body = "\n".join(
        [
            header_section(whole, name, sum(len(record.keys) for _, record in layers)),
            notes_section(whole),
            f"""<section>
<h2>Error of each frame</h2>
<p class="lead">The largest error among the layers, {names}, from the bottom up. How badly the
keyframes of a layer explain a frame is measured during the run; each layer follows below.</p>
{error_plot(whole, worst)}
<p class="readout stays" aria-live="polite"></p>
{legend(whole, worst)}
</section>""",
            viewer_section("Original and composite", frames),
            worst_section(whole, [thumbnails[index] for index in worst if index in thumbnails]),
            *(_layer_section(layer, record) for layer, record in layers),
            timings_table(whole),
            settings_list(whole),
            f"<footer>Written by kadr {html_text((whole.versions or {}).get('kadr', ''))}. The "
            "same data for programs is in report.json, in the same folder, and in those of the "
            "layers, which have pages of their own too.</footer>",
        ]
    )
    curves = [PageCurve("error", whole.measured, "percent", "not rendered")]
    curves += [PageCurve(f"in {layer}", record.measured, "percent") for layer, record in layers]
    page = folder / "report.html"
    write_record(whole, folder / "report.json")
    with atomic_file(page) as temporary:
        text = html_document(
            f"{name}: kadr report",
            body,
            first=whole.first_frame,
            numbers=whole.numbers,
            curves=curves,
            keys=(),
        )
        temporary.write_text(text, encoding="utf-8", errors="replace")
    return page


def _layer_section(name: str, record: RunRecord) -> str:
    """What one layer was made from, its errors, and its keyframes."""
    worst = record.worst(1)
    at_worst = "".join(
        f", at most {percent(record.error(index))} in frame {record.number(index)}"
        for index in worst
    )
    computed = record.computed("propagate") + record.computed("blend")
    work = f"{counted(computed, 'frame')} computed in the last run" if computed else "nothing new"
    return f"""<section>
<h2>Layer {html_text(name)}</h2>
<p class="lead">{counted(len(record.keys), "keyframe")}; mean error
{percent(record.mean_error)}{at_worst}. {work}, {duration(record.seconds)}.</p>
{next_section(record, {})}
{notes_section(record)}
{error_plot(record, worst)}
{keys_table(record)}
</section>"""
