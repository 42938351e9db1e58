"""The options of a run that fills in what it leaves out in, the events of its two runs out."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

from kadr.core.events import CancelToken, Event, notice
from kadr.core.frames import FrameRange
from kadr.core.generators import map_items
from kadr.options import RunOptions
from kadr.render.made_frames import choose_frames
from kadr.render.run_context import open_run
from kadr.storage.layout import SPARSE, WorkLayout
from kadr.storage.ownership import adopt_folder, refuse_links
from kadr.storage.store import WorkFolder
from kadr.video.clip_source import ClipSource

Result = TypeVar("Result")
Run = Callable[[RunOptions, CancelToken], Generator[Event, None, Result]]

_OF_STYLES = (
    "ranges", "stylizer_options", "stylizer_ranges", "keys_budget", "min_gap", "max_gap",
    "reference_key", "one_style", "refine", "refine_strength", "fit_keys", "align_keys",
    "key_offset",
)  # fmt: skip
"""Options that are used up when the made frames become keys."""


def fill_events(
    options: RunOptions, cancel: CancelToken, run: Run[Result]
) -> Generator[Event, None, tuple[Result, Result]]:
    """Make one frame of several, then carry these as keys over the frames between them.

    run: makes the frames of some options and their output. Returns the results of both runs.
    Raises what a run raises; what concerns the output before anything is made.
    """
    with ExitStack() as stack:
        work = stack.enter_context(WorkFolder(options.work)).folder
        folder = WorkLayout(work).method(SPARSE).folder
        with open_run(options.with_all_frames(), exclusive=False) as whole:
            whole.create_output().abort()
            total = len(whole.frames)
        adopt_folder(work)
        refuse_links(work, folder)
        keys = _key_files(options, WorkLayout(folder).frames)
        yield notice("plan", f"makes {len(keys)} of {total} frames, and then those between them")
        first = yield from run(_sparse_run(options, folder), cancel)
        # the notices of the second run would be about keys that nobody painted
        events = run(_filling_run(options, work, keys), cancel)
        return first, (yield from map_items(events, _without_key_notices))


def _key_files(options: RunOptions, folder: Path) -> tuple[Path, ...]:
    """The files of the frames that the first run makes."""
    with ClipSource.of(options).open() as clip:
        frames = options.frames or FrameRange(0, len(clip))
        choice = choose_frames(options, clip, frames)
        assert choice is not None, "fill is for runs that leave frames out"
        return tuple(folder / f"{clip.name(index)}.png" for index in choice.indices)


def _sparse_run(options: RunOptions, work: Path) -> RunOptions:
    """The run that makes one frame of several; it has no output.

    Masks and the background are left to the second run, so that soft edges are composited once.
    """
    return replace(
        options,
        fill=False,
        mask=None,
        invert_mask=False,
        grow=0,
        feather=0.0,
        fit_mask=options.fit_mask and options.figure is not None,
        background="transparent",
        frames_only=True,
        per_key=None,
        report=None,
        work=work,
        frames_folder=None,
    )


def _filling_run(options: RunOptions, work: Path, keys: tuple[Path, ...]) -> RunOptions:
    """The run that carries the made frames to the others; it makes the output."""
    defaults: dict[str, Any] = {
        item.name: item.default_factory() if callable(item.default_factory) else item.default
        for item in fields(RunOptions)
        if item.name in _OF_STYLES
    }
    return replace(
        options,
        **defaults,
        keys=keys,
        stylizer="external",
        match_keys=0.0,
        every=1,
        fill=False,
        work=work,
    )


def _without_key_notices(event: Event) -> Event | None:
    return None if event.message and event.step in ("plan", "match") else event
