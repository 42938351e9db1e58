"""Items of a thread arrive in order, errors too, and no thread is left."""

from __future__ import annotations

import threading

import pytest

from kadr.core.thread_queue import ThreadQueue

NAME = "kadr-test-queue"


def _threads() -> int:
    return sum(thread.name == NAME for thread in threading.enumerate())


def test_items_arrive_in_order_and_exceptions_as_items_are_items() -> None:
    items: ThreadQueue[object] = ThreadQueue(2)
    expected = [None, 1, ValueError("an item"), (2,)]

    def produce() -> None:
        for item in expected:
            items.put(item)

    assert list(items.run(produce, NAME)) == expected
    assert _threads() == 0


def test_an_error_of_the_producer_comes_after_its_items() -> None:
    items: ThreadQueue[int] = ThreadQueue(1)

    def produce() -> None:
        items.put(1)
        raise ZeroDivisionError

    reader = items.run(produce, NAME)
    assert next(reader) == 1
    with pytest.raises(ZeroDivisionError):
        next(reader)
    assert _threads() == 0


@pytest.mark.parametrize("add", ["put", "offer"])
def test_a_closed_reader_ends_the_producer(add: str) -> None:
    items: ThreadQueue[int] = ThreadQueue(1)
    reached_end = threading.Event()

    def produce() -> None:
        items.put(0)
        while True:
            getattr(items, add)(1)

    def watched() -> None:
        try:
            produce()
        finally:
            reached_end.set()

    reader = items.run(watched, NAME)
    assert next(reader) == 0
    reader.close()
    assert reached_end.is_set()
    assert _threads() == 0


def test_offers_are_dropped_while_an_item_waits() -> None:
    items: ThreadQueue[str] = ThreadQueue(4)
    go_on, produced = threading.Event(), threading.Event()

    def produce() -> None:
        items.offer("offered")
        go_on.wait(5)
        items.put("waits")
        items.offer("dropped")
        produced.set()

    reader = items.run(produce, NAME)
    assert next(reader) == "offered"
    go_on.set()
    assert produced.wait(5)
    assert list(reader) == ["waits"]
