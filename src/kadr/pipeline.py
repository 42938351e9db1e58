"""READ FIRST. Restyle a clip from its keys: the whole run on one screen."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

from kadr.core.events import CancelToken, Event, follow, notice
from kadr.core.frames import Frame
from kadr.core.heap import release_free_heap
from kadr.core.stage_times import stage
from kadr.deflicker.stream import steady_frames
from kadr.options import RunOptions
from kadr.render.compositing import background_notices
from kadr.render.fill import fill_events
from kadr.render.keyframes import KeyStyles
from kadr.render.lost_alpha import tell_lost_alpha
from kadr.render.match_keys import match_keys
from kadr.render.pass_history import save_history
from kadr.render.per_key import PerKeyWriter
from kadr.render.recorder import RunRecorder
from kadr.render.refine import Refiner
from kadr.render.renderer import Renderer
from kadr.render.run_context import open_run
from kadr.render.run_plan import plan_run
from kadr.render.schedule import make_schedule
from kadr.report.record import WorkerRecord

STEPS = ("plan", "stylize", "match", "propagate", "blend", "refine", "write")


@dataclass(frozen=True)
class RunResult:
    """What a run made: the output, its keyframes (frame indices), frames and seconds it took.

    output: a file, a folder, or a pattern of images in a folder.
    computed: pass frames made in this run; stored ones of earlier runs do not count.
    report: the page about the run, if one was asked for.
    executor: where tasks ran, "" if none had to. workers: who made which frames in this run.
    """

    output: Path
    keys: tuple[int, ...]
    frame_count: int
    seconds: float
    computed: int = 0
    report: Path | None = None
    executor: str = ""
    workers: tuple[WorkerRecord, ...] = ()


def restyle(
    options: RunOptions,
    *,
    on_event: Callable[[Event], None] | None = None,
    cancel: CancelToken | None = None,
) -> RunResult:
    """Restyle a clip. ``on_event`` is called with every Event.

    Raises InputError, OptionsError or OutputError with one line that says what to do; there is
    then no file under the output's name. Raises Cancelled if ``cancel`` was set. With a work
    folder the same call resumes where the last one ended, however it ended.
    """
    return follow(restyle_events(options, cancel), on_event)


def restyle_events(
    options: RunOptions, cancel: CancelToken | None = None
) -> Generator[Event, None, RunResult]:
    """The same as a generator of Events whose return value is the RunResult."""
    cancel = cancel or CancelToken()
    if not options.fill:
        return (yield from _run_events(options, cancel))
    first, second = yield from fill_events(options, cancel, _run_events)
    seconds, computed = first.seconds + second.seconds, first.computed + second.computed
    return replace(second, keys=first.keys, seconds=seconds, computed=computed)


def _run_events(options: RunOptions, cancel: CancelToken) -> Generator[Event, None, RunResult]:
    """One run from its plan to its output."""
    with ExitStack() as stack:
        run = stack.enter_context(open_run(options))
        recorder = stack.enter_context(closing(RunRecorder(run)))
        with ExitStack() as outputs:
            per_key = outputs.enter_context(
                PerKeyWriter(options.per_key, run.clip, options.may_replace(options.per_key))
            )
            writer = outputs.enter_context(run.create_output())
            for text in writer.notices:
                yield notice("write", text)
            with recorder.step("plan"):
                recorder.plan = plan = yield from plan_run(run, cancel)
            recorder.keys = keys = KeyStyles(run, plan.keys, plan.painted, plan.ranges)
            with recorder.step("stylize"):
                yield from keys.stylize(cancel)
            with recorder.step("match"):
                yield from match_keys(run, plan.keys, keys, cancel)
            release_free_heap()  # large frames were planned with, and stylized
            for text in background_notices(run, keys.channels):
                yield notice("blend", text)
            schedule = make_schedule(run, plan.spans, keys)
            save_history(schedule, run.layout.pass_history)
            recorder.renderer = renderer = Renderer(run, schedule, keys, cancel)
            if options.refine is not None:
                recorder.refiner = Refiner(run, schedule, plan.ranges, cancel)
            results = _finished_frames(renderer, recorder.refiner)
            if options.steady:
                mask = None if run.masks is None else run.masks.mask
                results = steady_frames(results, run.clip, run.frames, mask=mask)
            frames = tell_lost_alpha(options, len(run.frames), results)
            with closing(frames) as results:
                for result in results:
                    if isinstance(result, Frame):
                        with recorder.step("write"), stage("encode"):
                            writer.write(result)
                        total = len(run.frames)
                        yield Event("write", run.ordinal(result.index), total, result.rgb)
                    else:
                        yield result
            with recorder.step("write"):
                if options.per_key is not None:
                    with stage("per-key"):
                        per_key.write_all(renderer.key_layers())
                run.clip.watch.check()  # its sound was read too
                with stage("encode"):
                    outputs.close()
        recorder.finish(writer.path)
        return RunResult(
            writer.path,
            tuple(keys.indices),
            len(run.frames),
            recorder.seconds,
            renderer.counts.pass_frames,
            recorder.report(),
            recorder.executor,
            recorder.workers(),
        )


def _finished_frames(
    renderer: Renderer, refiner: Refiner | None
) -> Generator[Event | Frame, None, None]:
    """Events and finished frames, in order."""
    with closing(renderer.frames()) as results:
        yield from results if refiner is None else refiner.frames(results)
