"""Finished frames in, the same out, laid over the film where the output cannot store alpha."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace

import numpy as np

from kadr.core.events import Event, notice
from kadr.core.frames import Frame, Image, to_8_bits
from kadr.render.run_context import RunContext
from kadr.video.clips import keeps_alpha, loses_alpha, lost_alpha_notice

STEP = "write"


def over_film(
    run: RunContext, results: Generator[Event | Frame, None, None] | Generator[Frame, None, None]
) -> Generator[Event | Frame, None, None]:
    """Pass results on; where a key was transparent the film shows, with a notice at the first.

    Frames are changed only for an output without alpha, and for a clip without: its own would say
    what lies below it, and they are laid over black.
    """
    output = run.options.output
    if keeps_alpha(output):
        yield from results
        return
    notified, clip_alpha = False, run.clip.info.has_alpha
    with closing(results), closing(_Film(run)) as film:
        for result in results:
            if isinstance(result, Frame) and result.channels == 4:
                if not notified and loses_alpha(output, result):
                    notified = True
                    text = lost_alpha_notice(output) if clip_alpha else _what_shows(run)
                    yield notice(STEP, text, total=len(run.frames))
                yield (
                    result
                    if clip_alpha
                    else replace(
                        result, image=_composite(to_8_bits(result.image), film.rgb(result.index))
                    )
                )
            else:
                yield result


def _what_shows(run: RunContext) -> str:
    return (
        f"{run.options.output}: cannot store alpha; where the keys are transparent it shows "
        "the film; a folder of images keeps alpha"
    )


class _Film:
    """The frames of the clip, read once and forwards from the first that is asked for."""

    def __init__(self, run: RunContext) -> None:
        self._run = run
        self._frames: Iterator[Frame] = iter(())
        self._opened = False

    def rgb(self, index: int) -> Image:
        """(H, W, 3) uint8: a frame after the one before."""
        if not self._opened:
            self._frames = self._run.clip.frames(index, self._run.frames.stop)
            self._opened = True
        for frame in self._frames:
            if frame.index == index:
                return frame.rgb
        raise AssertionError("frames are finished in order")

    def close(self) -> None:
        """End the iterator over the clip."""
        if isinstance(self._frames, Generator):
            self._frames.close()


def _composite(image: Image, film: Image) -> Image:
    """An RGBA image over an RGB one of its size, straight alpha."""
    alpha = image[..., 3:].astype(np.uint16)
    mixed = image[..., :3] * alpha + film * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)
