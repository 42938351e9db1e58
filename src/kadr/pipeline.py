"""READ FIRST. A clip and its keys in, the restyled clip out: the whole run on one screen."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from kadr.core.events import CancelToken, Event, follow
from kadr.core.frames import Frame
from kadr.options import RunOptions
from kadr.render.keyframes import KeyStyles
from kadr.render.pass_history import save_history
from kadr.render.per_key import PerKeyWriter
from kadr.render.recorder import RunRecorder
from kadr.render.refine import Refiner
from kadr.render.renderer import Renderer
from kadr.render.run_context import open_run
from kadr.render.run_plan import plan_run
from kadr.render.schedule import make_schedule

STEPS = ("plan", "stylize", "propagate", "join", "refine", "write")


@dataclass(frozen=True)
class RunResult:
    """What a run made: the output, its keyframes (frame indices), frames and seconds it took.

    computed: pass frames that were made in this run; those kept from earlier runs do not count.
    report: the page about the run, if one was asked for.
    """

    output: Path
    keys: tuple[int, ...]
    frame_count: int
    seconds: float
    computed: int = 0
    report: Path | None = None


def restyle(
    options: RunOptions,
    *,
    on_event: Callable[[Event], None] | None = None,
    cancel: CancelToken | None = None,
) -> RunResult:
    """Restyle a clip and give what was made. ``on_event`` sees every Event.

    Raises InputError, OptionsError or OutputError with one line that says what to do; nothing then
    stands under the output's name. Raises Cancelled if ``cancel`` was raised. With a folder for
    work files the same call goes on where the last one ended, whichever way that was.
    """
    return follow(restyle_events(options, cancel), on_event)


def restyle_events(
    options: RunOptions, cancel: CancelToken | None = None
) -> Generator[Event, None, RunResult]:
    """The same, as a generator of Events whose return value is the RunResult."""
    cancel = cancel or CancelToken()
    with ExitStack() as stack:
        run = stack.enter_context(open_run(options))
        account = stack.enter_context(closing(RunRecorder(run)))
        with ExitStack() as outputs:
            per_key = outputs.enter_context(
                PerKeyWriter(options.per_key, run.clip, options.overwrite)
            )
            writer = outputs.enter_context(run.create_output())
            with account.step("plan"):
                account.plan = plan = yield from plan_run(run, cancel)
            keys = KeyStyles(run, plan.keys, plan.painted)
            with account.step("stylize"):
                yield from keys.stylize(cancel)
            schedule = make_schedule(run, plan.spans, keys)
            save_history(schedule, run.work)
            producer = Renderer(run, schedule, keys, cancel)
            account.tally = producer.tally
            refiner = None if options.refine is None else Refiner(run, schedule, cancel)
            with account.step("propagate"), closing(_finished(producer, refiner)) as made:
                for item in made:
                    if isinstance(item, Frame):
                        writer.write(item)
                        yield Event("write", run.ordinal(item.index), len(run.frames), item.rgb)
                    else:
                        yield item
            if refiner is not None:
                account.add("refine", computed=refiner.refined, reused=refiner.reused)
            if options.per_key is not None:
                per_key.write_all(producer.pass_frames())
        account.finish(writer.path)
        return RunResult(
            writer.path,
            tuple(keys.indices),
            len(run.frames),
            account.seconds,
            producer.tally.pass_frames,
            account.report(),
        )


def _finished(producer: Renderer, refiner: Refiner | None) -> Generator[Event | Frame, None, None]:
    """Events and finished frames, in order."""
    with closing(producer.frames()) as made:
        yield from made if refiner is None else refiner.frames(made)
