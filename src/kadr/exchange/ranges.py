"""EbSynth's ranges in, the frames that each key styles in a clip out."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping

from kadr.errors import InputError
from kadr.exchange.ebs import EbsRange
from kadr.video.base import Clip

Ends = Mapping[int, tuple[int, int]]
"""Number of a key → those of the first and the last frame that it styles."""


def effective_ranges(
    ranges: Iterable[EbsRange], clip: Clip, name: str, notices: list[str]
) -> dict[int, tuple[int, int]]:
    """What ranges come to: an end that is not used is the key itself, none lies outside the clip.

    Two ranges of one key become one. What was changed so is told in ``notices``; ``name`` is the
    file's. Raises InputError for a key that the clip does not have, or a range without its key.
    """
    lowest, highest = clip.number(0), clip.number(len(clip) - 1)
    found: dict[int, tuple[int, int]] = {}
    for item in ranges:
        if clip.index_of(item.key) is None:
            raise InputError(
                f"{name}: key {item.key}: the clip has no such frame; its frames are "
                f"{lowest} to {highest}"
            )
        first = item.first if item.first_used else item.key
        last = item.last if item.last_used else item.key
        if not first <= item.key <= last:
            raise InputError(
                f"{name}: the range of key {item.key}, {first} to {last}, does not hold the key"
            )
        if first < lowest or last > highest:
            first, last = max(first, lowest), min(last, highest)
            notices.append(
                f"{name}: the range of key {item.key} ends with the clip: {first}–{last}"
            )
        if item.key in found:
            first, last = min(first, found[item.key][0]), max(last, found[item.key][1])
            notices.append(f"{name}: two ranges of key {item.key} become one: {first}–{last}")
        found[item.key] = first, last
    return dict(sorted(found.items()))


def outer_frames(ranges: Ends) -> tuple[int, int] | None:
    """The first and the last frame that any key styles; None without ranges."""
    if not ranges:
        return None
    return min(first for first, _ in ranges.values()), max(last for _, last in ranges.values())


def gaps(ranges: Ends) -> list[tuple[int, int]]:
    """Frames between others that no key styles, as first and last."""
    ends = sorted(ranges.values())
    reached = itertools.accumulate((last for _, last in ends), max)
    return [
        (before + 1, first - 1)
        for before, (first, _) in zip(reached, ends[1:], strict=False)
        if first > before + 1
    ]
