"""Items in any order in, in order and once out; what differs is named."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kadr.errors import BackendError
from kadr.tasks.executor import Done, Failed, ItemStored, NoticeGiven, Started, TaskEvent
from kadr.tasks.ordered import in_task_order
from kadr.tasks.task import Item


def made(task: str, index: int, digest: str = "") -> ItemStored:
    return ItemStored(task, Item(index, f"{task}/{index}", digest or f"{task}{index}"))


def indices(events: list[TaskEvent], task: str) -> list[int]:
    return [e.item.index for e in events if isinstance(e, ItemStored) and e.task == task]


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 5)), max_size=30),
    st.lists(st.integers(0, 5), unique=True),
    st.booleans(),
)
def test_each_item_comes_once_and_in_order_before_its_tasks_end(
    arrivals: list[tuple[str, int]], wanted: list[int], fails: bool
) -> None:
    end: TaskEvent = Failed("a", BackendError("lost"), lost=True) if fails else Done("a", "x")
    events = [*(made(*each) for each in arrivals), end, Done("b", "y")]
    given_out = list(in_task_order(events, {"b": wanted}))
    assert indices(given_out, "a") == sorted({index for task, index in arrivals if task == "a"})
    assert given_out.index(end) == len(given_out) - 2 - len(
        indices(given_out[given_out.index(end) :], "b")
    )
    b = {index for task, index in arrivals if task == "b"}
    turn = [index for at, index in enumerate(wanted) if set(wanted[: at + 1]) <= b]
    assert indices(given_out, "b") == turn + sorted(b - set(turn))
    assert given_out[-1] == Done("b", "y")


def test_expected_items_come_as_soon_as_it_is_their_turn() -> None:
    events = in_task_order(
        [made("a", 7), made("a", 9), made("a", 8), Done("a", "")], {"a": [9, 8, 7]}
    )
    assert indices([next(events), next(events), next(events)], "a") == [9, 8, 7]
    source = iter([made("a", 9), NoticeGiven("a", "x"), Done("a", "")])
    assert next(in_task_order(source, {"a": [9]})) == made("a", 9)
    assert next(source) == NoticeGiven("a", "x"), "nothing was read ahead"


def test_other_events_pass_as_they_are() -> None:
    events = [Started("a", 1, 1), NoticeGiven("a", "x"), Done("a", "")]
    assert list(in_task_order(events)) == events


def test_an_item_that_comes_out_differently_is_an_error_that_names_it() -> None:
    events = [made("a", 3, "old"), made("b", 3, "new"), made("a", 3, "new")]
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
