"""One contract for every Executor."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from task_functions import digest

from kadr.core.events import CancelToken
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
from kadr.tasks.process_executor import ProcessExecutor
from kadr.tasks.task import Item, Task, digest_of

EXECUTORS: dict[str, Callable[[], Executor]] = {
    "inline": lambda: InlineExecutor(2),
    "local": lambda: ProcessExecutor(2),
}


@pytest.fixture(scope="module", params=EXECUTORS)
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    """Shared by all tests of the module, so that processes start once; each run is its own."""
    with EXECUTORS[request.param]() as made:
        yield made


def job(task_id: str, function: str = "count", **more: Any) -> Task:
    values = {"start": 0, "stop": 2, **more.pop("values", {})}
    return Task(task_id, f"task_functions:{function}", values, **more)


def ends(events: Iterable[TaskEvent]) -> dict[str, Done | Failed]:
    return {event.task: event for event in events if isinstance(event, (Done, Failed))}


def started(events: Iterable[TaskEvent]) -> list[str]:
    return [event.task for event in events if isinstance(event, Started)]


def test_tells_of_start_items_and_end_with_a_digest_of_all_items(executor: Executor) -> None:
    tasks = [job("a", seed=5, values={"stop": 3}), job("b", seed=6)]
    events = list(executor.run(tasks, window=4))
    for task in tasks:
        own = [event for event in events if event.task == task.id]
        items = [
            Item(i, f"{task.id}/{i}", digest(task.seed, i)) for i in range(task.values["stop"])
        ]
        assert isinstance(own[0], Started)
        assert own[0].attempt == 1
        assert own[1:-1] == [ItemStored(task.id, item) for item in items]
        assert own[-1] == Done(task.id, digest_of({item.index: item.digest for item in items}))
    assert len(ends(events)) == 2


def test_digests_are_the_same_wherever_a_task_runs(executor: Executor) -> None:
    tasks = [job(f"{n}", seed=n, values={"stop": n}) for n in range(5)]
    with InlineExecutor(1) as other:
        known = ends(other.run(tasks, window=1))
    assert ends(executor.run(tasks, window=3)) == known
    assert len({event.digest for event in known.values() if isinstance(event, Done)}) == 5


def test_values_and_lines_for_people_arrive(executor: Executor) -> None:
    task = job("ä 1", "tell_values", values={"list": [1, [2.5, None]], "map": {"x": "“y”"}}, seed=3)
    events = list(executor.run([task], window=1))
    assert events[1:-1] == [
        NoticeGiven(task.id, "told"),
        NoticeGiven(task.id, task.to_json()),
        TaskProgress(task.id, 1, 2),
    ]


def test_a_task_starts_after_those_it_names(executor: Executor) -> None:
    tasks = [
        job("a"),
        job("b"),
        job("both", after=("a", "b"), priority=9),
        job("last", after=("both",), priority=10),
    ]
    events = list(executor.run(tasks, window=8))
    place = {(type(event), event.task): at for at, event in enumerate(events)}
    assert place[Done, "a"] < place[Started, "both"]
    assert place[Done, "b"] < place[Started, "both"]
    assert place[Done, "both"] < place[Started, "last"]
    assert len(ends(events)) == 4


def test_high_priority_goes_first_and_of_equals_the_first_drawn(executor: Executor) -> None:
    tasks = [job(f"{n}", priority=float(n % 3), cores=2) for n in range(6)]
    assert started(executor.run(tasks, window=6)) == ["2", "5", "1", "4", "0", "3"]


def test_tasks_are_drawn_no_further_than_the_window(executor: Executor) -> None:
    drawn, ended = 0, 0

    def tasks() -> Iterator[Task]:
        nonlocal drawn
        for number in range(9):
            drawn += 1
            assert drawn - ended <= 3
            yield job(f"{number}")

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
def test_an_error_of_the_code_stops_all_and_is_not_tried_again(
    executor: Executor, tmp_path: Path, kind: str, error: Exception
) -> None:
    drawn = []

    def tasks() -> Iterator[Task]:
        for task in (
            job("bad", "fail", values={"kind": kind, "runs": f"{tmp_path / 'runs'}"}, priority=1),
            job("other", "wait"),
            job("follower", after=("bad",)),
            job("undrawn"),
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


def test_a_function_that_is_not_there_is_an_error_that_names_it(executor: Executor) -> None:
    for function in ("task_functions:nothing", "no_such_module:count"):
        (end,) = ends(executor.run([Task("a", function)], window=1)).values()
        assert isinstance(end, Failed)
        assert isinstance(end.error, OptionsError)
        assert function in str(end.error)


@pytest.mark.parametrize("function", ["wait", "wait_inside"])
def test_a_task_can_be_stopped_and_the_others_go_on(executor: Executor, function: str) -> None:
    tasks = [job("a", function), job("after a", after=("a",)), job("b"), job("after b", "count")]
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


def test_a_task_that_waits_can_be_stopped(executor: Executor) -> None:
    events = []
    for event in executor.run([job("a"), job("b", after=("a",)), job("c")], window=8):
        if not events:
            executor.cancel("b", grace=20)
        events.append(event)
    assert [type(end) for end in ends(events).values()].count(Done) == 2
    assert isinstance(ends(events)["b"], Failed)
    assert "b" not in started(events)


@pytest.mark.parametrize("function", ["wait", "wait_inside"])
def test_a_raised_flag_stops_the_run_at_the_next_frames(executor: Executor, function: str) -> None:
    flag, events = CancelToken(), []
    run = executor.run((job(f"{number}", function) for number in range(99)), 4, flag)
    for event in run:
        events.append(event)
        if isinstance(event, NoticeGiven):
            # as a signal's handler or a page would, while the run waits
            threading.Timer(0.05, flag.cancel).start()
        if len(ends(events)) == 4:
            break
    with pytest.raises(Cancelled):
        next(run)
    ended = ends(events)
    assert len(ended) == 4
    assert all(isinstance(end, Failed) and not end.lost for end in ended.values())
    assert [event.task for event in events[-4:]] == list(ended), "told of once none runs"


def test_a_flag_raised_too_late_stops_nothing(executor: Executor) -> None:
    flag = CancelToken()
    for event in executor.run([job("a")], 2, flag):  # so it is known that no more come
        if isinstance(event, Done):
            flag.cancel()
    with pytest.raises(Cancelled):
        list(executor.run([job("a")], 1, flag))


def test_tasks_that_contradict_each_other_are_refused(executor: Executor) -> None:
    with pytest.raises(OptionsError, match="task b: comes after 'c', which is unknown"):
        list(executor.run([job("b", after=("c",)), job("c")], window=2))
    with pytest.raises(OptionsError, match="task a: this id was used already"):
        list(executor.run([job("a"), job("a")], window=1))
    with pytest.raises(OptionsError, match="window 0"):
        list(executor.run([], window=0))


def test_an_error_while_drawing_comes_through(executor: Executor) -> None:
    def tasks() -> Iterator[Task]:
        yield job("a", "wait")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(executor.run(tasks(), window=2))
    assert list(executor.run([], window=1)) == []


def test_one_run_at_a_time_and_closing_it_makes_room_for_the_next(executor: Executor) -> None:
    first = executor.run([job("a", "wait"), job("b", "wait")], window=2)
    assert isinstance(next(first), Started)
    with pytest.raises(RuntimeError, match="runs already"):
        next(executor.run([job("c")], window=1))
    first.close()
    assert [type(event) for event in ends(executor.run([job("a")], window=1)).values()] == [Done]


def test_a_task_has_the_threads_that_it_is_told_of(executor: Executor) -> None:
    for cores in (1, 2, 64):
        events = list(executor.run([job("a", "tell_threads", cores=cores)], window=1))
        (began,) = [event for event in events if isinstance(event, Started)]
        (told,) = [event.text for event in events if isinstance(event, NoticeGiven)]
        assert began.threads == executor.cores
        assert set(told.split()) <= {f"{executor.cores}", "1"}, "1: on a machine of one core"


@pytest.mark.parametrize("made", EXECUTORS.values(), ids=EXECUTORS)
def test_a_closed_executor_runs_nothing(made: Callable[[], Executor]) -> None:
    executor = made()
    executor.close()
    executor.close()
    with pytest.raises(RuntimeError, match="closed"):
        next(executor.run([job("a")], window=1))


def test_senseless_numbers_are_refused() -> None:
    with pytest.raises(OptionsError, match="cores 0"):
        InlineExecutor(0)
    with pytest.raises(OptionsError, match="workers -1"):
        ProcessExecutor(workers=-1)
    with pytest.raises(OptionsError, match="memory 0"):
        ProcessExecutor(memory=0)
