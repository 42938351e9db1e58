"""Put items in order: each comes out once, and one with another digest is an error."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kadr.errors import BackendError
from kadr.tasks.executor import Done, Failed, ItemStored, NoticeGiven, Started, TaskEvent
from kadr.tasks.ordered import in_task_order
from kadr.tasks.task import Item


def stored(task: str, index: int, digest: str = "") -> ItemStored:
    return ItemStored(task, Item(index, f"{task}/{index}", digest or f"{task}{index}"))


def indices(events: list[TaskEvent], task: str) -> list[int]:
    return [e.item.index for e in events if isinstance(e, ItemStored) and e.task == task]


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 5)), max_size=30),
    st.lists(st.integers(0, 5), unique=True),
    st.booleans(),
)
def test_items_come_once_and_in_order_before_their_task_ends(
    arrivals: list[tuple[str, int]], order: list[int], fails: bool
) -> None:
    end: TaskEvent = Failed("a", BackendError("lost"), lost=True) if fails else Done("a", "x")
    events = [*(stored(task, index) for task, index in arrivals), end, Done("b", "y")]
    ordered = list(in_task_order(events, {"b": order}))
    assert indices(ordered, "a") == sorted({index for task, index in arrivals if task == "a"})
    assert ordered.index(end) == len(ordered) - 2 - len(indices(ordered[ordered.index(end) :], "b"))
    arrived = {index for task, index in arrivals if task == "b"}
    in_turn = [
        index for position, index in enumerate(order) if set(order[: position + 1]) <= arrived
    ]
    assert indices(ordered, "b") == in_turn + sorted(arrived - set(in_turn))
    assert ordered[-1] == Done("b", "y")


def test_an_item_comes_as_soon_as_its_predecessors_came() -> None:
    events = in_task_order(
        [stored("a", 7), stored("a", 9), stored("a", 8), Done("a", "")], {"a": [9, 8, 7]}
    )
    assert indices([next(events), next(events), next(events)], "a") == [9, 8, 7]
    source = iter([stored("a", 9), NoticeGiven("a", "x"), Done("a", "")])
    assert next(in_task_order(source, {"a": [9]})) == stored("a", 9)
    assert next(source) == NoticeGiven("a", "x"), "nothing was read ahead"


def test_other_events_pass_unchanged() -> None:
    events = [Started("a", 1, 1), NoticeGiven("a", "x"), Done("a", "")]
    assert list(in_task_order(events)) == events


def test_an_item_with_another_digest_is_an_error_that_names_it() -> None:
    events = [stored("a", 3, "old"), stored("b", 3, "new"), stored("a", 3, "new")]
    with pytest.raises(BackendError, match="a: item 3 was old and became new"):
        list(in_task_order(events))


def test_closing_closes_the_run() -> None:
    closed = []

    def run() -> Iterator[TaskEvent]:
        try:
            yield Started("a", 1, 1)
            yield Done("a", "")
        finally:
            closed.append(True)

    events = in_task_order(run())
    next(events)
    events.close()
    assert closed == [True]
