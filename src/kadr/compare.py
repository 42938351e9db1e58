"""Compare the two methods of restyling a clip: a video of both side by side, and measures.

The methods: a few keyframes that are propagated over the frames between them, and every frame (or
every n-th) made by the stylizer. Both run with the same options of the stylizer.
"""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import cv2

from kadr.core.events import CancelToken, Event
from kadr.core.frames import Frame, FrameRange, Image
from kadr.core.generators import map_items
from kadr.errors import OptionsError, OutputError
from kadr.guides.flow import gray
from kadr.measure.change import FilmedMotion, measure_change
from kadr.measure.curves import ChangeCurves
from kadr.options import RunOptions
from kadr.pipeline import RunResult, restyle_events
from kadr.render.run_inputs import check_run_outputs
from kadr.storage.layout import WorkLayout
from kadr.storage.lock import lock_folder
from kadr.storage.ownership import refuse_links
from kadr.video.clip_source import ClipSource
from kadr.video.clips import create_clip, open_clip
from kadr.video.side_by_side import Heading, SideBySide

STEP = "compare"


@dataclass(frozen=True)
class Measures:
    """Temporal consistency of a clip, relative to the filmed clip; 1 is as steady as filmed.

    warp: warp error, the change along the filmed motion, outside occlusions. flicker: change
    where the filmed image is still; None if nothing is.
    """

    warp: float
    flicker: float | None


@dataclass(frozen=True)
class MethodResult:
    """One of the methods: its name, what it made, and its measures.

    styled: frames that the stylizer made. propagated: frames of passes that were computed.
    seconds: of this run, without loading libraries. resumed: whether an earlier run made part of
    it, whose time is not in ``seconds``.
    """

    name: str
    output: Path
    frames: int
    styled: int
    propagated: int
    seconds: float
    measures: Measures
    resumed: bool = False


@dataclass(frozen=True)
class Comparison:
    """Both methods, and the video that shows them beside the filmed clip."""

    output: Path
    methods: tuple[MethodResult, MethodResult]


def compare_methods(
    options: RunOptions, cancel: CancelToken | None = None
) -> Generator[Event, None, Comparison]:
    """Restyle a clip by both methods and write ``options.output``, a video of both side by side.

    The outputs of the methods are written beside it, named after it with ``-keyframes`` and
    ``-every-frame``. ``options.every`` is for the second method, ``keys_budget`` and the like for
    the first. With a work folder an interrupted comparison resumes.
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
        name: _method_options(options, name, every_frame)
        for name, every_frame in (("keyframes", False), ("every frame", True))
    }
    for path in (output, *(Path(run.output) for run in runs.values())):
        if path.exists() and not options.may_replace(path):
            raise OutputError(f"{path}: exists already; use --overwrite or another name")
    check_run_outputs(options)
    with ClipSource.of(options).open() as clip:
        count = len(clip)
    with ExitStack() as stack:
        if options.work is not None:  # the folder of both methods
            stack.enter_context(lock_folder(options.work))
            for run in runs.values():
                assert run.work is not None, "each method has a folder in that of the comparison"
                refuse_links(options.work, run.work)
        yield from _warm_up(options, count, cancel)
        results = []
        for name, run in runs.items():
            results.append((yield from _run_method(restyle_events(run, cancel), name)))
    measures = yield from _measure(options, [result for result, _ in results], cancel)
    first, second = (
        MethodResult(
            name if name == "keyframes" or options.every == 1 else f"every {options.every}",
            result.output,
            result.frame_count,
            len(result.keys),
            result.computed,
            result.seconds,
            method_measures,
            resumed,
        )
        for name, (result, resumed), method_measures in zip(runs, results, measures, strict=True)
    )
    yield from _write(options, (first, second), cancel)
    return Comparison(output, (first, second))


def _method_options(options: RunOptions, name: str, every_frame: bool) -> RunOptions:
    """The options of a run by one of the methods."""
    slug, output = name.replace(" ", "-"), Path(options.output)
    return replace(
        options,
        output=output.with_name(f"{output.stem}-{slug}{output.suffix}"),
        every_frame=every_frame,
        every=options.every if every_frame else 1,
        work=None if options.work is None else WorkLayout(options.work).method(slug).folder,
        frames_folder=None,
        report=None,
    )


def _warm_up(options: RunOptions, count: int, cancel: CancelToken) -> Generator[Event, None, None]:
    """Style a frame and propagate it to the next, so loading does not count for the first method.

    count: frames of the clip.
    """
    frames = options.frames or FrameRange(0, count)
    yield Event("warm up", 0, 1)
    with tempfile.TemporaryDirectory(prefix="kadr-") as folder:
        run = replace(
            options,
            output=Path(folder, Path(options.output).name),
            frames=FrameRange(frames.start, min(frames.start + 2, frames.stop)),
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
        events = restyle_events(run, cancel)
        yield from map_items(events, lambda event: Event("warm up", 0, 1))
    yield Event("warm up", 1, 1)


def _run_method(
    events: Generator[Event, None, RunResult], name: str
) -> Generator[Event, None, tuple[RunResult, bool]]:
    """Run one method, its events under its name; returns whether it resumed an earlier run, too."""
    styled = 0

    def rename(event: Event) -> Event:
        nonlocal styled
        if event.step == "stylize":
            styled = max(styled, event.total or 0)
        return replace(event, step=f"{name}: {event.step}")

    result = yield from map_items(events, rename)
    # passes depend on the keys: if all keys are new, everything is
    return result, styled < len(result.keys)


def _measure(
    options: RunOptions, results: Sequence[RunResult], cancel: CancelToken
) -> Generator[Event, None, list[Measures]]:
    """Measure both outputs beside the filmed clip."""
    filmed, styled = ChangeCurves(), [ChangeCurves() for _ in results]
    previous: tuple[Image, ...] | None = None
    for position, images in _frames_of_all(options, [result.output for result in results]):
        cancel.check()
        motion = None
        if previous is not None:
            motion = FilmedMotion.between(gray(images[0]), gray(previous[0]))
        if motion is not None and previous is not None:
            for curves, image, before in zip((filmed, *styled), images, previous, strict=True):
                curves.add(measure_change(image, before, motion))
        previous = images
        yield Event(STEP, position + 1, results[0].frame_count)
    return [Measures(*curves.relative_to(filmed)) for curves in styled]


def _frames_of_all(
    options: RunOptions, outputs: Sequence[Path]
) -> Iterator[tuple[int, tuple[Image, ...]]]:
    """(position, images) of the filmed clip and the outputs, frame by frame."""
    start, stop = 0, None
    if options.frames is not None:
        start, stop = options.frames.start, options.frames.stop
    with ClipSource.of(options).open() as filmed:
        clips = [open_clip(output) for output in outputs]
        try:
            frames = [filmed.frames(start, stop), *(clip.frames() for clip in clips)]
            for position, simultaneous in enumerate(zip(*frames, strict=True)):
                size = simultaneous[0].size
                yield position, tuple(_fitted(frame, size) for frame in simultaneous)
        finally:
            for clip in clips:
                clip.close()


def _fitted(frame: Frame, size: tuple[int, int]) -> Image:
    """The image in a size; videos whose sides must be even may lack a row or a column."""
    image = frame.rgb
    if frame.size == size:
        return image
    fitted: Image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return fitted


def _write(
    options: RunOptions, methods: tuple[MethodResult, MethodResult], cancel: CancelToken
) -> Generator[Event, None, None]:
    headings = [Heading("filmed"), *map(_heading, methods)]
    with ClipSource.of(options).open() as like:
        beside = SideBySide(headings, (like.info.width, like.info.height))
        indices = options.frames or range(len(like))
        total = len(indices)
        start = options.frames.start if options.frames is not None else 0
        with create_clip(
            options.output,
            like=like,
            overwrite=options.may_replace(options.output),
            **options.encoding,
            indices=range(start, start + total),
        ) as writer:
            for position, images in _frames_of_all(options, [method.output for method in methods]):
                cancel.check()
                image, index = beside.frame(images), start + position
                writer.write(Frame(index, image, like.times[index]))
                yield Event("write", position + 1, total, image)


def _heading(method: MethodResult) -> Heading:
    measures = method.measures
    flicker = "–" if measures.flicker is None else f"{measures.flicker:.2f}"
    speed = f"{method.frames / max(method.seconds, 1e-9):.2f} frames/s"
    return Heading(
        method.name,
        (
            f"{method.seconds:.1f} s, {'resumed from an earlier run' if method.resumed else speed}",
            f"{method.styled} by the stylizer, {method.propagated} propagated",
            f"warp error {measures.warp:.2f}, flicker {flicker} of the filmed clip",
        ),
    )
