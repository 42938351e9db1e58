"""Generators with a result: items reach the function, and the generator is always closed."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from kadr.core.generators import consume, map_items

CLOSED: list[str] = []


def _numbers(count: int) -> Generator[int, None, str]:
    try:
        yield from range(count)
        return "result"
    finally:
        CLOSED.append("closed")


@pytest.fixture(autouse=True)
def _reset() -> None:
    CLOSED.clear()


def test_consume_calls_with_each_item_and_returns_the_result() -> None:
    items: list[int] = []
    assert consume(_numbers(3), items.append) == "result"
    assert items == [0, 1, 2]
    assert CLOSED == ["closed"]


def test_consume_closes_the_generator_if_the_function_raises() -> None:
    with pytest.raises(ZeroDivisionError):
        consume(_numbers(3), lambda item: 1 // (item - 1))
    assert CLOSED == ["closed"]


def test_map_items_leaves_out_none_and_returns_the_result() -> None:
    mapped = map_items(_numbers(4), lambda item: None if item == 2 else item * 10)
    items: list[int] = []
    assert consume(mapped, items.append) == "result"
    assert items == [0, 10, 30]


def test_closing_the_mapped_generator_closes_the_first() -> None:
    mapped = map_items(_numbers(4), lambda item: item)
    assert next(mapped) == 0
    mapped.close()
    assert CLOSED == ["closed"]
