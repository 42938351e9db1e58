"""The public operation: paths in; measures, curves and, if wanted, a page out."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kadr.core.events import CancelToken, Event, notice
from kadr.core.formatting import counted
from kadr.errors import OutputError
from kadr.measure.curves import Curves
from kadr.measure.frames import STEP, measure_frames
from kadr.measure.inputs import MeasureInputs, OpenInputs, open_inputs
from kadr.measure.summary import Measure, summarize
from kadr.video.outputs_apart import check_outputs_apart


@dataclass(frozen=True)
class Measurement:
    """The result: measures by name, curves of all frames, and the numbers of these frames.

    page: the page that was written, or None.
    """

    measures: Mapping[str, Measure]
    curves: Curves
    numbers: tuple[int, ...]
    page: Path | None = None


def measure_output(
    inputs: MeasureInputs,
    *,
    page: Path | None = None,
    overwrite: bool = False,
    cancel: CancelToken | None = None,
) -> Generator[Event, None, Measurement]:
    """Measure a restyled clip beside its film, keys and truth; returns all measures.

    page: an HTML file to write, with plots over time and frames to compare. Memory does not grow
    with the size of the clip's files, only by some numbers for each frame and key. What was left
    out or assumed is told by notices.
    Raises InputError for clips that do not belong together, OutputError if the page exists (unless
    ``overwrite``) or lies among the inputs, Cancelled.
    """
    cancel = cancel or CancelToken()
    if page is not None:
        _check_page(page, inputs, overwrite)
    with open_inputs(inputs) as opened:
        for text in opened.notices:
            yield notice(STEP, text)
        curves = yield from measure_frames(
            opened.pairs(), opened.key_source(), total=len(opened.frames), cancel=cancel
        )
        if curves.cuts:
            numbers = ", ".join(str(opened.number(position)) for position in curves.cuts[:8])
            more = "" if len(curves.cuts) <= 8 else " and more"
            yield notice(
                STEP,
                f"{counted(len(curves.cuts), 'cut')}, where change is not measured: before frame "
                f"{numbers}{more}",
            )
        measures = summarize(curves)
        result = Measurement(measures, curves, tuple(map(opened.number, range(len(curves)))), page)
        if page is not None:
            _write(page, result, opened)
    return result


def _write(page: Path, result: Measurement, opened: OpenInputs) -> None:
    from kadr.measure.page import write_page

    write_page(page, result.measures, result.curves, opened)


def _check_page(page: Path, inputs: MeasureInputs, overwrite: bool) -> None:
    if page.suffix.lower() not in (".html", ".htm"):
        raise OutputError(f"{page}: expected the name of a page, such as measure.html")
    clips = [Path(inputs.clip.path), inputs.output, *inputs.keys]
    check_outputs_apart([page], clips if inputs.truth is None else [*clips, inputs.truth])
    if page.is_dir():
        raise OutputError(f"{page}: is a folder; choose another name")
    if page.exists() and not overwrite:
        raise OutputError(f"{page}: exists already; use --overwrite or another name")
