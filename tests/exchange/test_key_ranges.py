"""Ranges of keys: the covered frames and the gaps between them, against sets of frames."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kadr.exchange.key_ranges import covered_range, find_gaps


@st.composite
def _key_ranges(draw: st.DrawFn) -> dict[int, tuple[int, int]]:
    keys = draw(st.lists(st.integers(0, 40), max_size=6, unique=True))
    return {
        key: (key - draw(st.integers(0, 9)), key + draw(st.integers(0, 9))) for key in sorted(keys)
    }


@given(_key_ranges())
def test_gaps_are_the_frames_that_no_key_styles(ranges: dict[int, tuple[int, int]]) -> None:
    styled = {frame for first, last in ranges.values() for frame in range(first, last + 1)}
    covered = covered_range(ranges)
    assert covered == ((min(styled), max(styled)) if ranges else None)
    between = set(range(covered[0], covered[1] + 1)) if covered else set()
    gaps = find_gaps(ranges)
    assert {frame for first, last in gaps for frame in range(first, last + 1)} == between - styled
    assert all(first <= last for first, last in gaps)
    assert gaps == sorted(gaps)
