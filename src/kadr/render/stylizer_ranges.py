"""Ranges of a stylizer's options as the user gave them in, ranges of frame indices out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kadr.core.events import Event
from kadr.core.formatting import counted
from kadr.core.frames import FrameRange
from kadr.errors import OptionsError
from kadr.options import RunOptions, StylizerRange, check_overlaps
from kadr.stylize.ranges import RangeStylizer
from kadr.stylize.registry import create_stylizer, stylizer_options

FindShots = Callable[[FrameRange], Generator[Event, None, Sequence[FrameRange]]]
"""Finds the shots of frames."""


@dataclass(frozen=True)
class FrameOptions:
    """A range whose frames are known. name: as the user gave it; options: field → value."""

    name: str
    frames: FrameRange
    options: Mapping[str, Any]


def resolve_ranges(
    ranges: Sequence[StylizerRange], frames: FrameRange, find_shots: FindShots
) -> Generator[Event, None, tuple[FrameOptions, ...]]:
    """The frames of each range. frames: of the run, whose shots count where a range does not say.

    Raises OptionsError for a shot that there is not, and for ranges that overlap.
    """
    resolved: list[FrameOptions] = []
    for item in ranges:
        if item.shot is None:
            assert item.frames is not None, "a range has frames or a shot"
            resolved.append(FrameOptions(item.name, item.frames, item.options))
            continue
        shots = yield from find_shots(item.shots_of or frames)
        if not 1 <= item.shot <= len(shots):
            raise OptionsError(
                f"stylizer range {item.name}: the clip has {counted(len(shots), 'shot')}; kadr "
                "plan lists them"
            )
        resolved.append(FrameOptions(item.name, shots[item.shot - 1], item.options))
    check_overlaps([(item.name, item.frames) for item in resolved])
    return tuple(resolved)


def create_ranged(
    options: RunOptions, settings: Mapping[str, Any], ranges: Sequence[FrameOptions]
) -> RangeStylizer:
    """The stylizer of a run with ``settings``, and with other values in the ranges.

    A value that holds everywhere anyway, given or by default, is no other value.
    Raises OptionsError that names the range for values that the stylizer refuses.
    """
    create_stylizer(options.stylizer, **settings)  # refuses unknown options
    kind = stylizer_options(options.stylizer)
    base, pairs = kind(**settings), []
    for item in ranges:
        try:
            create_stylizer(options.stylizer, **{**settings, **item.options})
        except OptionsError as error:
            raise OptionsError(f"stylizer range {item.name}: {error}") from error
        changed = kind(**{**settings, **item.options})
        changes = {
            name: value
            for name, value in item.options.items()
            if getattr(changed, name) != getattr(base, name)
        }
        pairs.append((item.frames, changes))
    return RangeStylizer(options.stylizer, settings, pairs)


def empty_ranges(ranges: Sequence[FrameOptions], keys: Collection[int]) -> Iterator[str]:
    """A notice for each range that holds no key, and so changes nothing."""
    for item in ranges:
        if not any(index in item.frames for index in keys):
            yield f"stylizer range {item.name}: holds no key of this run, so it changes nothing"
