"""Compute the items of an iterator in a background thread, ahead of their use."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import TypeVar

from kadr.core.thread_queue import ThreadQueue

T = TypeVar("T")


def prefetch(items: Iterable[T], depth: int = 1) -> Generator[T, None, None]:
    """Yield ``items`` while a thread computes up to ``depth`` further ones; errors are passed on.

    Closing this generator stops the thread at its next item. Memory is bounded by ``depth``.
    """
    ready: ThreadQueue[T] = ThreadQueue(depth)

    def produce() -> None:
        for item in items:
            ready.put(item)

    yield from ready.run(produce, "kadr-prefetch")
