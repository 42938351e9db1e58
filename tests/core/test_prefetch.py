"""Prefetching: the same items, errors passed on, and no thread left running."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kadr.core.prefetch import prefetch


def _threads() -> int:
    return sum(thread.name == "kadr-prefetch" for thread in threading.enumerate())


def _wait_for(condition: object, seconds: float = 5.0) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.002)
    assert condition()


@given(items=st.lists(st.none() | st.integers()), depth=st.integers(1, 4))
@settings(deadline=None, max_examples=30)
def test_the_same_items_in_the_same_order(items: list[int | None], depth: int) -> None:
    assert list(prefetch(items, depth)) == items
    assert _threads() == 0


def test_the_next_item_is_computed_while_one_is_used() -> None:
    computed: list[int] = []

    def source() -> Iterator[int]:
        for index in range(3):
            computed.append(index)
            yield index

    items = prefetch(source())
    assert next(items) == 0
    _wait_for(lambda: 1 in computed)
    assert list(items) == [1, 2]


@pytest.mark.parametrize("depth", [1, 3])
def test_no_more_is_computed_than_the_depth_allows(depth: int) -> None:
    computed, used, max_ahead = 0, 0, 0

    def source() -> Iterator[int]:
        nonlocal computed, max_ahead
        for index in range(20):
            computed += 1
            max_ahead = max(max_ahead, computed - used)
            yield index

    for _ in prefetch(source(), depth):
        time.sleep(0.002)
        used += 1
    # in the queue, just computed, in use
    assert max_ahead <= depth + 2
    assert computed == used == 20


def test_an_error_is_passed_on_after_the_items_before_it() -> None:
    def source() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("frame 3 is damaged")

    items = prefetch(source())
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(ValueError, match="frame 3 is damaged"):
        next(items)
    assert _threads() == 0


def test_closing_stops_the_thread_and_runs_the_sources_clean_up() -> None:
    closed = threading.Event()

    def source() -> Iterator[int]:
        try:
            index = 0
            while True:
                yield index
                index += 1
        finally:
            closed.set()

    items = prefetch(source(), depth=2)
    assert next(items) == 0
    items.close()
    assert _threads() == 0
    _wait_for(closed.is_set)


def test_an_exception_of_the_user_stops_the_thread() -> None:
    def fail_at_item_3() -> None:
        for item in prefetch(iter(range(1000))):
            if item == 3:
                raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        fail_at_item_3()
    _wait_for(lambda: _threads() == 0)


def test_nothing_starts_before_the_first_item_is_asked_for() -> None:
    items = prefetch([1, 2])
    assert _threads() == 0
    assert list(items) == [1, 2]


def test_nested_prefetching() -> None:
    assert list(prefetch(prefetch(range(50)), depth=2)) == list(range(50))
