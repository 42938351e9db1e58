"""Worker processes that are lost, stopped or without a parent; their cores and memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kadr.errors import BackendError, Cancelled
from kadr.tasks.executor import Done, Failed, ItemStored, NoticeGiven, Started, TaskEvent
from kadr.tasks.inline_executor import InlineExecutor
from kadr.tasks.ordered import in_task_order
from kadr.tasks.process_executor import ProcessExecutor
from kadr.tasks.supervisor import COMPILING
from kadr.tasks.task import Task

posix = pytest.mark.skipif(sys.platform == "win32", reason="it has no signals between processes")


@pytest.fixture(scope="module")
def executor() -> Iterator[ProcessExecutor]:
    with ProcessExecutor(2) as executor:
        yield executor


def make_task(task_id: str, function: str, after: tuple[str, ...] = (), **values: Any) -> Task:
    return Task(task_id, f"task_functions:{function}", values, after=after, retries=2)


def ends(events: Iterable[TaskEvent]) -> dict[str, Done | Failed]:
    return {event.task: event for event in events if isinstance(event, (Done, Failed))}


def failure(events: Iterable[TaskEvent], task_id: str) -> Failed:
    end = ends(events)[task_id]
    assert isinstance(end, Failed)
    return end


def notices(events: Iterable[TaskEvent], task_id: str) -> list[str]:
    return [e.text for e in events if isinstance(e, NoticeGiven) and e.task == task_id]


def attempts(events: Iterable[TaskEvent], task_id: str) -> list[int]:
    return [e.attempt for e in events if isinstance(e, Started) and e.task == task_id]


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie process does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return not Path("/proc/self/stat").exists()


def end_within(pids: Iterable[int], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while any(map(alive, pids)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@posix
def test_the_task_of_a_killed_worker_is_retried_with_the_same_result(
    executor: ProcessExecutor, tmp_path: Path
) -> None:
    (tmp_path / "calm").mkdir()
    tasks = [
        make_task("a", "die", folder=str(tmp_path), stop=4, fatal_index=2, deaths=2),
        make_task("b", "die", folder=str(tmp_path), stop=4, fatal_index=4, deaths=0),
        make_task(
            "after", "die", ("a", "b"), folder=str(tmp_path), stop=1, fatal_index=1, deaths=0
        ),
    ]
    events = list(in_task_order(executor.run(tasks, window=3)))
    assert attempts(events, "a") == [1, 2, 3]
    assert attempts(events, "b") == attempts(events, "after") == [1]
    retries = notices(events, "a")
    assert [line.rpartition("; ")[2] for line in retries] == [
        "trying again (1 of 2)",
        "trying again (2 of 2)",
    ]
    assert all("killed" in line for line in retries)
    items = [event.item.index for event in events if isinstance(event, ItemStored)]
    assert sorted(items) == [0, 0, 0, 1, 1, 2, 2, 3, 3], "each once, though computed three times"
    with InlineExecutor(1) as inline:
        (tmp_path / "calm").mkdir(exist_ok=True)
        calm = make_task("a", "die", folder=str(tmp_path / "calm"), stop=4, fatal_index=4, deaths=0)
        assert ends(inline.run([calm], 1))["a"] == ends(events)["a"]


@posix
def test_a_lost_worker_is_reported_with_its_signal_and_its_last_output(
    executor: ProcessExecutor, tmp_path: Path
) -> None:
    task = make_task("a", "die", folder=str(tmp_path), stop=4, fatal_index=2, deaths=1)
    (retry,) = notices(executor.run([task], window=1), "a")
    assert "killed by SIGKILL" in retry
    assert "its last output: these are the last words" in retry


@posix
def test_a_worker_killed_from_outside_is_replaced(executor: ProcessExecutor) -> None:
    events, killed = [], []
    for event in executor.run([make_task("a", "report_pid", seconds=0.5)], window=1):
        events.append(event)
        if isinstance(event, NoticeGiven) and event.text.isdecimal() and not killed:
            killed.append(int(event.text))
            os.kill(killed[0], signal.SIGKILL)
    assert attempts(events, "a") == [1, 2]
    assert isinstance(ends(events)["a"], Done)
    assert end_within(killed, 5)


@posix
def test_a_task_out_of_retries_fails_with_its_dependents_only(
    executor: ProcessExecutor, tmp_path: Path
) -> None:
    tasks = [
        make_task("a", "die", folder=str(tmp_path), stop=4, fatal_index=2, deaths=9),
        make_task("after a", "die", ("a",), folder=str(tmp_path), stop=4, fatal_index=4, deaths=0),
        make_task("b", "report_pid", seconds=0.5),
        make_task("after b", "report_pid", ("b",)),
    ]
    events = list(executor.run(tasks, window=4))
    assert attempts(events, "a") == [1, 2, 3]
    failed = failure(events, "a")
    assert failed.lost
    assert isinstance(failed.error, BackendError)
    assert "a: its worker was lost 3 times (" in str(failed.error)
    follower = failure(events, "after a")
    assert follower.lost
    assert str(follower.error) == "after a: not started; a, which it needs, failed"
    assert isinstance(ends(events)["after b"], Done)


def test_a_memory_error_counts_as_a_lost_worker(executor: ProcessExecutor, tmp_path: Path) -> None:
    task = make_task("a", "fail", kind="memory", runs=str(tmp_path / "runs"))
    events = list(executor.run([task], window=1))
    assert (tmp_path / "runs").read_text() == "xxx"
    assert failure(events, "a").lost
    assert "a: not enough memory; " in str(failure(events, "a").error)


@pytest.mark.parametrize(
    ("kind", "text"), [("stubborn", "StubbornError: this and that"), ("exit", "SystemExit: 3")]
)
def test_an_error_that_cannot_be_unpickled_arrives_as_text(
    executor: ProcessExecutor, tmp_path: Path, kind: str, text: str
) -> None:
    events = list(executor.run([make_task("a", "fail", kind=kind, runs=str(tmp_path / "runs"))], 1))
    error = failure(events, "a").error
    assert (type(error), str(error)) == (RuntimeError, text), "no error for the user"
    assert any("task_functions.py" in note for note in error.__notes__), "where it was raised"
    assert (tmp_path / "runs").read_text() == "x"


def test_a_task_that_ignores_a_cancellation_is_killed_after_the_grace_time(
    executor: ProcessExecutor,
) -> None:
    events = []
    for event in executor.run(
        [make_task("a", "ignore_cancel"), make_task("b", "report_pid")], window=2
    ):
        events.append(event)
        if isinstance(event, NoticeGiven) and event.task == "a":
            executor.cancel("a", grace=0.1)
            cancelled_at = time.monotonic()
    assert time.monotonic() - cancelled_at < 25, "it would run for half a minute"
    assert isinstance(failure(events, "a").error, Cancelled)
    assert attempts(events, "a") == [1]
    assert end_within([int(notices(events, "a")[0])], 5)
    assert isinstance(ends(events)["b"], Done)


def test_closing_a_run_ends_its_tasks_at_once(executor: ProcessExecutor) -> None:
    events = executor.run([make_task("a", "ignore_cancel"), make_task("b", "wait")], window=2)
    pids = set()
    for event in events:
        if isinstance(event, NoticeGiven):
            pids.add(int(event.text))
        if len(pids) == 2:
            break
    events.close()
    assert end_within(pids, 5)
    assert isinstance(ends(executor.run([make_task("a", "report_pid")], 1))["a"], Done)


def test_closing_the_executor_ends_its_processes_even_during_a_run() -> None:
    executor = ProcessExecutor(2)
    events = executor.run([make_task("a", "wait"), make_task("b", "report_pid")], window=2)
    pids: dict[str, int] = {}
    for event in events:
        if isinstance(event, NoticeGiven):
            pids[event.task] = int(event.text)
        if len(pids) == 2:
            break
    executor.close()
    assert not any(map(alive, pids.values()))
    with pytest.raises(RuntimeError, match="closed during a run"):
        list(events)


def test_worker_processes_are_reused() -> None:
    with ProcessExecutor(2, workers=1) as executor:
        tasks = [make_task(f"{number}", "report_pid") for number in range(5)]
        events = list(executor.run(tasks, 3)) + list(executor.run(tasks, 3))
        pids = {int(event.text) for event in events if isinstance(event, NoticeGiven)}
        assert len(pids) == 1
        assert pids != {os.getpid()}
        assert all(map(alive, pids))
        assert [e.threads for e in events if isinstance(e, Started)] == [2] * 10
    assert not any(map(alive, pids))


@posix
def test_an_idle_worker_that_is_killed_is_replaced() -> None:
    with ProcessExecutor(1) as executor:
        first = list(executor.run([make_task("a", "report_pid")], 1))
        os.kill(int(notices(first, "a")[0]), signal.SIGKILL)
        assert end_within([int(notices(first, "a")[0])], 5)
        events = list(executor.run([make_task("a", "report_pid")], 1))
        assert isinstance(ends(events)["a"], Done)


def test_free_cores_go_to_running_tasks(executor: ProcessExecutor) -> None:
    """The first task has one core while the second runs, and gets both after it."""
    tasks = [
        make_task("long", "wait_for_threads", threads=2),
        make_task("short", "report_pid", seconds=0.1),
    ]
    events = list(executor.run(tasks, window=2))
    assert [e.threads for e in events if isinstance(e, Started)] == [1, 1]
    threads = [e.item.digest for e in events if isinstance(e, ItemStored)]
    assert threads == ["1"] * (len(threads) - 1) + ["2"]


def test_tasks_run_in_parallel_as_far_as_their_memory_fits() -> None:
    def most_running(tasks: Iterable[Task]) -> int:
        running, most = 0, 0
        for event in executor.run(tasks, window=9):
            running += isinstance(event, Started)
            running -= isinstance(event, (Done, Failed))
            most = max(most, running)
        return most

    with ProcessExecutor(2, memory=100) as executor:
        for memory, expected in ((60, 1), (50, 2), (400, 1)):
            tasks = [
                Task(f"{n}", "task_functions:report_pid", {"seconds": 0.05}, memory=memory)
                for n in range(3)
            ]
            assert most_running(tasks) == expected


def test_warnings_arrive_as_notices_and_prints_are_harmless(executor: ProcessExecutor) -> None:
    events = list(executor.run([make_task("a", "print_and_warn")], window=1))
    logged, warned = notices(events, "a")
    assert logged == "a frame of 7 is odd"
    assert warned.endswith("UserWarning: soon gone")
    assert isinstance(ends(events)["a"], Done)


def test_compiling_is_reported_once(executor: ProcessExecutor) -> None:
    tasks = [make_task(f"{number}", "compile_kernel", number=number) for number in range(2)]
    events = list(executor.run(tasks, window=4))
    assert [e.text for e in events if isinstance(e, NoticeGiven)] == [COMPILING]
    assert [type(end) for end in ends(events).values()] == [Done] * 2


_SCRIPT = """
import signal, sys
sys.path.insert(0, {folder!r})
from kadr.tasks.executor import NoticeGiven
from kadr.tasks.process_executor import ProcessExecutor
from kadr.tasks.task import Task

if {ignore!r}:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
tasks = [Task(name, f"task_functions:{{name}}", {{"seconds": 1.0}}) for name in {functions!r}]
with ProcessExecutor(2) as executor:  # needs no "if __name__" guard
    for event in executor.run(tasks, window=2):
        print(event.text if isinstance(event, NoticeGiven) else event, flush=True)
"""


def _run_script(functions: tuple[str, ...], *, ignore: bool) -> subprocess.Popen[str]:
    code = _SCRIPT.format(folder=str(Path(__file__).parent), functions=functions, ignore=ignore)
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def _read_pids(process: subprocess.Popen[str], count: int) -> list[int]:
    assert process.stdout is not None
    pids: list[int] = []
    while len(pids) < count:
        line = process.stdout.readline().strip()
        assert line, "the script ended"
        if line.isdecimal():
            pids.append(int(line))
    return pids


@posix
def test_workers_end_when_their_parent_is_killed() -> None:
    with _run_script(("wait", "ignore_cancel"), ignore=False) as process:
        pids = _read_pids(process, 2)
        assert all(map(alive, pids))
        process.kill()
        assert end_within(pids, 10)


@posix
def test_ctrl_c_does_not_reach_the_workers() -> None:
    with _run_script(("report_pid",), ignore=True) as process:
        _read_pids(process, 1)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Done(task='report_pid'" in output
    assert "attempt=2" not in output


@posix
def test_ctrl_c_ends_a_script_that_does_not_handle_it() -> None:
    with _run_script(("wait", "ignore_cancel"), ignore=False) as process:
        pids = _read_pids(process, 2)
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode != 0
        assert end_within(pids, 10)
