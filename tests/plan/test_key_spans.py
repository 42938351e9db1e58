"""Spans: every frame has a key, a span ends at the neighbouring keys, manual ranges override."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kadr.core.frames import FrameRange, Span
from kadr.errors import OptionsError
from kadr.plan.key_spans import assign_spans


@st.composite
def _plans(draw: st.DrawFn) -> tuple[list[int], FrameRange]:
    start = draw(st.integers(0, 100))
    frames = FrameRange(start, start + draw(st.integers(1, 60)))
    keys = draw(st.lists(st.sampled_from(list(frames)), min_size=1, unique=True))
    return keys, frames


@given(_plans())
def test_every_frame_is_covered_up_to_the_neighbouring_keys(
    plan: tuple[list[int], FrameRange],
) -> None:
    keys, frames = plan
    spans = assign_spans(keys, frames)
    assert [span.key for span in spans] == sorted(keys)
    for index in frames:
        covering = {span.key for span in spans if index in span.range}
        previous = max((key for key in keys if key <= index), default=None)
        next_key = min((key for key in keys if key >= index), default=None)
        assert covering == {previous, next_key} - {None}


@given(_plans(), st.data())
def test_manual_spans_replace_those_of_their_keys(
    plan: tuple[list[int], FrameRange], data: st.DataObject
) -> None:
    keys, frames = plan
    key = data.draw(st.sampled_from(keys))
    start = data.draw(st.integers(0, key))
    stop = data.draw(st.integers(key + 1, frames.stop + 20))
    automatic = {span.key: span for span in assign_spans(keys, frames)}
    # wider than the plain one, so that no gap can open
    assume(start <= automatic[key].start and stop >= automatic[key].stop)
    spans = {span.key: span for span in assign_spans(keys, frames, [Span(key, start, stop)])}
    assert spans[key] == Span(key, max(start, frames.start), min(stop, frames.stop))
    assert {k: s for k, s in spans.items() if k != key} == {
        k: s for k, s in automatic.items() if k != key
    }


@given(_plans(), st.data())
def test_a_gap_is_named_by_its_first_and_last_frame(
    plan: tuple[list[int], FrameRange], data: st.DataObject
) -> None:
    keys, frames = plan
    assume(len(frames) > len(keys))
    single = [Span(key, key, key + 1) for key in keys]
    gaps = [
        (a + 1, b - 1)
        for a, b in itertools.pairwise([frames.start - 1, *sorted(keys), frames.stop])
        if b - a > 1
    ]
    with pytest.raises(OptionsError, match=rf"frames {gaps[0][0]}–{gaps[0][1]} ") as caught:
        assign_spans(keys, frames, single)
    assert "widen" in str(caught.value)


def test_ranges_may_overlap() -> None:
    manual_spans = [Span(2, 0, 8), Span(7, 1, 10)]
    assert assign_spans([7, 2], FrameRange(0, 10), manual_spans) == manual_spans


def test_a_range_beyond_the_frames_is_cut() -> None:
    assert assign_spans([5], FrameRange(3, 9), [Span(5, 0, 99)]) == [Span(5, 3, 9)]


def test_a_range_without_its_key_is_rejected() -> None:
    with pytest.raises(OptionsError, match=r"key 4: there is no such key; keys are 2, 7"):
        assign_spans([7, 2], FrameRange(0, 10), [Span(4, 0, 10)])


def test_two_ranges_for_one_key_are_rejected() -> None:
    with pytest.raises(OptionsError, match="key 2: has two ranges"):
        assign_spans([2], FrameRange(0, 10), [Span(2, 0, 10), Span(2, 1, 10)])


def test_a_key_outside_the_frames_is_rejected() -> None:
    with pytest.raises(OptionsError, match=r"key 12: not among the frames 0–9"):
        assign_spans([2, 12], FrameRange(0, 10))


def test_messages_use_frame_numbers() -> None:
    def number(index: int) -> int:
        return 1001 + index

    frames = FrameRange(0, 10)
    with pytest.raises(OptionsError, match="frames 1005–1006 are in no key's range"):
        assign_spans([2, 7], frames, [Span(2, 0, 4), Span(7, 6, 10)], number=number)
    with pytest.raises(OptionsError, match="key 1005: there is no such key; keys are 1003, 1008"):
        assign_spans([2, 7], frames, [Span(4, 0, 10)], number=number)
    with pytest.raises(OptionsError, match="key 1003: has two ranges"):
        assign_spans([2], frames, [Span(2, 0, 10), Span(2, 1, 10)], number=number)
    with pytest.raises(OptionsError, match="key 1013: not among the frames 1001–1010"):
        assign_spans([12], frames, number=number)


def test_no_key_reaches_over_a_cut() -> None:
    spans = assign_spans([3, 12, 15], FrameRange(0, 20), cuts=[8])
    assert spans == [Span(3, 0, 8), Span(12, 8, 15), Span(15, 13, 20)]


@pytest.mark.parametrize("cut", [4, 5, 9])
def test_a_cut_just_beside_a_key(cut: int) -> None:
    first, second = assign_spans([3, 9], FrameRange(0, 12), cuts=[cut])
    assert (first.stop, second.start) == (cut, cut)


def test_a_shot_without_a_key_is_reached_from_both_sides() -> None:
    first, second = assign_spans([2, 18], FrameRange(0, 20), cuts=[5, 10, 15])
    assert (first, second) == (Span(2, 0, 15), Span(18, 5, 20))


def test_shots_before_the_first_and_after_the_last_key_are_reached() -> None:
    assert assign_spans([9], FrameRange(0, 20), cuts=[4, 15]) == [Span(9, 0, 20)]
