"""Record what a run does: times and counts of its steps, and its results."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from kadr.core.frames import Image
from kadr.core.stage_times import StageTimes, add_times, stage, start_times, take_times
from kadr.errors import OutputError
from kadr.plan.next_keyframe import find_next_keyframe
from kadr.plan.survey import cached_survey
from kadr.render.blend_task import STEP as BLEND
from kadr.render.key_pass import STEP as PROPAGATE
from kadr.render.key_shares import key_shares
from kadr.render.keyframes import KeyStyles
from kadr.render.refine import STEP as REFINE
from kadr.render.refine import Refiner
from kadr.render.renderer import WRITE, Renderer
from kadr.render.run_context import RunContext
from kadr.render.run_plan import RunPlan
from kadr.render.sparse_record import in_whole_clip
from kadr.report.page import write_report
from kadr.report.record import (
    ClipRecord,
    KeyRecord,
    NextKey,
    RunRecord,
    StageRecord,
    StepRecord,
    WorkerRecord,
    library_versions,
    plain_values,
    write_record,
)
from kadr.storage.budget import folder_bytes
from kadr.video.sparse_clip import SparseClip, whole_clip

_log = logging.getLogger(__name__)


class RunRecorder:
    """Keeps the times and counts of a run and writes its record.

    Set ``plan``, ``renderer`` and ``refiner`` as soon as they exist; each of them counts and times
    its own step.
    """

    def __init__(self, run: RunContext) -> None:
        self._run = run
        self._started, self._start = (
            datetime.now(UTC).isoformat(timespec="milliseconds"),
            time.monotonic(),
        )
        self._seconds: dict[str, float] = {}
        self._stage_times: StageTimes = {}
        start_times()
        self._finished = False
        self._output: Path | None = None
        self.plan: RunPlan | None = None
        self.renderer: Renderer | None = None
        self.refiner: Refiner | None = None
        self.next_key: NextKey | None = None
        self.keys: KeyStyles | None = None
        self._shares: Mapping[str, tuple[float, ...]] | None = None

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.monotonic() - self._start

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Add the time of the block to a step."""
        start = time.monotonic()
        try:
            with stage(name):
                yield
        finally:
            self._seconds[name] = self._seconds.get(name, 0.0) + time.monotonic() - start

    def errors(self) -> tuple[float | None, ...]:
        """The error of each blended frame, 0–1; None where there is none."""
        return tuple(self._run.blended_frames.error(index) for index in self._run.frames)

    def finish(self, output: Path) -> None:
        """The run is complete and made ``output``."""
        self._finished, self._output = True, output
        self.next_key = self._find_next_key()
        self._shares = self._find_shares()

    def _find_next_key(self) -> NextKey | None:
        """The next frame worth painting, where the frames were surveyed in this run or before."""
        assert self.plan is not None, "finished without a plan"
        run, plan = self._run, self.plan
        survey = plan.survey or cached_survey(run.clip, run.frames, run.layout.folder, run.masks)
        best = (
            None if survey is None else find_next_keyframe(survey, sorted(plan.keys), self.errors())
        )
        if best is None:
            return None
        index, gain = best
        return NextKey(index, run.clip.number(index), round(gain, 6))

    def _find_shares(self) -> Mapping[str, tuple[float, ...]] | None:
        """What each key gave to each frame, in one style."""
        run, renderer, keys = self._run, self.renderer, self.keys
        if run.options.one_style is None or renderer is None or keys is None:
            return None
        number = run.clip.number
        reference = next(index for index in keys.indices if number(index) == run.options.one_style)
        shares = key_shares(renderer.schedule, run.store, keys.matched, reference)
        return None if shares is None else {str(number(key)): shares[key] for key in shares}

    def close(self) -> None:
        """Write the record of a run that has a plan, however it ended."""
        if self.plan is None:
            return
        try:
            write_record(self.record(), self._run.layout.record)
        except OutputError as error:
            if self._finished:
                raise
            _log.warning("%s", error)  # the error that ended the run is reported instead

    def report(self) -> Path | None:
        """Write the page about the run if one is asked for; returns its path.

        Raises OutputError if it cannot be written.
        """
        run, clip = self._run, self._run.clip
        if run.options.report is None:
            return None

        def get_result(index: int) -> Image:
            position = clip.position(index) if isinstance(clip, SparseClip) else index
            assert position is not None, "frames that are left out have no result"
            return run.final_frames.get(position, run.size)

        return write_report(
            self.record(),
            run.options.report,
            lambda index: whole_clip(clip).frame(index).rgb,
            get_result,
        )

    @property
    def executor(self) -> str:
        """Where tasks ran; "" if none had to."""
        executors = self._run.executors
        return executors.name if self.workers() and executors is not None else ""

    def workers(self) -> tuple[WorkerRecord, ...]:
        """Who made what in this run."""
        return () if self.renderer is None else self.renderer.made_by.records()

    def _steps(self) -> tuple[StepRecord, ...]:
        """Seconds and counts of each step."""
        steps = [
            StepRecord(name, round(seconds, 3), 0)
            for name, seconds in self._seconds.items()
            if name != WRITE
        ]
        renderer, refiner = self.renderer, self.refiner
        frame_count = len(self._run.frames)
        if renderer is not None:
            counts, clock = renderer.counts, renderer.clock
            stored = max(0, counts.pass_all - counts.pass_frames)
            seconds = round(clock.seconds(PROPAGATE), 3)
            steps.append(StepRecord(PROPAGATE, seconds, counts.pass_frames, stored))
            stored = max(0, frame_count - counts.finished_frames)
            seconds = round(clock.seconds(BLEND), 3)
            steps.append(StepRecord(BLEND, seconds, counts.finished_frames, stored))
        if refiner is not None:
            seconds = round(refiner.seconds, 3)
            steps.append(StepRecord(REFINE, seconds, refiner.refined, refiner.reused))
        if WRITE in self._seconds:  # it ends last and so stands last
            steps.append(StepRecord(WRITE, round(self._seconds[WRITE], 3), frame_count))
        return tuple(steps)

    def _stages(self) -> tuple[StageRecord, ...]:
        """Seconds of a core of each stage, in this process and in those of the tasks."""
        add_times(self._stage_times, take_times())
        total = dict(self._stage_times)
        if self.renderer is not None:
            add_times(total, self.renderer.stage_times)
        return tuple(
            StageRecord(step, name, round(max(0.0, seconds), 6))
            for (step, name), seconds in total.items()
        )

    def record(self) -> RunRecord:
        """The record of the run so far; there is a plan."""
        assert self.plan is not None, "called before there was a plan"
        run, clip, plan = self._run, self._run.clip, self.plan
        record = RunRecord(
            clip=clip_record(run),
            keys=tuple(
                KeyRecord(span.key, clip.number(span.key), span.start, span.stop)
                for span in plan.spans
            ),
            first_frame=run.frames.start,
            numbers=tuple(clip.number(index) for index in run.frames),
            measured=self.errors(),
            predicted=plan.predicted,
            shots=plan.shots,
            steps=self._steps(),
            stages=self._stages(),
            options=plain_values(run.options),
            versions=library_versions(),
            output=str(self._output or run.options.output),
            started=self._started,
            seconds=round(self.seconds, 3),
            work_bytes=folder_bytes(run.layout.folder),
            output_bytes=_size(self._output),
            finished=self._finished,
            next_key=self.next_key,
            notes=() if self.renderer is None else tuple(self.renderer.counts.notes),
            shares=self._shares,
            executor=self.executor,
            workers=self.workers(),
        )
        return in_whole_clip(record, clip) if isinstance(clip, SparseClip) else record


def _size(output: Path | None) -> int:
    if output is None or not output.exists():
        return 0
    return folder_bytes(output) if output.is_dir() else output.stat().st_size


def clip_record(run: RunContext) -> ClipRecord:
    """The clip of a run as records hold it."""
    clip = whole_clip(run.clip)
    info = clip.info
    return ClipRecord(
        run.source.absolute().path,
        info.width,
        info.height,
        len(clip),
        float(info.frame_rate),
        clip.watch.identity or run.clip_identity,
    )
