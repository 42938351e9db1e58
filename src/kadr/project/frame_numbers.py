"""Options and the numbers that people gave in, options with frame indices out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from fractions import Fraction
from typing import Protocol

from kadr.core.parsing import parse_frames, parse_span
from kadr.options import RunOptions
from kadr.video.base import Clip
from kadr.video.clips import open_clip


class EntryErrorContext(Protocol):
    """Lends a context in which an OptionsError is said to come from an entry of a file."""

    def __call__(self, section: str, key: str) -> AbstractContextManager[None]: ...


def _nobody(section: str, key: str) -> AbstractContextManager[None]:
    return nullcontext()


def with_numbers(
    options: RunOptions,
    ranges: Sequence[str] = (),
    frames: str | None = None,
    *,
    blame: EntryErrorContext = _nobody,
) -> RunOptions:
    """``options`` with their ranges and frames set by numbers, which only the clip makes indices.

    ranges: ``FIRST:KEY:LAST`` each; frames: ``FIRST:LAST``; ends are included. With neither the
    clip is not opened. blame: called with ("keys", "ranges") or ("clip", "frames").
    Raises OptionsError for numbers that the clip does not have, InputError if it cannot be opened.
    """
    if not ranges and frames is None:
        return options
    with open_run_clip(options) as clip:
        with blame("keys", "ranges"):
            spans = tuple(parse_span(text, clip) for text in ranges)
        with blame("clip", "frames"):
            chosen = None if frames is None else parse_frames(frames, clip)
    return replace(options, ranges=spans or options.ranges, frames=chosen or options.frames)


def open_run_clip(options: RunOptions) -> Clip:
    """The clip of a run, opened as the run opens it."""
    rate = None if options.frame_rate is None else Fraction(options.frame_rate).limit_denominator()
    return open_clip(options.clip, allow_truncated=options.allow_truncated, frame_rate=rate)
