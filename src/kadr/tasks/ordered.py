"""A run's events in any order in, each task's items in order and once only out."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

from kadr.errors import BackendError
from kadr.tasks.executor import Done, Failed, ItemStored, TaskEvent
from kadr.tasks.task import Item


def in_task_order(
    events: Iterable[TaskEvent], expected: Mapping[str, Sequence[int]] | None = None
) -> Generator[TaskEvent, None, None]:
    """Yield the events of a run; of each task its items by index, each once, before its end.

    expected: task id → the indices that it makes, in the order in which its items are wanted: an
    item comes as soon as all expected before it have come. Of other tasks the items come when the
    task ends, by index. Closing this closes ``events``, if they can be closed.

    Raises BackendError if an item comes again with another digest: results differ from one run of
    a task to the next, so nothing kept could be trusted.
    """
    kept: dict[str, _Items] = {}
    try:
        for event in events:
            if isinstance(event, ItemStored):
                if event.task not in kept:
                    kept[event.task] = _Items((expected or {}).get(event.task, ()))
                items = kept[event.task].add(event)
                yield from (ItemStored(event.task, item) for item in items)
                continue
            if isinstance(event, (Done, Failed)) and event.task in kept:
                items = kept.pop(event.task).rest()
                yield from (ItemStored(event.task, item) for item in items)
            yield event
    finally:
        if isinstance(events, Generator):
            events.close()


class _Items:
    """Items of one task that came too early, and digests of all that came."""

    def __init__(self, expected: Sequence[int]) -> None:
        self._expected = deque(expected)
        self._digests: dict[int, str] = {}
        self._early: dict[int, Item] = {}

    def add(self, event: ItemStored) -> Iterator[Item]:
        """Take one more; gives those whose turn it is now."""
        item = event.item
        if item.index in self._digests:
            known = self._digests[item.index]
            if known != item.digest:
                raise BackendError(
                    f"{event.task}: item {item.index} was {known} and came out as {item.digest} "
                    "when it was made again; the work is not deterministic, please report this"
                )
            return
        self._digests[item.index] = item.digest
        self._early[item.index] = item
        while self._expected and self._expected[0] in self._early:
            yield self._early.pop(self._expected.popleft())

    def rest(self) -> Iterator[Item]:
        """All that did not have its turn, by index."""
        yield from (self._early[index] for index in sorted(self._early))
