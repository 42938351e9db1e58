"""READ FIRST. A clip and its keys in, the restyled clip out: the whole run on one screen."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from kadr.core.ahead import ahead
from kadr.core.events import CancelToken, Event, follow
from kadr.core.frames import Frame, FrameRange
from kadr.errors import OptionsError
from kadr.keys import KeyStyles
from kadr.options import RunOptions
from kadr.per_key import PerKeyWriter
from kadr.plan.spans import pair_spans
from kadr.render import Renderer
from kadr.run.store import WorkFolder
from kadr.video.base import Clip
from kadr.video.clips import create_clip, open_clip

STEPS = ("stylize", "propagate", "write")


@dataclass(frozen=True)
class RunResult:
    """What a run made: the output, its keyframes (frame indices), frames and seconds it took."""

    output: Path
    keys: tuple[int, ...]
    frame_count: int
    seconds: float


def restyle(
    options: RunOptions,
    *,
    on_event: Callable[[Event], None] | None = None,
    cancel: CancelToken | None = None,
) -> RunResult:
    """Restyle a clip and give what was made. ``on_event`` sees every Event.

    Raises InputError, OptionsError or OutputError with one line that says what to do; nothing then
    stands under the output's name. Raises Cancelled if ``cancel`` was raised.
    """
    return follow(restyle_events(options, cancel), on_event)


def restyle_events(
    options: RunOptions, cancel: CancelToken | None = None
) -> Generator[Event, None, RunResult]:
    """The same, as a generator of Events whose return value is the RunResult."""
    began, cancel = time.monotonic(), cancel or CancelToken()
    with ExitStack() as stack:
        clip = stack.enter_context(_open(options))
        frames = _frame_range(options, clip)
        work = stack.enter_context(WorkFolder(options.work))
        keys = KeyStyles(options, clip, frames, work.store)
        spans = pair_spans(keys.indices, frames, options.ranges, number=clip.number)
        per_key = stack.enter_context(PerKeyWriter(options.per_key, clip, options.overwrite))
        writer = stack.enter_context(
            create_clip(
                options.output,
                like=clip,
                overwrite=options.overwrite,
                crf=options.crf,
                preset=options.preset,
                indices=range(frames.start, frames.stop),
            )
        )
        yield from keys.stylize(cancel)
        renderer = Renderer(
            clip,
            spans,
            frames,
            keys.style,
            options.propagate,
            work.store,
            seed=options.seed,
            threads=options.threads,
            cancel=cancel,
            on_pass=per_key.write,
        )
        written = 0
        made = stack.enter_context(closing(ahead(renderer.render(), depth=2)))
        for item in made:
            if isinstance(item, Frame):
                writer.write(item)
                written += 1
                yield Event("write", written, len(frames), item.rgb)
            else:
                yield item
    return RunResult(writer.path, tuple(keys.indices), written, time.monotonic() - began)


def _open(options: RunOptions) -> Clip:
    rate = None if options.frame_rate is None else Fraction(options.frame_rate).limit_denominator()
    return open_clip(options.clip, allow_truncated=options.allow_truncated, frame_rate=rate)


def _frame_range(options: RunOptions, clip: Clip) -> FrameRange:
    """The frames to work on, checked against the clip."""
    if options.frames is None:
        return FrameRange(0, len(clip))
    if options.frames.stop > len(clip):
        raise OptionsError(
            f"frames {options.frames.start}–{options.frames.stop - 1}: "
            f"{options.clip} has frames 0–{len(clip) - 1}"
        )
    return options.frames
