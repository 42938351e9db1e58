"""One contract suite that every Executor passes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from task_functions import digest

from kadr.core.events import CancelToken
from kadr.core.stage_times import MAIN, OTHER, WORKERS
from kadr.errors import Cancelled, InputError, OptionsError, OutputError
from kadr.tasks.executor import (
    Done,
    Executor,
    Failed,
    ItemStored,
    NoticeGiven,
    Started,
    TaskEvent,
    TaskProgress,
)
from kadr.tasks.inline_executor import InlineExecutor
from kadr.tasks.ordered import in_task_order
from kadr.tasks.process_executor import ProcessExecutor
from kadr.tasks.task import Item, Task, digest_of

EXECUTORS: dict[str, Callable[[], Executor]] = {
    "inline": lambda: InlineExecutor(2),
    "local": lambda: ProcessExecutor(2),
}


@pytest.fixture(scope="module", params=EXECUTORS)
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    """One executor for all tests of the module, so that processes start only once."""
    with EXECUTORS[request.param]() as executor:
        yield executor


def make_task(task_id: str, function: str = "count", **fields: Any) -> Task:
    values = {"start": 0, "stop": 2, **fields.pop("values", {})}
    return Task(task_id, f"task_functions:{function}", values, **fields)


def ends(events: Iterable[TaskEvent]) -> dict[str, Done | Failed]:
    return {event.task: event for event in events if isinstance(event, (Done, Failed))}


def started(events: Iterable[TaskEvent]) -> list[str]:
    return [event.task for event in events if isinstance(event, Started)]


def test_events_report_start_items_and_end_with_a_digest_of_all_items(executor: Executor) -> None:
    tasks = [make_task("a", seed=5, values={"stop": 3}), make_task("b", seed=6)]
    events = list(executor.run(tasks, window=4))
    for task in tasks:
        task_events = [event for event in events if event.task == task.id]
        items = [
            Item(i, f"{task.id}/{i}", digest(task.seed, i)) for i in range(task.values["stop"])
        ]
        assert isinstance(task_events[0], Started)
        assert task_events[0].attempt == 1
        assert task_events[1:-1] == [ItemStored(task.id, item) for item in items]
        assert task_events[-1] == Done(
            task.id, digest_of({item.index: item.digest for item in items})
        )
    assert len(ends(events)) == 2


def test_digests_are_the_same_in_every_executor(executor: Executor) -> None:
    tasks = [make_task(f"{n}", seed=n, values={"stop": n}) for n in range(5)]
    with InlineExecutor(1) as other:
        expected = ends(other.run(tasks, window=1))
    assert ends(executor.run(tasks, window=3)) == expected
    assert len({event.digest for event in expected.values() if isinstance(event, Done)}) == 5


def test_values_notices_and_progress_arrive(executor: Executor) -> None:
    task = make_task(
        "ä 1", "report_values", values={"list": [1, [2.5, None]], "map": {"x": "“y”"}}, seed=3
    )
    events = list(executor.run([task], window=1))
    assert events[1:-1] == [
        NoticeGiven(task.id, "notified"),
        NoticeGiven(task.id, task.to_json()),
        TaskProgress(task.id, 1, 2),
    ]


def test_a_task_starts_after_its_dependencies(executor: Executor) -> None:
    tasks = [
        make_task("a"),
        make_task("b"),
        make_task("both", after=("a", "b"), priority=9),
        make_task("last", after=("both",), priority=10),
    ]
    events = list(executor.run(tasks, window=8))
    positions = {(type(event), event.task): position for position, event in enumerate(events)}
    assert positions[Done, "a"] < positions[Started, "both"]
    assert positions[Done, "b"] < positions[Started, "both"]
    assert positions[Done, "both"] < positions[Started, "last"]
    assert len(ends(events)) == 4


def test_high_priority_starts_first_and_equal_tasks_start_in_order(executor: Executor) -> None:
    tasks = [make_task(f"{n}", priority=float(n % 3), cores=2) for n in range(6)]
    assert started(executor.run(tasks, window=6)) == ["2", "5", "1", "4", "0", "3"]


def test_tasks_are_drawn_no_further_than_the_window(executor: Executor) -> None:
    drawn, ended = 0, 0

    def tasks() -> Iterator[Task]:
        nonlocal drawn
        for number in range(9):
            drawn += 1
            assert drawn - ended <= 3
            yield make_task(f"{number}")

    for event in executor.run(tasks(), window=3):
        ended += isinstance(event, Done)
        assert drawn - ended <= 3
    assert (drawn, ended) == (9, 9)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("value", ValueError("seven is too many")),
        ("input", InputError("clip.mp4: not a clip; give another")),
        ("output", OutputError("out.png: cannot be written (no space left); free some")),
        ("system", FileNotFoundError(2, "No such file or directory", "gone.png")),
    ],
)
def test_an_exception_stops_the_run_and_is_not_retried(
    executor: Executor, tmp_path: Path, kind: str, error: Exception
) -> None:
    drawn = []

    def tasks() -> Iterator[Task]:
        for task in (
            make_task(
                "bad", "fail", values={"kind": kind, "runs": f"{tmp_path / 'runs'}"}, priority=1
            ),
            make_task("other", "wait"),
            make_task("follower", after=("bad",)),
            make_task("undrawn"),
        ):
            drawn.append(task.id)
            yield task

    events = list(executor.run(tasks(), window=3))
    ended = ends(events)
    assert next(iter(ended)) == "bad"
    bad = ended["bad"]
    assert isinstance(bad, Failed)
    assert (type(bad.error), str(bad.error)) == (type(error), str(error))
    assert bad.error.args == error.args
    assert not bad.lost
    for name in ("other", "follower"):
        stopped = ended[name]
        assert isinstance(stopped, Failed)
        assert isinstance(stopped.error, Cancelled)
    assert drawn == ["bad", "other", "follower"]
    assert (tmp_path / "runs").read_text() == "x"
    assert "follower" not in started(events)


def test_an_unknown_function_is_an_error_that_names_it(executor: Executor) -> None:
    for function in ("task_functions:nothing", "no_such_module:count"):
        (end,) = ends(executor.run([Task("a", function)], window=1)).values()
        assert isinstance(end, Failed)
        assert isinstance(end.error, OptionsError)
        assert function in str(end.error)


@pytest.mark.parametrize("function", ["wait", "wait_inside"])
def test_a_running_task_can_be_cancelled_and_the_others_go_on(
    executor: Executor, function: str
) -> None:
    tasks = [
        make_task("a", function),
        make_task("after a", after=("a",)),
        make_task("b"),
        make_task("after b", "count"),
    ]
    events = []
    for event in executor.run(tasks, window=8):
        events.append(event)
        if isinstance(event, NoticeGiven):
            executor.cancel("a", grace=20)
            executor.cancel("unknown", grace=20)
    ended = ends(events)
    for name in ("a", "after a"):
        end = ended[name]
        assert isinstance(end, Failed)
        assert isinstance(end.error, Cancelled)
        assert not end.lost
    assert isinstance(ended["b"], Done)
    assert isinstance(ended["after b"], Done)
    assert "after a" not in started(events)


def test_a_queued_task_can_be_cancelled(executor: Executor) -> None:
    events = []
    for event in executor.run(
        [make_task("a"), make_task("b", after=("a",)), make_task("c")], window=8
    ):
        if not events:
            executor.cancel("b", grace=20)
        events.append(event)
    assert [type(end) for end in ends(events).values()].count(Done) == 2
    assert isinstance(ends(events)["b"], Failed)
    assert "b" not in started(events)


@pytest.mark.parametrize("function", ["wait", "wait_inside"])
def test_cancelling_stops_the_run_at_the_next_items(executor: Executor, function: str) -> None:
    cancel, events = CancelToken(), []
    run = executor.run((make_task(f"{number}", function) for number in range(99)), 4, cancel)
    for event in run:
        events.append(event)
        if isinstance(event, NoticeGiven):
            # as a signal handler or the studio does while the run waits
            threading.Timer(0.05, cancel.cancel).start()
        if len(ends(events)) == 4:
            break
    with pytest.raises(Cancelled):
        next(run)
    ended = ends(events)
    assert len(ended) == 4
    assert all(isinstance(end, Failed) and not end.lost for end in ended.values())
    assert [event.task for event in events[-4:]] == list(ended), (
        "reported after all tasks have stopped"
    )


def test_cancelling_after_the_last_task_stops_nothing(executor: Executor) -> None:
    cancel = CancelToken()
    for event in executor.run(
        [make_task("a")], 2, cancel
    ):  # the window has room: no other task follows
        if isinstance(event, Done):
            cancel.cancel()
    with pytest.raises(Cancelled):
        list(executor.run([make_task("a")], 1, cancel))


def test_unknown_dependencies_and_repeated_ids_are_refused(executor: Executor) -> None:
    with pytest.raises(OptionsError, match="task b: comes after 'c', which is unknown"):
        list(executor.run([make_task("b", after=("c",)), make_task("c")], window=2))
    with pytest.raises(OptionsError, match="task a: this id was used already"):
        list(executor.run([make_task("a"), make_task("a")], window=1))
    with pytest.raises(OptionsError, match="window 0"):
        list(executor.run([], window=0))


def test_an_error_in_the_iterator_of_tasks_is_raised(executor: Executor) -> None:
    def tasks() -> Iterator[Task]:
        yield make_task("a", "wait")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(executor.run(tasks(), window=2))
    assert list(executor.run([], window=1)) == []


def test_a_second_run_starts_only_after_the_first_is_closed(executor: Executor) -> None:
    first = executor.run([make_task("a", "wait"), make_task("b", "wait")], window=2)
    assert isinstance(next(first), Started)
    with pytest.raises(RuntimeError, match="runs already"):
        next(executor.run([make_task("c")], window=1))
    first.close()
    assert [type(event) for event in ends(executor.run([make_task("a")], window=1)).values()] == [
        Done
    ]


def test_a_task_gets_the_reported_number_of_threads(executor: Executor) -> None:
    for cores in (1, 2, 64):
        events = list(executor.run([make_task("a", "report_threads", cores=cores)], window=1))
        (start,) = [event for event in events if isinstance(event, Started)]
        (notice,) = [event.text for event in events if isinstance(event, NoticeGiven)]
        assert start.threads == executor.cores
        assert set(notice.split()) <= {f"{executor.cores}", "1"}, "1: on a machine with one core"


@pytest.mark.parametrize("create", EXECUTORS.values(), ids=EXECUTORS)
def test_a_closed_executor_runs_nothing(create: Callable[[], Executor]) -> None:
    executor = create()
    executor.close()
    executor.close()
    with pytest.raises(RuntimeError, match="closed"):
        next(executor.run([make_task("a")], window=1))


def test_invalid_numbers_are_refused() -> None:
    with pytest.raises(OptionsError, match="cores 0"):
        InlineExecutor(0)
    with pytest.raises(OptionsError, match="workers -1"):
        ProcessExecutor(workers=-1)
    with pytest.raises(OptionsError, match="memory 0"):
        ProcessExecutor(memory=0)


def test_a_slow_reader_gets_every_item_once_and_in_order(executor: Executor) -> None:
    tasks = [make_task(f"{number}", seed=number, values={"stop": 50}) for number in range(6)]
    events = []
    for event in in_task_order(executor.run(tasks, window=2)):
        if len(events) % 40 == 0:
            time.sleep(0.05)
        events.append(event)
    indices = {
        task.id: [e.item.index for e in events if isinstance(e, ItemStored) and e.task == task.id]
        for task in tasks
    }
    assert set(map(tuple, indices.values())) == {tuple(range(50))}
    assert all(isinstance(end, Done) for end in ends(events).values())


def test_items_bring_what_their_processes_counted(executor: Executor) -> None:
    task = make_task("with times", type="counting", values={"stop": 3})
    items = [item for item in executor.run([task], window=1) if isinstance(item, ItemStored)]
    assert len(items) == 3
    for item in items:
        assert item.stage_times["counting", ""] > 0
        kind = MAIN if isinstance(executor, InlineExecutor) else WORKERS
        assert {name for step, name in item.stage_times if step == OTHER} == {kind}
