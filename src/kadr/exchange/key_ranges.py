"""Convert EbSynth's ranges to the frames that each key styles in a clip."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping

from kadr.errors import InputError
from kadr.exchange.ebs import EbsRange
from kadr.video.base import Clip

KeyRanges = Mapping[int, tuple[int, int]]
"""Frame number of a key → numbers of the first and the last frame that it styles."""


def effective_ranges(
    ranges: Iterable[EbsRange], clip: Clip, name: str, notices: list[str]
) -> dict[int, tuple[int, int]]:
    """The frames that ranges cover: an unused end is the key itself; ends are clipped to the clip.

    Two ranges of one key are merged. Changes are appended to ``notices``; ``name`` is the name of
    the file. Raises InputError for a key that is not in the clip, or a range without its key.
    """
    lowest, highest = clip.number(0), clip.number(len(clip) - 1)
    result: dict[int, tuple[int, int]] = {}
    for ebs_range in ranges:
        if clip.index_of(ebs_range.key) is None:
            raise InputError(
                f"{name}: key {ebs_range.key}: the clip has no such frame; its frames are "
                f"{lowest} to {highest}"
            )
        first = ebs_range.first if ebs_range.first_used else ebs_range.key
        last = ebs_range.last if ebs_range.last_used else ebs_range.key
        if not first <= ebs_range.key <= last:
            raise InputError(
                f"{name}: the range of key {ebs_range.key}, {first} to {last}, must contain the key"
            )
        if first < lowest or last > highest:
            first, last = max(first, lowest), min(last, highest)
            notices.append(f"{name}: the range of key {ebs_range.key} is clipped to {first}–{last}")
        if ebs_range.key in result:
            first, last = min(first, result[ebs_range.key][0]), max(last, result[ebs_range.key][1])
            notices.append(f"{name}: two ranges of key {ebs_range.key} are merged: {first}–{last}")
        result[ebs_range.key] = first, last
    return dict(sorted(result.items()))


def covered_range(ranges: KeyRanges) -> tuple[int, int] | None:
    """The first and the last frame that any key styles; None without ranges."""
    if not ranges:
        return None
    return min(first for first, _ in ranges.values()), max(last for _, last in ranges.values())


def find_gaps(ranges: KeyRanges) -> list[tuple[int, int]]:
    """Frames between ranges that no key styles, as (first, last)."""
    ends = sorted(ranges.values())
    last_covered = itertools.accumulate((last for _, last in ends), max)
    return [
        (previous_last + 1, first - 1)
        for previous_last, (first, _) in zip(last_covered, ends[1:], strict=False)
        if first > previous_last + 1
    ]
