"""The frames of a run in, the same without flicker out, as they come."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kadr.core.events import Event
from kadr.core.frames import Frame, FrameRange, to_8_bits
from kadr.deflicker.motion import moments
from kadr.deflicker.options import DeflickerOptions
from kadr.deflicker.strokes import steady_strokes
from kadr.deflicker.tone import steady_tone
from kadr.video.base import Clip


def steady_frames(
    results: Generator[Event | Frame, None, None],
    filmed: Clip,
    frames: FrameRange,
    *,
    options: DeflickerOptions | None = None,
    mask: Callable[[int], NDArray[np.bool_]] | None = None,
) -> Generator[Event | Frame, None, None]:
    """Pass on events, and the frames, which are all of ``frames`` in order, without flicker.

    Frames come later than they went in, by the window; so many are in memory. mask: returns where
    a frame was restyled, (H, W) bool; the rest stays the same, bit for bit. None: everywhere.
    """
    options = options or DeflickerOptions()
    events: list[Event] = []
    waiting: dict[int, Frame] = {}

    def styled() -> Iterator[Frame]:
        for result in results:
            if isinstance(result, Event):
                events.append(result)
            else:
                # a view of the image would keep all of it in memory
                image = result.image[:0].copy() if mask is None else result.image
                waiting[result.index] = replace(result, image=image)
                yield result

    films = filmed.frames(frames.start, frames.stop)
    with closing(results):
        toned = steady_tone(moments(films, styled()), options.window, options.strength)
        for index, image in steady_strokes(toned, options.window, options.strength):
            yield from events
            events.clear()
            frame = waiting.pop(index)
            if mask is not None:
                image = np.where(mask(index)[..., None], image, to_8_bits(frame.image))
            yield replace(frame, image=image)
        yield from events
