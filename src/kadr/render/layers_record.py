"""The record of a run in layers, and the page about it: from the records of its layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kadr.render.blend_task import STEP as BLEND
from kadr.render.recorder import clip_record
from kadr.render.run_context import RunContext
from kadr.report.layers_page import write_layers_report
from kadr.report.record import (
    RunRecord,
    StepRecord,
    library_versions,
    plain_values,
    read_record,
)
from kadr.storage.budget import folder_bytes
from kadr.storage.layout import WorkLayout


@dataclass(frozen=True)
class CompositeStep:
    """What compositing took: its seconds, added over threads, and the frames that were made.

    started: when the whole run began, as ISO 8601 text; run_seconds: how long it took.
    """

    seconds: float
    composited: int
    started: str
    run_seconds: float


def write_layers_record(
    run: RunContext, layers: Sequence[tuple[str, Path]], output: Path, step: CompositeStep
) -> Path | None:
    """Write the page about a run in layers, if one is asked for; returns its path.

    layers: name and work folder of each, from the bottom up. Raises OutputError.
    """
    if run.options.report is None:
        return None
    stored = [(name, read_record(WorkLayout(work).record)) for name, work in layers]
    records = [
        (name, record)
        for name, record in stored
        if record is not None and record.frames == run.frames
    ]
    clip, folder, count = run.clip, run.final_frames, len(run.frames)
    whole = RunRecord(
        clip=clip_record(run),
        keys=(),
        first_frame=run.frames.start,
        numbers=tuple(clip.number(index) for index in run.frames),
        measured=tuple(folder.error(index) for index in run.frames),
        shots=records[0][1].shots if records else (),
        steps=(
            *(
                StepRecord(f"layer {name}", record.seconds, record.computed(BLEND))
                for name, record in records
            ),
            StepRecord(
                "composite", round(step.seconds, 3), step.composited, count - step.composited
            ),
        ),
        options=plain_values(run.options),
        versions=library_versions(),
        output=str(output),
        started=step.started,
        seconds=round(step.run_seconds, 3),
        work_bytes=sum(record.work_bytes for _, record in records),
        output_bytes=folder_bytes(output) if output.is_dir() else _file_size(output),
    )
    return write_layers_report(
        whole,
        records,
        run.options.report,
        lambda index: clip.frame(index).rgb,
        lambda index: folder.get(index, run.size),
    )


def _file_size(output: Path) -> int:
    """Bytes of a file; 0 for a pattern of images."""
    return output.stat().st_size if output.exists() else 0
