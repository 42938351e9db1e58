"""Finished frames in, the same out, with a notice at the first whose alpha the output loses."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing

from kadr.core.background import parse_background
from kadr.core.events import Event, notice
from kadr.core.frames import Frame
from kadr.errors import OptionsError
from kadr.options import RunOptions
from kadr.video.clips import keeps_alpha, loses_alpha, lost_alpha_notice

STEP = "write"


def check_alpha(options: RunOptions) -> None:
    """Raise OptionsError if nothing is to lie behind frames whose output cannot store that."""
    if options.frames_only:
        return
    if parse_background(options.background).transparent and not keeps_alpha(
        options.output, options.codec
    ):
        raise OptionsError(
            f"background transparent: {options.output} cannot store alpha; write a folder or "
            "pattern of PNG, WebP or TIFF, a .mov, .webm, .webp or .apng, or give another "
            "background"
        )


def tell_lost_alpha(
    options: RunOptions,
    total: int,
    results: Generator[Event | Frame, None, None] | Generator[Frame, None, None],
) -> Generator[Event | Frame, None, None]:
    """Pass results on; the writer lays frames over black whose alpha it cannot store."""
    notified = False
    with closing(results):
        for result in results:
            if (
                isinstance(result, Frame)
                and not notified
                and loses_alpha(options.output, result, options.codec)
            ):
                notified = True
                yield notice(STEP, lost_alpha_notice(options.output), total=total)
            yield result
