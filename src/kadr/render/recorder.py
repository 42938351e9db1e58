"""What a run does, noted as it goes, in; the record of the run out."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from kadr.errors import OutputError
from kadr.plan.next_keyframe import find_next_keyframe
from kadr.plan.survey import cached_survey
from kadr.render.pass_task import STEP as PROPAGATE
from kadr.render.renderer import RenderCounts
from kadr.render.run_context import RunContext
from kadr.render.run_plan import RunPlan
from kadr.report.page import write_report
from kadr.report.record import (
    ClipRecord,
    KeyRecord,
    NextKey,
    RunRecord,
    StepRecord,
    library_versions,
    plain_values,
    write_record,
)
from kadr.storage.budget import folder_bytes

RECORD = "run.json"
"""The record of the last run, in the folder for work files."""

_log = logging.getLogger(__name__)


class RunRecorder:
    """Keeps the times and counts of a run."""

    def __init__(self, run: RunContext) -> None:
        self._run = run
        self._began, self._start = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
        self._steps: dict[str, StepRecord] = {}
        self._finished = False
        self._output: Path | None = None
        self.plan: RunPlan | None = None
        self.tally: RenderCounts | None = None
        self.next_key: NextKey | None = None

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.monotonic() - self._start

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time what happens in the block as part of a step."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.add(name, seconds=time.monotonic() - start)

    def add(self, name: str, *, seconds: float = 0.0, computed: int = 0, reused: int = 0) -> None:
        """Add to what is known of a step."""
        old = self._steps.get(name, StepRecord(name, 0.0, 0))
        self._steps[name] = replace(
            old,
            seconds=round(old.seconds + seconds, 3),
            computed=old.computed + computed,
            reused=old.reused + reused,
        )

    def measured(self) -> tuple[float | None, ...]:
        """The error of each finished frame, 0–1; None where there is none."""
        return tuple(self._run.blended_frames.error(index) for index in self._run.frames)

    def finish(self, output: Path) -> None:
        """The run came to its end and made ``output``."""
        self._finished, self._output = True, output
        self.next_key = self._next_key()

    def _next_key(self) -> NextKey | None:
        """The next frame worth painting, where the frames were surveyed in this run or before."""
        assert self.plan is not None, "finished without a plan"
        run, plan = self._run, self.plan
        survey = plan.survey or cached_survey(run.clip, run.frames, run.work)
        best = (
            None
            if survey is None
            else find_next_keyframe(survey, sorted(plan.keys), self.measured())
        )
        if best is None:
            return None
        index, gain = best
        return NextKey(index, run.clip.number(index), round(gain, 6))

    def close(self) -> None:
        """Write the record of a run that got as far as a plan, whichever way it ended."""
        if self.plan is None:
            return
        try:
            write_record(self.record(), self._run.work / RECORD)
        except OutputError as error:
            if self._finished:
                raise
            _log.warning("%s", error)  # what ended the run is told instead

    def report(self) -> Path | None:
        """Write the page about the run where one is asked for, and give its path.

        Raises OutputError if it cannot be written.
        """
        run = self._run
        if run.options.report is None:
            return None
        return write_report(
            self.record(),
            run.options.report,
            lambda index: run.clip.frame(index).rgb,
            lambda index: run.final_frames.get(index, run.size),
        )

    def _counted(self) -> tuple[StepRecord, ...]:
        """The steps, with what the run counted."""
        steps = dict(self._steps)
        if self.tally is not None and PROPAGATE in steps:
            made, whole = self.tally.pass_frames, self.tally.pass_whole
            steps[PROPAGATE] = replace(steps[PROPAGATE], computed=made, reused=max(0, whole - made))
        return tuple(steps.values())

    def record(self) -> RunRecord:
        """What is known of the run by now; there is a plan."""
        assert self.plan is not None, "asked before there was a plan"
        run, clip, plan = self._run, self._run.clip, self.plan
        return RunRecord(
            clip=ClipRecord(
                run.source.path,
                clip.info.width,
                clip.info.height,
                len(clip),
                float(clip.info.frame_rate),
                run.source.identity,
            ),
            keys=tuple(
                KeyRecord(span.key, clip.number(span.key), span.start, span.stop)
                for span in plan.spans
            ),
            first_frame=run.frames.start,
            numbers=tuple(clip.number(index) for index in run.frames),
            measured=self.measured(),
            predicted=plan.predicted,
            shots=plan.shots,
            steps=self._counted(),
            options=plain_values(run.options),
            versions=library_versions(),
            output=str(self._output or run.options.output),
            started=self._began,
            seconds=round(self.seconds, 3),
            work_bytes=folder_bytes(run.work),
            output_bytes=_size(self._output),
            finished=self._finished,
            next_key=self.next_key,
            notes=() if self.tally is None else tuple(self.tally.notes),
        )


def _size(output: Path | None) -> int:
    if output is None or not output.exists():
        return 0
    return folder_bytes(output) if output.is_dir() else output.stat().st_size
