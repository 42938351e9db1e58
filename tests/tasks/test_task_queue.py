"""Which task starts next: invariants of random tasks that end in random order."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kadr.errors import BackendError, Cancelled
from kadr.tasks.queue import TaskQueue
from kadr.tasks.task import Task


def job(task_id: str, **more: Any) -> Task:
    return Task(task_id, "m:f", **more)


def task_queue(cores: int = 2, slots: int = 9, free: int | None = None) -> TaskQueue:
    return TaskQueue(cores, slots, lambda: free)


def take(from_queue: TaskQueue) -> list[str]:
    taken = []
    while (task := from_queue.next()) is not None:
        taken.append(task.id)
    return taken


@st.composite
def graphs(draw: st.DrawFn) -> list[Task]:
    tasks: list[Task] = []
    for number in range(draw(st.integers(1, 8))):
        before = st.sampled_from([task.id for task in tasks] or [""])
        tasks.append(
            job(
                f"{number}",
                cores=draw(st.integers(1, 4)),
                memory=draw(st.integers(0, 12)),
                priority=draw(st.integers(0, 2)),
                after=tuple(draw(st.lists(before, max_size=min(number, 2), unique=True))),
            )
        )
    return tasks


@given(graphs(), st.integers(1, 3), st.integers(1, 3), st.data())
@settings(max_examples=100)
def test_all_tasks_run_within_cores_slots_and_memory_and_after_those_they_name(
    tasks: list[Task], cores: int, slots: int, data: st.DataObject
) -> None:
    on, by_id, done = TaskQueue(cores, slots, lambda: 10), {task.id: task for task in tasks}, set()
    for task in tasks:
        on.add(task)
    while not on.all_done:
        for task_id in take(on):
            assert set(by_id[task_id].after) <= done
        running = [by_id[task_id] for task_id in on.running]
        assert 1 <= len(running) <= slots
        assert sum(min(task.cores, cores) for task in running) <= cores
        assert len(running) == 1 or sum(task.memory for task in running) <= 10
        shares = on.shares()
        assert sum(shares.values()) == cores
        assert all(shares[task.id] >= min(task.cores, cores) for task in running)
        ended = data.draw(st.sampled_from(on.running))
        on.done(ended)
        done.add(ended)
    assert done == by_id.keys()


def test_what_does_not_fit_holds_up_those_behind_it() -> None:
    on = task_queue(cores=2)
    for task in (job("a", priority=2), job("wide", cores=2, priority=1), job("b")):
        on.add(task)
    assert take(on) == ["a"]
    assert on.shares() == {"a": 2}, "the core that nobody may have yet"
    on.done("a")
    assert take(on) == ["wide"]
    on.done("wide")
    assert take(on) == ["b"]


def test_memory_that_others_took_meanwhile_is_not_promised_again() -> None:
    free = [100]
    on = TaskQueue(4, 4, lambda: free[0])
    for name in "abc":
        on.add(job(name, memory=30))
    assert on.next() is not None
    free[0] = 29
    assert on.next() is None
    free[0] = 30
    assert take(on) == ["b", "c"]


def test_left_over_cores_go_round() -> None:
    on = task_queue(cores=8)
    for name in "abc":
        on.add(job(name, cores=2))
    take(on)
    assert on.shares() == {"a": 3, "b": 3, "c": 2}
    assert task_queue().shares() == {}


def test_a_failure_reaches_all_that_come_after_it() -> None:
    on = task_queue()
    for task in (job("a"), job("b", after=("a",)), job("c", after=("b",)), job("d")):
        on.add(task)
    on.failed("a", BackendError("lost"))
    blocked = on.blocked()
    assert [event.task for event in blocked] == ["b", "c"]
    assert all(event.lost and isinstance(event.error, BackendError) for event in blocked)
    assert str(blocked[1].error) == "c: not started; b, which it needs, failed"
    on.add(job("late", after=("c",)))
    assert [event.task for event in on.blocked()] == ["late"]
    assert on.blocked() == []
    assert take(on) == ["d"]
    on.done("d")
    assert not on.all_done


def test_what_comes_after_a_stopped_task_was_stopped_too() -> None:
    on = task_queue()
    on.add(job("a"))
    on.add(job("b", after=("a",)))
    on.failed("a", Cancelled("stopped"))
    (event,) = on.blocked()
    assert isinstance(event.error, Cancelled)
    assert not event.lost


def test_a_task_can_be_run_again() -> None:
    on = task_queue()
    on.add(job("a"))
    on.add(job("b", after=("a",)))
    assert take(on) == ["a"]
    on.requeue("a")
    assert on.running == []
    assert take(on) == ["a"]
    on.done("a")
    assert take(on) == ["b"]
