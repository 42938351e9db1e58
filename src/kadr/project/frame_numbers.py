"""Options and frame numbers as people write them in, options with frame indices out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, Protocol

from kadr.core.frames import FrameRange
from kadr.core.parsing import parse_frames, parse_span
from kadr.options import RunOptions, StylizerRange, check_overlaps
from kadr.video.clip_source import ClipSource


class EntryErrorContext(Protocol):
    """Makes a context manager that adds the entry of a file to OptionsErrors."""

    def __call__(
        self, section: str | tuple[str, ...], key: str
    ) -> AbstractContextManager[None]: ...


class RangeSettings(Protocol):
    """Other options for some frames, as a project file has them."""

    @property
    def frames(self) -> str | None: ...
    @property
    def shot(self) -> int | None: ...
    @property
    def options(self) -> Mapping[str, Any]: ...
    @property
    def name(self) -> str: ...


def _no_entry(section: str | tuple[str, ...], key: str) -> AbstractContextManager[None]:
    return nullcontext()


def with_numbers(
    options: RunOptions,
    ranges: Sequence[str] = (),
    frames: str | None = None,
    *,
    stylizer_ranges: Sequence[RangeSettings] = (),
    all_frames: str | None = None,
    entry_errors: EntryErrorContext = _no_entry,
) -> RunOptions:
    """``options`` with ranges and frames given by frame numbers, which depend on the clip.

    ranges: ``FIRST:KEY:LAST`` each; frames: ``FIRST:LAST``; ends are included. all_frames: the
    frames, ``FIRST:LAST``, whose shots are counted for stylizer_ranges; None: of the clip. With
    none of them the clip is not opened. entry_errors: called with the section and the entry that
    is wrong.
    Raises OptionsError for numbers that the clip does not have, InputError if it cannot be opened.
    """
    if not ranges and frames is None and not stylizer_ranges:
        return options
    with ClipSource.of(options).open() as clip:
        with entry_errors("keys", "ranges"):
            spans = tuple(parse_span(text, clip) for text in ranges)
        with entry_errors("clip", "frames"):
            frame_range = None if frames is None else parse_frames(frames, clip)
        shots_of = FrameRange(0, len(clip))
        if all_frames is not None:
            with entry_errors("clip", "frames"):
                shots_of = parse_frames(all_frames, clip)
        others: list[StylizerRange] = []
        for number, item in enumerate(stylizer_ranges, start=1):
            with entry_errors(("stylizer", "range", str(number)), "frames"):
                indices = None if item.frames is None else parse_frames(item.frames, clip)
                others.append(StylizerRange(item.name, item.options, indices, item.shot, shots_of))
                check_overlaps([(other.name, other.frames) for other in others if other.frames])
    return replace(
        options,
        ranges=spans or options.ranges,
        frames=frame_range or options.frames,
        stylizer_ranges=tuple(others) or options.stylizer_ranges,
    )
