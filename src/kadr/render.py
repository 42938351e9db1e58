"""Keys, their spans and a clip in, finished frames out in order: passes run and joined.

A key's backward pass makes its frames last first, so it runs ahead and is kept in the store. Its
forward pass runs in step with the output. At any time the memory holds the keys whose spans cover
the frame being made, never the clip.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kadr.core.ahead import ahead
from kadr.core.events import CancelToken, Event
from kadr.core.frames import Frame, FrameRange, Span
from kadr.finish.blend import Candidate, Joiner
from kadr.guides.flow import FlowPair, flow_pair, gray
from kadr.guides.warp import grid
from kadr.options import PropagateOptions
from kadr.propagate import KeyStyle, PassFrame, propagate
from kadr.run.store import Store, fingerprint
from kadr.video.base import Clip

STEP = "propagate"
VERSION = 1

OnPass = Callable[[int, Frame, NDArray[np.uint8]], None]
"""Called with (key, frame, image) for every frame of every pass, in the order they are made."""


@dataclass(eq=False)
class _Active:
    """A span being worked on: its packed key and its running forward pass."""

    span: Span
    key: KeyStyle
    name: str
    forward: Iterator[PassFrame]
    closers: ExitStack = field(default_factory=ExitStack)


class Renderer:
    """Runs all passes of ``spans`` and joins them; iterate ``render`` once."""

    def __init__(
        self,
        clip: Clip,
        spans: list[Span],
        frames: FrameRange,
        style: Callable[[int], NDArray[np.uint8]],
        options: PropagateOptions,
        store: Store,
        *,
        seed: int = 0,
        threads: int | None = None,
        cancel: CancelToken | None = None,
        on_pass: OnPass | None = None,
    ) -> None:
        """``style(key)`` gives a key's stylized frame, (H, W, C) uint8 of the clip's size."""
        self._clip, self._spans, self._frames = clip, spans, frames
        self._style, self._options, self._store = style, options, store
        self._seed, self._threads = seed, threads
        self._cancel, self._on_pass = cancel or CancelToken(), on_pass
        self._active: list[_Active] = []
        self._done = 0
        self._total = sum(len(span.range) - 1 for span in spans)

    def render(self) -> Generator[Event | Frame, None, None]:
        """Yield an Event for every frame of every pass, and each finished Frame, in order.

        An Event of no frames comes first, if there are passes: packing and compiling take a while.
        """
        if self._total:
            yield Event(STEP, 0, self._total)
        joiner, before = Joiner(), None
        waiting = sorted(self._spans, key=lambda span: span.start)
        with closing(_each(self._clip.frames(self._frames.start, self._frames.stop))) as frames:
            try:
                for frame in frames:
                    self._cancel.check()
                    while waiting and waiting[0].start <= frame.index:
                        yield from self._enter(waiting.pop(0))
                    yield from self._finish(joiner, frame, before)
                    self._leave(frame.index)
                    before = frame
            finally:
                for active in self._active:
                    active.closers.close()

    def _enter(self, span: Span) -> Iterator[Event]:
        """Pack a key, run its backward pass into the store, set up its forward pass."""
        key = KeyStyle(
            self._clip.frame(span.key),
            self._style(span.key),
            self._options,
            seed=self._seed,
            threads=self._threads,
        )
        name = fingerprint(STEP, VERSION, str(self._clip.info.path), span.key, key.style)
        if span.start < span.key:
            source = self._clip.frames_backward(span.start, span.key + 1)
            with closing(self._passes(key, source)) as made:
                for result in made:
                    arrays = {"image": result.image, "error": result.error}
                    self._store.put(f"{name}{result.index}", arrays)
                    yield self._event(result)
        active = _Active(span, key, name, iter(()))
        if span.key + 1 < span.stop:
            source = self._clip.frames(span.key, span.stop)
            active.forward = active.closers.enter_context(closing(self._passes(key, source)))
        self._active.append(active)

    def _passes(self, key: KeyStyle, frames: Iterator[Frame]) -> Generator[PassFrame, None, None]:
        """One pass over ``frames``, which begin with the key's own."""
        with closing(ahead(_with_flow(frames, self._options.quick_flow))) as steps:
            for result, _ in propagate(key, steps, cancel=self._cancel):
                yield result

    def _finish(
        self, joiner: Joiner, frame: Frame, before: Frame | None
    ) -> Iterator[Event | Frame]:
        """Gather what the spans have for a frame, join it, yield it."""
        candidates: list[Candidate] = []
        image: NDArray[np.uint8] | None = None
        flow: FlowPair | None = None
        for active in self._active:
            span = active.span
            if frame.index == span.key:
                image = active.key.style
                self._report(span.key, frame, image)
                continue
            if frame.index < span.key:
                candidate = self._stored(active, frame.index)
            else:
                result = next(active.forward)
                yield self._event(result)
                flow = result.flow
                candidate = Candidate(span.key, result.image, result.error, 0.0)
            self._report(span.key, frame, candidate.image)
            candidates.append(_with_nearness(candidate, span, frame.index))
        if image is None:
            if flow is None and before is not None and len(candidates) > 1:
                flow = flow_pair(
                    gray(frame.rgb), gray(before.rgb), quick=self._options.quick_flow
                )  # no forward pass has it
            image = joiner.join(candidates, _positions(flow))
        else:  # the key's own frame is the key, byte for byte
            explained = np.zeros(image.shape[:2], np.uint8)
            joiner.join([Candidate(frame.index, image, explained, 1.0)], None)
        yield Frame(frame.index, image, frame.time)

    def _stored(self, active: _Active, index: int) -> Candidate:
        name = f"{active.name}{index}"
        arrays = self._store.get(name)
        assert arrays is not None, f"frame {index} of key {active.span.key} was put and is gone"
        self._store.discard(name)
        return Candidate(active.span.key, arrays["image"], arrays["error"], 0.0)

    def _leave(self, index: int) -> None:
        for active in [a for a in self._active if a.span.stop <= index + 1]:
            active.closers.close()
            self._active.remove(active)

    def _event(self, result: PassFrame) -> Event:
        self._done += 1
        return Event(STEP, self._done, self._total, result.image[..., :3])

    def _report(self, key: int, frame: Frame, image: NDArray[np.uint8]) -> None:
        if self._on_pass is not None:
            self._on_pass(key, frame, image)


def _each(frames: Iterator[Frame]) -> Generator[Frame, None, None]:
    """Any iterator as a generator, which can be closed before its end."""
    yield from frames


def _with_flow(frames: Iterator[Frame], quick: bool) -> Iterator[tuple[Frame, FlowPair]]:
    """Each frame after the first with the flow to the one before it."""
    before: NDArray[np.uint8] | None = None
    for frame in frames:
        level = gray(frame.rgb)
        if before is not None:
            yield frame, flow_pair(level, before, quick=quick)
        before = level


def _with_nearness(candidate: Candidate, span: Span, index: int) -> Candidate:
    """Nearness falls from 1 on the key to 0 just outside the span, on either side."""
    reach = span.stop - span.key if index > span.key else span.key - span.start + 1
    nearness = 1.0 - abs(index - span.key) / reach
    return Candidate(candidate.key, candidate.image, candidate.error, nearness)


def _positions(flow: FlowPair | None) -> NDArray[np.float32] | None:
    if flow is None:
        return None
    return flow.to_neighbour + grid(*flow.occlusion.shape)
