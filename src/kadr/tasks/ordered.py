"""Put the items of each task of a run in order, each once."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

from kadr.errors import BackendError
from kadr.tasks.executor import Done, Failed, ItemStored, TaskEvent


def in_task_order(
    events: Iterable[TaskEvent], expected: Mapping[str, Sequence[int]] | None = None
) -> Generator[TaskEvent, None, None]:
    """Yield the events of a run; the items of a task in order, each once, before the task's end.

    expected: task id → the indices that it makes, in the order in which its items are to come: an
    item comes as soon as all expected before it have come. Items of other tasks come when the
    task ends, by index. Closing this closes ``events``, if they can be closed.

    Raises BackendError if an item comes again with another digest: the task is not deterministic,
    so no stored result could be used.
    """
    items: dict[str, _Items] = {}
    try:
        for event in events:
            if isinstance(event, ItemStored):
                if event.task not in items:
                    items[event.task] = _Items((expected or {}).get(event.task, ()))
                yield from items[event.task].add(event)
                continue
            if isinstance(event, (Done, Failed)) and event.task in items:
                yield from items.pop(event.task).rest()
            yield event
    finally:
        if isinstance(events, Generator):
            events.close()


class _Items:
    """Item events of one task that came too early, and digests of all that came."""

    def __init__(self, expected: Sequence[int]) -> None:
        self._expected = deque(expected)
        self._digests: dict[int, str] = {}
        self._early: dict[int, ItemStored] = {}

    def add(self, event: ItemStored) -> Iterator[ItemStored]:
        """Take one more event; yield all that are next in order."""
        item = event.item
        if item.index in self._digests:
            digest = self._digests[item.index]
            if digest != item.digest:
                raise BackendError(
                    f"{event.task}: item {item.index} was {digest} and became {item.digest} "
                    "when it was made again; the task is not deterministic, please report this"
                )
            return
        self._digests[item.index] = item.digest
        self._early[item.index] = event
        while self._expected and self._expected[0] in self._early:
            yield self._early.pop(self._expected.popleft())

    def rest(self) -> Iterator[ItemStored]:
        """All events that are left, by index."""
        yield from (self._early[index] for index in sorted(self._early))
