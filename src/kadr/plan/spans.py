"""Keyframes in, the span of frames that each of them styles out."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence

from kadr.core.frames import FrameRange, Span
from kadr.errors import OptionsError


def pair_spans(
    keys: Sequence[int],
    frames: FrameRange,
    given: Sequence[Span] = (),
    *,
    cuts: Sequence[int] = (),
    number: Callable[[int], int] = int,
) -> list[Span]:
    """One span a key, in order: from the key before it to the key after it, both excluded.

    The first key reaches back to the start of ``frames``, the last to their end. ``given`` spans
    replace those of their keys, clipped to ``frames``; they may overlap. ``cuts`` are the first
    frames of shots: no key reaches over one into a shot that has a key. ``number`` turns an index
    into what people call the frame, for messages.

    Raises OptionsError when a key is not in ``frames``, when a given span has no key or shares it
    with another, or when a frame is left in no span.
    """
    order = sorted(keys)
    for key in order:
        if key not in frames:
            raise OptionsError(
                f"key {number(key)}: not among the frames "
                f"{number(frames.start)}–{number(frames.stop - 1)}; leave it out"
            )
    spans = {key: Span(key, key, key + 1) for key in order}
    for key in order[:1]:
        spans[key] = Span(key, frames.start, key + 1)
    for before, after in itertools.pairwise(order):
        between = [cut for cut in sorted(cuts) if before < cut <= after]
        # shots without a key of their own are reached from both sides
        first, last = (between[0], between[-1]) if between else (before + 1, after)
        spans[before] = Span(before, spans[before].start, last)
        spans[after] = Span(after, first, after + 1)
    for key in order[-1:]:
        spans[key] = Span(key, spans[key].start, frames.stop)
    counts = Counter(span.key for span in given)
    for span in given:
        if span.key not in spans:
            known = ", ".join(str(number(key)) for key in order)
            raise OptionsError(
                f"range of key {number(span.key)}: there is no such key; keys are {known}"
            )
        if counts[span.key] > 1:
            raise OptionsError(f"key {number(span.key)}: has two ranges; keep one")
        start, stop = max(span.start, frames.start), min(span.stop, frames.stop)
        spans[span.key] = Span(span.key, start, stop)
    result = [spans[key] for key in order]
    _check_covered(result, frames, number)
    return result


def _check_covered(spans: Sequence[Span], frames: FrameRange, number: Callable[[int], int]) -> None:
    reached = frames.start
    for span in sorted(spans, key=lambda span: span.start):
        if span.start > reached:
            break
        reached = max(reached, span.stop)
    else:
        if reached >= frames.stop:
            return
    later = [span.start for span in spans if span.start > reached]
    last = min([*later, frames.stop]) - 1
    raise OptionsError(
        f"frames {number(reached)}–{number(last)} are in no key's range; "
        "widen a range or leave it out"
    )
