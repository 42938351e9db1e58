"""Work through generators that yield progress and return a result."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from typing import TypeVar

Item = TypeVar("Item")
Mapped = TypeVar("Mapped")
Result = TypeVar("Result")


def consume(items: Generator[Item, None, Result], on_item: Callable[[Item], object]) -> Result:
    """Call ``on_item`` with each item; returns what the generator returns.

    The generator is closed at once if ``on_item`` raises.
    """
    with closing(items):
        while True:
            try:
                item = next(items)
            except StopIteration as stop:
                result: Result = stop.value
                return result
            on_item(item)


def map_items(
    items: Generator[Item, None, Result], function: Callable[[Item], Mapped | None]
) -> Generator[Mapped, None, Result]:
    """Yield ``function(item)`` for each item unless it is None; returns what ``items`` returns.

    Closing this generator closes ``items``.
    """
    with closing(items):
        while True:
            try:
                item = next(items)
            except StopIteration as stop:
                result: Result = stop.value
                return result
            mapped = function(item)
            if mapped is not None:
                yield mapped
