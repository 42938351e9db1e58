"""A clip and one set of options in, both ways of restyling it side by side out, with measures.

The two ways: a few keyframes that are carried over the frames between, and every frame (or every
n-th) made by the stylizer. Both run with the same settings of the stylizer.
"""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.events import CancelToken, Event
from kadr.core.frames import Frame, FrameRange, Image
from kadr.core.warp import warp
from kadr.errors import OptionsError, OutputError
from kadr.guides.flow import flow_pair, gray
from kadr.options import RunOptions
from kadr.pipeline import STEPS, RunResult, restyle_events
from kadr.video.clips import create_clip, open_clip
from kadr.video.side_by_side import Heading, SideBySide

STEP = "compare"

_STYLIZE = STEPS[1]

_STILL = 0.25
"""Pixels of motion a frame below which a place stands still."""


@dataclass(frozen=True)
class Measures:
    """How well a clip holds together, each over the filmed clip's own; 1 is as steady as filmed.

    warp: change along the filmed motion, outside occlusions. flicker: change where the filmed
    picture stands still; None where nothing does.
    """

    warp: float
    flicker: float | None


@dataclass(frozen=True)
class MethodResult:
    """One of the ways: its name, what it made, and how well that holds together.

    styled: frames that the stylizer made. carried: frames of passes that were computed.
    seconds: of this run; loading libraries is in neither way's. kept: whether an earlier run made
    some of it, whose time is not in ``seconds``.
    """

    name: str
    output: Path
    frames: int
    styled: int
    carried: int
    seconds: float
    measures: Measures
    kept: bool = False


@dataclass(frozen=True)
class Comparison:
    """Both ways, and the video that shows them beside what was filmed."""

    output: Path
    ways: tuple[MethodResult, MethodResult]


def compare_methods(
    options: RunOptions, cancel: CancelToken | None = None
) -> Generator[Event, None, Comparison]:
    """Restyle a clip both ways and write ``options.output``, a video of them side by side.

    The results themselves stand beside it, named after it with ``-keyframes`` and ``-every-frame``.
    ``options.every`` is for the second way, ``keys_budget`` and the like for the first. With a work
    folder a stopped comparison goes on.
    Raises OptionsError for painted keys or an output that is no video, OutputError if it exists,
    and what a run raises.
    """
    cancel = cancel or CancelToken()
    output = Path(options.output)
    if options.stylizer == "external":
        raise OptionsError("compare: needs a stylizer that makes keys, such as diffusion")
    if not output.suffix or output.suffix == ".png":
        raise OptionsError(f"{output}: expected a video file, such as compare.mp4")
    runs = {
        name: _run(options, name, whole)
        for name, whole in (("keyframes", False), ("every frame", True))
    }
    for path in (output, *(Path(run.output) for run in runs.values())):
        if path.exists() and not options.overwrite:
            raise OutputError(f"{path}: exists already; use --overwrite or another name")
    with open_clip(options.clip, allow_truncated=options.allow_truncated) as clip:
        count = len(clip)
    yield from _warm_up(options, count, cancel)
    made = []
    for name, run in runs.items():
        made.append((yield from _told(restyle_events(run, cancel), name)))
    found = yield from _measured(options, [result for result, _ in made], cancel)
    first, second = (
        MethodResult(
            name if name == "keyframes" or options.every == 1 else f"every {options.every}",
            each.output,
            each.frame_count,
            len(each.keys),
            each.computed,
            each.seconds,
            measures,
            kept,
        )
        for name, (each, kept), measures in zip(runs, made, found, strict=True)
    )
    yield from _write(options, (first, second), cancel)
    return Comparison(output, (first, second))


def _run(options: RunOptions, name: str, whole: bool) -> RunOptions:
    """The options of one of the ways."""
    slug, output = name.replace(" ", "-"), Path(options.output)
    return replace(
        options,
        output=output.with_name(f"{output.stem}-{slug}{output.suffix}"),
        every_frame=whole,
        every=options.every if whole else 1,
        work=None if options.work is None else options.work / slug,
        frames_folder=None,
        report=None,
    )


def _warm_up(options: RunOptions, count: int, cancel: CancelToken) -> Generator[Event, None, None]:
    """Style a frame and carry it to the next in vain: the first way is not to pay for loading.

    count: frames of the clip.
    """
    whole = options.frames or FrameRange(0, count)
    yield Event("warm up", 0, 1)
    with tempfile.TemporaryDirectory(prefix="kadr-") as folder:
        run = replace(
            options,
            output=Path(folder, Path(options.output).name),
            frames=FrameRange(whole.start, min(whole.start + 2, whole.stop)),
            every_frame=False,
            every=1,
            keys_budget=1,
            min_gap=None,
            max_gap=None,
            ignore_cuts=True,
            ranges=(),
            refine=None,
            refine_strength=RunOptions.refine_strength,
            per_key=None,
            work=None,
            frames_folder=None,
            report=None,
        )
        with closing(restyle_events(run, cancel)) as events:
            for _ in events:
                yield Event("warm up", 0, 1)
    yield Event("warm up", 1, 1)


def _told(
    events: Generator[Event, None, RunResult], name: str
) -> Generator[Event, None, tuple[RunResult, bool]]:
    """Carry out a run, its events under the way's name; and whether it took up earlier work."""
    styled = 0
    with closing(events):
        while True:
            try:
                event = next(events)
            except StopIteration as stop:
                result: RunResult = stop.value
                # what is carried depends on the keys: if all of them are new, so is the rest
                return result, styled < len(result.keys)
            if event.step == _STYLIZE:
                styled = max(styled, event.total or 0)
            yield replace(event, step=f"{name}: {event.step}")


class _Measure:
    """Adds up change, frame after frame."""

    def __init__(self) -> None:
        self._warp = [0.0, 0.0]
        self._still = [0.0, 0.0]

    def add(
        self,
        filmed: tuple[Image, Image],
        styled: tuple[Image, Image],
        back: NDArray[np.float32],
        seen: NDArray[np.bool_],
    ) -> None:
        """filmed, styled: the frame before and the frame; back: its motion to the one before."""
        still = seen & (np.hypot(back[..., 0], back[..., 1]) < _STILL)
        for place, (before, image) in enumerate((styled, filmed)):
            along = np.abs(image.astype(np.float32) - warp(before, back))
            self._warp[place] += float(along[seen].sum())
            steady = np.abs(image.astype(np.float32) - before)
            self._still[place] += float(steady[still].sum())

    def result(self) -> Measures:
        """The ratios; a filmed clip without any change of its own counts as one level of it."""
        flicker = None
        if self._still[1] > 0:
            flicker = self._still[0] / self._still[1]
        return Measures(self._warp[0] / max(self._warp[1], 1.0), flicker)


def _measured(
    options: RunOptions, made: Sequence[RunResult], cancel: CancelToken
) -> Generator[Event, None, list[Measures]]:
    measures = [_Measure() for _ in made]
    before: tuple[Image, ...] | None = None
    for at, images in _together(options, [each.output for each in made]):
        cancel.check()
        if before is not None:
            flow = flow_pair(gray(images[0]), gray(before[0]))
            seen = ~flow.occlusion
            for measure, last, image in zip(measures, before[1:], images[1:], strict=True):
                pair = (before[0], images[0])
                measure.add(pair, (last, image), flow.to_neighbour, seen)
        before = images
        yield Event(STEP, at + 1, made[0].frame_count)
    return [measure.result() for measure in measures]


def _together(
    options: RunOptions, outputs: Sequence[Path]
) -> Iterator[tuple[int, tuple[Image, ...]]]:
    """(place, images) of the filmed clip and the outputs, frame by frame."""
    start, stop = 0, None
    if options.frames is not None:
        start, stop = options.frames.start, options.frames.stop
    with open_clip(options.clip, allow_truncated=options.allow_truncated) as filmed:
        clips = [open_clip(output) for output in outputs]
        try:
            frames = [filmed.frames(start, stop), *(clip.frames() for clip in clips)]
            for at, moment in enumerate(zip(*frames, strict=True)):
                size = moment[0].size
                yield at, tuple(_fitted(frame, size) for frame in moment)
        finally:
            for clip in clips:
                clip.close()


def _fitted(frame: Frame, size: tuple[int, int]) -> Image:
    """Videos may have a row or a column less, where their sides must be even."""
    image = frame.rgb
    if frame.size == size:
        return image
    fitted: Image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return fitted


def _write(
    options: RunOptions, ways: tuple[MethodResult, MethodResult], cancel: CancelToken
) -> Generator[Event, None, None]:
    headings = [Heading("filmed"), *map(_heading, ways)]
    with open_clip(options.clip, allow_truncated=options.allow_truncated) as like:
        beside = SideBySide(headings, (like.info.width, like.info.height))
        indices = options.frames or range(len(like))
        total = len(indices)
        start = options.frames.start if options.frames is not None else 0
        with create_clip(
            options.output,
            like=like,
            overwrite=options.overwrite,
            crf=options.crf,
            preset=options.encoder_preset,
            indices=range(start, start + total),
        ) as writer:
            for at, images in _together(options, [way.output for way in ways]):
                cancel.check()
                picture = beside.frame(images)
                writer.write(Frame(start + at, picture, like.times[start + at]))
                yield Event("write", at + 1, total, picture)


def _heading(way: MethodResult) -> Heading:
    measures = way.measures
    flicker = "–" if measures.flicker is None else f"{measures.flicker:.2f}"
    speed = f"{way.frames / max(way.seconds, 1e-9):.2f} frames/s"
    return Heading(
        way.name,
        (
            f"{way.seconds:.1f} s, {'some kept from an earlier run' if way.kept else speed}",
            f"{way.styled} by the stylizer, {way.carried} carried",
            f"change along motion {measures.warp:.2f}, flicker {flicker} of the filmed",
        ),
    )
