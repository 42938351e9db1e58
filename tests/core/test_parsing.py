"""Parsing of rates, sizes and frame ranges: known answers, and errors that name the input."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kadr import FrameRange, OptionsError, Span
from kadr.core.clock_times import format_clock_time, parse_clock_time
from kadr.core.parsing import (
    check_frames,
    expand_home,
    parse_bytes,
    parse_frames,
    parse_rate,
    parse_span,
)


@dataclass(frozen=True)
class _Duration:
    duration: Fraction


class _NumberedFrames:
    """Frames numbered from ``first`` on."""

    def __init__(self, first: int, count: int) -> None:
        self._first, self._count = first, count

    def __len__(self) -> int:
        return self._count

    def number(self, index: int) -> int:
        return self._first + index

    def index_of(self, number: int) -> int | None:
        index = number - self._first
        return index if 0 <= index < self._count else None

    @property
    def times(self) -> list[Fraction]:
        """The even frames are shown for 30 ms, the odd ones for 50 ms."""
        return [Fraction(8 * (i // 2) + 3 * (i % 2), 100) for i in range(self._count)]

    @property
    def info(self) -> _Duration:
        return _Duration(self._count * Fraction(1, 25))


def test_ranges_include_both_ends_and_go_by_the_clips_own_numbers() -> None:
    assert parse_span("2:3:5", _NumberedFrames(0, 9)) == Span(3, 2, 6)
    assert parse_span("1001:1001:1004", _NumberedFrames(1001, 4)) == Span(0, 0, 4)
    assert parse_frames("1002:1002", _NumberedFrames(1001, 4)) == FrameRange(1, 2)


@given(st.integers(0, 2000), st.lists(st.integers(0, 49), min_size=3, max_size=3).map(sorted))
def test_a_range_contains_exactly_the_frames_it_names(first: int, indices: list[int]) -> None:
    text = ":".join(str(first + index) for index in indices)
    span = parse_span(text, _NumberedFrames(first, 50))
    assert (span.start, span.key, span.stop - 1) == tuple(indices)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3", "FIRST:KEY:LAST"),
        ("1:2:x", "FIRST:KEY:LAST"),
        ("-1:2:3", "FIRST:KEY:LAST"),
        ("3:2:5", "between"),
        ("3:4:9", "no frame 9; its frames are 0 to 8"),
    ],
)
def test_a_bad_range_is_named(text: str, expected: str) -> None:
    with pytest.raises(OptionsError, match=f"range {text}.*{expected}"):
        parse_span(text, _NumberedFrames(0, 9))


def test_reversed_frames_are_rejected() -> None:
    with pytest.raises(OptionsError, match="frames 5:2: the first comes after the last"):
        parse_frames("5:2", _NumberedFrames(0, 9))


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("0:00:0:00", 0, 0),
        ("0:00.03:0:00.079", 1, 1),  # the second frame is shown from 30 to 80 ms
        ("0:02.5:0:08", 62, 200),
        ("0:00:02.5:0:00:08", 62, 200),
        ("2.5s:8s", 62, 200),
        ("0:9.99:0:10", 249, 249),  # the clip ends at 10 s
        ("0:00:0:00.00000001", 0, 0),
    ],
)
def test_a_time_stands_for_the_frame_that_is_shown_then(text: str, first: int, last: int) -> None:
    for start in (0, 1001):
        assert parse_frames(text, _NumberedFrames(start, 250)) == FrameRange(first, last + 1)


@given(st.integers(0, 249), st.integers(0, 249))
def test_times_of_frames_select_these_frames(one: int, other: int) -> None:
    clip, (first, last) = _NumberedFrames(0, 250), sorted((one, other))
    text = ":".join(format_clock_time(clip.times[index]) for index in (first, last))
    assert parse_frames(text, clip) == FrameRange(first, last + 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0:02:0:11", "0:11 is after the end of the clip, which lasts 0:10; give earlier times"),
        ("2s:10.001s", "0:10.001 is after the end"),
        ("0:08:0:02", "the first comes after the last"),
        ("12:0:08", "two times written alike, such as 0:02.5:0:08"),  # a number and a time
        ("0:0:08:0:09", "two times written alike"),
        ("0:02:3s", "two times written alike"),
        ("2.5:8", "two times written alike"),
        ("0:60:0:61", "two times written alike"),
        ("0:60:00:0:61:00", "two times written alike"),
        ("0:-2:0:08", "two times written alike"),
        ("0:2:0:", "two times written alike"),
        ("", "expected FIRST:LAST"),
        ("1e3s:2e3s", "expected FIRST:LAST"),
        ("٢s:٣s", "expected FIRST:LAST"),
    ],
)
def test_times_that_the_clip_does_not_have_are_named(text: str, expected: str) -> None:
    with pytest.raises(OptionsError, match=re.escape(f"frames {text}: ")) as caught:
        parse_frames(text, _NumberedFrames(0, 250))
    assert expected in str(caught.value)


def test_frames_are_checked_before_there_is_a_clip() -> None:
    check_frames("0:999999")
    check_frames("0:02.5:99:00")
    with pytest.raises(OptionsError, match=r"frames 0:02.5: expected FIRST:LAST"):
        check_frames("0:02.5")


@given(st.fractions(0, 360_000, max_denominator=1000).map(lambda f: Fraction(int(f * 1000), 1000)))
def test_times_are_read_as_they_are_written(time: Fraction) -> None:
    assert parse_clock_time(format_clock_time(time)) == time


@pytest.mark.parametrize(
    ("text", "rate"),
    [("25", 25), ("23.976", Fraction(2997, 125)), ("30000/1001", Fraction(30000, 1001))],
)
def test_rates(text: str, rate: Fraction) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["0", "-3", "fast", "1/0", "1001", "nan", ""])
def test_bad_rates(text: str) -> None:
    with pytest.raises(OptionsError, match=r"fps .*expected 0 to 1000"):
        parse_rate(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [("1", 1), ("500MB", 500_000_000), ("20 gb", 20 * 10**9), ("1.5GiB", 3 << 29), ("2k", 2000)],
)
def test_sizes(text: str, count: int) -> None:
    assert parse_bytes(text, "work-limit") == count


@pytest.mark.parametrize("text", ["", "GB", "-1", "0", "1e9", "3 parsecs", "1,5GB", "0.1", "5ib"])
def test_bad_sizes(text: str) -> None:
    with pytest.raises(OptionsError, match=rf"work-limit {text}: expected a size such as"):
        parse_bytes(text, "work-limit")


NOT_BOUNDED = ["1e999999999", "9" * 5000, "0." + "9" * 5000, "1/" + "9" * 5000, "9" * 5000 + "GB"]


@pytest.mark.parametrize("text", NOT_BOUNDED)
def test_huge_numbers_are_refused_at_once_in_a_short_line(text: str) -> None:
    for parse in (
        lambda: parse_rate(text),
        lambda: parse_bytes(text, "work-limit"),
        lambda: parse_frames(f"0:{text}", _NumberedFrames(0, 9)),
        lambda: parse_span(f"0:{text}:9", _NumberedFrames(0, 9)),
    ):
        with pytest.raises(OptionsError) as caught:
            parse()
        assert len(str(caught.value)) < 200


def test_home_folders_are_expanded_at_the_start_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("USERPROFILE", "/home/me")
    assert Path(expand_home("~/keys/")) == Path("/home/me/keys")
    assert expand_home("~/keys/").endswith("/"), "it marks a folder"
    for text in ("a/~/b", "a~", "~there.is.nobody/x", ""):
        assert expand_home(text) == text
