"""Restyle a clip in layers: a run for each of them, and their frames composited over a background.

A layer is an ordinary run whose background is transparent. It plans, resumes and is made again by
itself; what depends on several layers is the compositing alone.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from kadr.composite import over
from kadr.core.events import CancelToken, Event, notice
from kadr.core.frames import Frame, FrameRange, Image
from kadr.core.row_bands import default_threads
from kadr.dry_run import DryRun, make_dry_run
from kadr.errors import OptionsError
from kadr.options import RunOptions
from kadr.pipeline import RunResult, restyle_events
from kadr.preview import PreviewResult, preview_frames
from kadr.render.backdrop import Backdrop
from kadr.render.layers_record import CompositeStep, write_layers_record
from kadr.render.run_context import RunContext, open_run
from kadr.report.record import WorkerRecord
from kadr.storage.frame_folder import FrameFolder, FrameState

STEP = "composite"
VERSION = 1


@dataclass(frozen=True)
class LayeredOptions:
    """A run in layers.

    run: the options of the whole: its clip, frames, background and output; its keys are not used.
    layers: name and options of each layer, from the bottom up; each has ``frames_only``, a
    transparent background, and a frames and a work folder of its own.
    """

    run: RunOptions
    layers: tuple[tuple[str, RunOptions], ...]

    def __post_init__(self) -> None:
        if not self.layers:
            raise OptionsError("no layers; give at least one")
        if self.run.hold > 1 or self.run.fill:
            name = "fill" if self.run.fill else f"hold {self.run.hold}"
            raise OptionsError(f"{name}: is not for a run in layers; leave it out")
        for name, options in self.layers:
            if options.made_step > 1:
                raise OptionsError(
                    f"layer {name}: every {options.every} would leave frames out; give "
                    "every-frame too, or leave it out"
                )
            if not options.frames_only or options.frames_folder is None or options.work is None:
                raise OptionsError(f"layer {name}: needs frames_only, frames_folder and work")
            if options.frames != self.run.frames or options.clip != self.run.clip:
                raise OptionsError(f"layer {name}: its clip or frames differ from those of the run")


@dataclass(frozen=True)
class LayersDryRun:
    """What a run in layers would do: in each layer, and how many frames it would composite."""

    layers: tuple[tuple[str, DryRun], ...]
    composited: int
    frames: int


def restyle_layers(
    options: LayeredOptions, cancel: CancelToken | None = None
) -> Generator[Event, None, RunResult]:
    """Restyle the layers one after the other, composite and write them; resumes like one run.

    Raises what a run raises, and then writes no output.
    """
    cancel, start = cancel or CancelToken(), time.monotonic()
    started = datetime.now(UTC).isoformat(timespec="milliseconds")
    with ExitStack() as stack:
        run = stack.enter_context(open_run(_whole(options)))
        for text in run.notices:
            yield notice(STEP, text)
        outputs = stack.enter_context(ExitStack())
        writer = outputs.enter_context(run.create_output())
        for text in writer.notices:
            yield notice("write", text)
        keys: set[int] = set()
        computed, executor, workers = 0, "", list[WorkerRecord]()
        for name, layer in options.layers:
            yield notice("layer", f"layer {name}")
            result = yield from restyle_events(layer, cancel)
            keys |= set(result.keys)
            computed += result.computed
            executor = result.executor or executor
            workers += [replace(item, step=f"{name}: {item.step}") for item in result.workers]
        compositor = stack.enter_context(closing(_LayerCompositor(run, options)))
        total = len(run.frames)
        yield Event(STEP, 0, total)
        for frame in compositor.frames(cancel):
            writer.write(frame)
            yield Event(STEP, run.ordinal(frame.index), total, frame.rgb)
        run.clip.watch.check()
        outputs.close()
        seconds = time.monotonic() - start
        step = CompositeStep(compositor.seconds, compositor.composited, started, seconds)
        folders = [(name, layer.work) for name, layer in options.layers if layer.work is not None]
        report = write_layers_record(run, folders, writer.path, step)
        return RunResult(
            writer.path,
            tuple(sorted(keys)),
            total,
            seconds,
            computed,
            report,
            executor,
            tuple(workers),
        )


def dry_run_layers(
    options: LayeredOptions, cancel: CancelToken | None = None
) -> Generator[Event, None, LayersDryRun]:
    """Predict what ``restyle_layers`` would do, without doing it."""
    cancel = cancel or CancelToken()
    dry_runs = []
    for name, layer in options.layers:
        dry_runs.append((name, (yield from make_dry_run(layer, cancel))))
    with open_run(_whole(options), exclusive=False) as run:
        changed = {index for _, dry_run in dry_runs for index in dry_run.finished_indices}
        compositor = _LayerCompositor(run, options)
        composited = sum(
            index in changed or compositor.state(index) in (FrameState.MISSING, FrameState.STALE)
            for index in run.frames
        )
        return LayersDryRun(tuple(dry_runs), composited, len(run.frames))


def preview_layers(
    options: LayeredOptions, frames: FrameRange, cancel: CancelToken | None = None
) -> Generator[Event | Frame, None, PreviewResult]:
    """Yield Events, and the frames ``frames`` in order, composited from previews of the layers."""
    cancel = cancel or CancelToken()
    with ExitStack() as stack:
        run = stack.enter_context(open_run(_whole(options), exclusive=False))
        assert run.backdrop is not None, "an open run has a background"
        backdrop = stack.enter_context(closing(Backdrop(run.backdrop, run.size)))
        previews = [
            stack.enter_context(closing(_Preview(preview_frames(layer, frames, cancel))))
            for _, layer in options.layers
        ]
        for index in frames:
            images = []
            for preview in previews:
                yield from preview.events()
                images.append(preview.image)
            image = _composite(images, backdrop.image(index))
            yield Frame(index, image, run.clip.times[index])
        for preview in previews:
            yield from preview.events()
        results = [preview.result for preview in previews if preview.result is not None]
        computed = sum(result.computed for result in results)
        return PreviewResult(len(frames), computed, all(result.exact for result in results))


def _whole(options: LayeredOptions) -> RunOptions:
    """The options of the run without what is of its layers."""
    none: dict[str, Any] = {"mask": None, "figure": None}
    return replace(options.run, **none, guide={}, guide_weight={}, modulation={})


class _Preview:
    """One layer's preview, frame by frame."""

    def __init__(self, items: Generator[Event | Frame, None, PreviewResult]) -> None:
        self._items = items
        self.image: Image = np.zeros((0, 0, 4), np.uint8)
        self.result: PreviewResult | None = None

    def events(self) -> Iterator[Event]:
        """Events up to the next frame, whose image is then ``image``, or up to the end."""
        while self.result is None:
            try:
                item = next(self._items)
            except StopIteration as stop:
                self.result = stop.value
                return
            if isinstance(item, Frame):
                self.image = item.image.astype(np.uint8, copy=False)
                return
            yield item

    def close(self) -> None:
        """Stop the preview."""
        self._items.close()


class _LayerCompositor:
    """Finished frames of the layers in, finished frames of the run out; made ones are kept."""

    def __init__(self, run: RunContext, options: LayeredOptions) -> None:
        assert run.backdrop is not None, "an open run has a background"
        self._run = run
        self._folder = run.final_frames
        self._layers = [
            FrameFolder(layer.frames_folder, run.clip.name)
            for _, layer in options.layers
            if layer.frames_folder is not None
        ]
        self._backdrop = Backdrop(run.backdrop, run.size)
        self._threads = options.run.threads or default_threads()
        self._lock = threading.Lock()
        self.composited, self.seconds = 0, 0.0
        """Frames that were made, not found, and the seconds that took, added over threads."""

    def state(self, index: int) -> FrameState:
        """Whether the finished frame is there, as it would be made from the layers as they are."""
        return self._folder.find(index, self._name(index))

    def frames(self, cancel: CancelToken) -> Iterator[Frame]:
        """The finished frames in order; a few are composited at a time, in threads."""
        with ThreadPoolExecutor(self._threads) as pool:
            running: deque[tuple[int, Future[Image]]] = deque()
            for index in self._run.frames:
                cancel.check()
                # a clip is read by one thread at a time, and in order
                if self.state(index) in (FrameState.CURRENT, FrameState.EDITED):
                    image = pool.submit(self._folder.get, index, self._run.size)
                else:
                    self.composited += 1
                    image = pool.submit(self._finish, index, self._backdrop.image(index))
                running.append((index, image))
                if len(running) > self._threads:
                    yield self._frame(*running.popleft())
            while running:
                yield self._frame(*running.popleft())
        self._folder.sync()

    def _frame(self, index: int, image: Future[Image]) -> Frame:
        return Frame(index, image.result(), self._run.clip.times[index])

    def _finish(self, index: int, behind: Image | None) -> Image:
        began = time.monotonic()
        image = _composite([layer.get(index, self._run.size) for layer in self._layers], behind)
        errors = [layer.error(index) or 0.0 for layer in self._layers]
        self._folder.put(index, image, self._name(index), max(errors))
        with self._lock:
            self.seconds += time.monotonic() - began
        return image

    def _name(self, index: int) -> str:
        backdrop = self._run.backdrop
        assert backdrop is not None
        contents = [layer.content(index) for layer in self._layers]
        behind = (self._run.clip_identity, backdrop.text, backdrop.digest)
        return hashlib.sha256(repr((VERSION, behind, contents)).encode()).hexdigest()[:32]

    def close(self) -> None:
        """Close the clips of the background."""
        self._backdrop.close()


def _composite(layers: Sequence[Image], behind: Image | None) -> Image:
    """Lay layers (H, W, 3 or 4), bottom first, over a background; without one they keep alpha."""
    image = np.zeros((*layers[0].shape[:2], 4), np.uint8) if behind is None else behind
    for layer in layers:
        alpha = np.ones(layer.shape[:2], np.float32)
        if layer.shape[2] == 4:
            alpha = layer[..., 3].astype(np.float32) / np.float32(255)
        image = over(np.ascontiguousarray(layer[..., :3]), alpha, image)
    return image
