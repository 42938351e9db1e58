"""Options and frame numbers as people write them in, options with frame indices out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Protocol

from kadr.core.parsing import parse_frames, parse_span
from kadr.options import RunOptions
from kadr.video.clip_source import ClipSource


class EntryErrorContext(Protocol):
    """Makes a context manager that adds the entry of a file to OptionsErrors."""

    def __call__(self, section: str, key: str) -> AbstractContextManager[None]: ...


def _no_entry(section: str, key: str) -> AbstractContextManager[None]:
    return nullcontext()


def with_numbers(
    options: RunOptions,
    ranges: Sequence[str] = (),
    frames: str | None = None,
    *,
    entry_errors: EntryErrorContext = _no_entry,
) -> RunOptions:
    """``options`` with ranges and frames given by frame numbers, which depend on the clip.

    ranges: ``FIRST:KEY:LAST`` each; frames: ``FIRST:LAST``; ends are included. With neither the
    clip is not opened. entry_errors: called with ("keys", "ranges") or ("clip", "frames").
    Raises OptionsError for numbers that the clip does not have, InputError if it cannot be opened.
    """
    if not ranges and frames is None:
        return options
    with ClipSource.of(options).open() as clip:
        with entry_errors("keys", "ranges"):
            spans = tuple(parse_span(text, clip) for text in ranges)
        with entry_errors("clip", "frames"):
            frame_range = None if frames is None else parse_frames(frames, clip)
    return replace(options, ranges=spans or options.ranges, frames=frame_range or options.frames)
