"""Assign each keyframe the span of frames that it styles."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence

from kadr.core.frames import FrameRange, Span
from kadr.errors import OptionsError


def assign_spans(
    keys: Sequence[int],
    frames: FrameRange,
    manual_spans: Sequence[Span] = (),
    *,
    cuts: Sequence[int] = (),
    number: Callable[[int], int] = int,
) -> list[Span]:
    """One span for each key, in order: from the previous key to the next key, both excluded.

    The first span starts with ``frames``, the last one ends with them. ``manual_spans`` replace
    those of their keys, clipped to ``frames``; they may overlap. ``cuts`` are the first frames of
    shots: no span reaches over a cut into a shot that has a key. ``number`` converts an index to
    the frame number that the user sees, for messages.

    Raises OptionsError when a key is not in ``frames``, when a manual span has no key or has the
    same key as another one, or when a frame is in no span.
    """
    ordered = sorted(keys)
    for key in ordered:
        if key not in frames:
            raise OptionsError(
                f"key {number(key)}: not among the frames "
                f"{number(frames.start)}–{number(frames.stop - 1)}; leave it out"
            )
    spans = {key: Span(key, key, key + 1) for key in ordered}
    for key in ordered[:1]:
        spans[key] = Span(key, frames.start, key + 1)
    for previous, next_key in itertools.pairwise(ordered):
        cuts_between = [cut for cut in sorted(cuts) if previous < cut <= next_key]
        # shots without a key are covered from both sides
        first, last = (
            (cuts_between[0], cuts_between[-1]) if cuts_between else (previous + 1, next_key)
        )
        spans[previous] = Span(previous, spans[previous].start, last)
        spans[next_key] = Span(next_key, first, next_key + 1)
    for key in ordered[-1:]:
        spans[key] = Span(key, spans[key].start, frames.stop)
    counts = Counter(span.key for span in manual_spans)
    for span in manual_spans:
        if span.key not in spans:
            names = ", ".join(str(number(key)) for key in ordered)
            raise OptionsError(
                f"range of key {number(span.key)}: there is no such key; keys are {names}"
            )
        if counts[span.key] > 1:
            raise OptionsError(f"key {number(span.key)}: has two ranges; keep one")
        start, stop = max(span.start, frames.start), min(span.stop, frames.stop)
        spans[span.key] = Span(span.key, start, stop)
    result = [spans[key] for key in ordered]
    _check_covered(result, frames, number)
    return result


def _check_covered(spans: Sequence[Span], frames: FrameRange, number: Callable[[int], int]) -> None:
    covered_until = frames.start
    for span in sorted(spans, key=lambda span: span.start):
        if span.start > covered_until:
            break
        covered_until = max(covered_until, span.stop)
    else:
        if covered_until >= frames.stop:
            return
    later = [span.start for span in spans if span.start > covered_until]
    last = min([*later, frames.stop]) - 1
    raise OptionsError(
        f"frames {number(covered_until)}–{number(last)} are in no key's range; "
        "widen a range or leave it out"
    )
