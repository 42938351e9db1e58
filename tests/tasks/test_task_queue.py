"""Choose the task that starts next: invariants of random tasks that end in random order."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kadr.errors import BackendError, Cancelled
from kadr.tasks.queue import TaskQueue
from kadr.tasks.task import Task


def make_task(task_id: str, **fields: Any) -> Task:
    return Task(task_id, "m:f", **fields)


def make_queue(cores: int = 2, slots: int = 9, free: int | None = None) -> TaskQueue:
    return TaskQueue(cores, slots, lambda: free)


def start_all(task_queue: TaskQueue) -> list[str]:
    started = []
    while (task := task_queue.next()) is not None:
        started.append(task.id)
    return started


@st.composite
def graphs(draw: st.DrawFn) -> list[Task]:
    tasks: list[Task] = []
    for number in range(draw(st.integers(1, 8))):
        earlier_ids = st.sampled_from([task.id for task in tasks] or [""])
        tasks.append(
            make_task(
                f"{number}",
                cores=draw(st.integers(1, 4)),
                memory=draw(st.integers(0, 12)),
                priority=draw(st.integers(0, 2)),
                after=tuple(draw(st.lists(earlier_ids, max_size=min(number, 2), unique=True))),
            )
        )
    return tasks


@given(graphs(), st.integers(1, 3), st.integers(1, 3), st.data())
@settings(max_examples=100)
def test_all_tasks_run_within_cores_slots_and_memory_and_after_their_dependencies(
    tasks: list[Task], cores: int, slots: int, data: st.DataObject
) -> None:
    task_queue = TaskQueue(cores, slots, lambda: 10)
    by_id, done = {task.id: task for task in tasks}, set()
    for task in tasks:
        task_queue.add(task)
    while not task_queue.all_done:
        for task_id in start_all(task_queue):
            assert set(by_id[task_id].after) <= done
        running = [by_id[task_id] for task_id in task_queue.running]
        assert 1 <= len(running) <= slots
        assert sum(min(task.cores, cores) for task in running) <= cores
        assert len(running) == 1 or sum(task.memory for task in running) <= 10
        shares = task_queue.shares()
        assert sum(shares.values()) == cores
        assert all(shares[task.id] >= min(task.cores, cores) for task in running)
        ended = data.draw(st.sampled_from(task_queue.running))
        task_queue.done(ended)
        done.add(ended)
    assert done == by_id.keys()


def test_a_task_that_does_not_fit_blocks_those_of_lower_priority() -> None:
    task_queue = make_queue(cores=2)
    for task in (
        make_task("a", priority=2),
        make_task("wide", cores=2, priority=1),
        make_task("b"),
    ):
        task_queue.add(task)
    assert start_all(task_queue) == ["a"]
    assert task_queue.shares() == {"a": 2}, "the free core that no waiting task can use yet"
    task_queue.done("a")
    assert start_all(task_queue) == ["wide"]
    task_queue.done("wide")
    assert start_all(task_queue) == ["b"]


def test_memory_that_other_programs_use_meanwhile_is_not_free() -> None:
    free = [100]
    task_queue = TaskQueue(4, 4, lambda: free[0])
    for name in "abc":
        task_queue.add(make_task(name, memory=30))
    assert task_queue.next() is not None
    free[0] = 29
    assert task_queue.next() is None
    free[0] = 30
    assert start_all(task_queue) == ["b", "c"]


def test_free_cores_are_shared_evenly() -> None:
    task_queue = make_queue(cores=8)
    for name in "abc":
        task_queue.add(make_task(name, cores=2))
    start_all(task_queue)
    assert task_queue.shares() == {"a": 3, "b": 3, "c": 2}
    assert make_queue().shares() == {}


def test_a_failure_reaches_all_dependents() -> None:
    task_queue = make_queue()
    for task in (
        make_task("a"),
        make_task("b", after=("a",)),
        make_task("c", after=("b",)),
        make_task("d"),
    ):
        task_queue.add(task)
    task_queue.failed("a", BackendError("lost"))
    blocked = task_queue.blocked()
    assert [event.task for event in blocked] == ["b", "c"]
    assert all(event.lost and isinstance(event.error, BackendError) for event in blocked)
    assert str(blocked[1].error) == "c: not started; b, which it needs, failed"
    task_queue.add(make_task("late", after=("c",)))
    assert [event.task for event in task_queue.blocked()] == ["late"]
    assert task_queue.blocked() == []
    assert start_all(task_queue) == ["d"]
    task_queue.done("d")
    assert not task_queue.all_done


def test_dependents_of_a_cancelled_task_are_cancelled() -> None:
    task_queue = make_queue()
    task_queue.add(make_task("a"))
    task_queue.add(make_task("b", after=("a",)))
    task_queue.failed("a", Cancelled("stopped"))
    (event,) = task_queue.blocked()
    assert isinstance(event.error, Cancelled)
    assert not event.lost


def test_a_task_can_be_requeued() -> None:
    task_queue = make_queue()
    task_queue.add(make_task("a"))
    task_queue.add(make_task("b", after=("a",)))
    assert start_all(task_queue) == ["a"]
    task_queue.requeue("a")
    assert task_queue.running == []
    assert start_all(task_queue) == ["a"]
    task_queue.done("a")
    assert start_all(task_queue) == ["b"]


@given(graphs(), st.data())
@settings(max_examples=100)
def test_the_highest_priority_starts_first_and_of_equals_the_first_that_waits(
    tasks: list[Task], data: st.DataObject
) -> None:
    task_queue, by_id = make_queue(cores=4, slots=1), {task.id: task for task in tasks}
    done, failed = set[str](), set[str]()
    for task in tasks:
        task_queue.add(task)
    while task_queue.waiting:
        ready = [by_id[name] for name in task_queue.waiting if set(by_id[name].after) <= done]
        task = task_queue.next()
        assert task is not None
        assert task.id == max(ready, key=lambda item: item.priority).id
        match data.draw(st.sampled_from(["done", "failed", "lost"])):
            case "done":
                task_queue.done(task.id)
                done.add(task.id)
            case "failed":
                task_queue.failed(task.id, BackendError("it failed"))
                failed.add(task.id)
                waiting = task_queue.waiting
                blocked = [event.task for event in task_queue.blocked()]
                failed |= {*blocked}
                assert blocked == [name for name in waiting if name not in task_queue.waiting]
                assert all(failed & {*by_id[name].after} for name in blocked)
                assert not any(failed & {*by_id[name].after} for name in task_queue.waiting)
            case "lost":
                task_queue.requeue(task.id)
