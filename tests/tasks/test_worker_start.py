"""Workers that cannot start: a line that says why, or a run with fewer of them; never a hang."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from kadr.errors import BackendError
from kadr.tasks import supervisor, worker_process
from kadr.tasks.executor import Done, NoticeGiven, TaskEvent
from kadr.tasks.process_executor import ProcessExecutor
from kadr.tasks.task import Task

SILENT = "import sys; sys.stdin.buffer.read()"
DEAD = "import sys; sys.exit('no room for a heap')"

Programs = Callable[..., list[str]]


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> Programs:
    """Let the first workers run other programs; gives the list of all that were started."""

    def set_programs(*codes: str) -> list[str]:
        start, waiting, started = subprocess.Popen, list(codes), list[str]()

        def start_other(words: list[str], **options: Any) -> subprocess.Popen[bytes]:
            code = waiting.pop(0) if waiting else words[2]
            started.append(code)
            return start([sys.executable, "-c", code], **options)

        monkeypatch.setattr(worker_process.subprocess, "Popen", start_other)
        return started

    return set_programs


def _run(
    *names: str, seconds: float = 0.0, on_event: Callable[[TaskEvent], object] = lambda event: None
) -> list[TaskEvent]:
    tasks = [Task(name, "task_functions:report_pid", {"seconds": seconds}) for name in names]
    events = []
    with ProcessExecutor(2) as executor:
        for event in executor.run(tasks, window=len(names)):
            events.append(event)
            on_event(event)
    return events


def _done(events: list[TaskEvent]) -> set[str]:
    return {event.task for event in events if isinstance(event, Done)}


def _notices(events: list[TaskEvent]) -> list[str]:
    texts = [event.text for event in events if isinstance(event, NoticeGiven)]
    return [text for text in texts if not text.isdecimal()]


@pytest.mark.parametrize(
    ("code", "limit", "reason", "count"),
    [
        (SILENT, 0.2, "it did not answer within 0.2 s", 1),
        (DEAD, 60.0, "its last output: no room for a heap", 2),
    ],
)
def test_without_any_worker_the_run_ends_with_a_line(
    programs: Programs,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    limit: float,
    reason: str,
    count: int,
) -> None:
    monkeypatch.setattr(supervisor, "START_LIMIT", limit)
    started, start = programs(*[code] * 9), time.monotonic()
    with pytest.raises(BackendError) as caught:
        _run("a")
    line = str(caught.value)
    assert line.startswith("a worker process could not be started (")
    assert reason in line
    assert line.endswith("; memory may be low: close other programs, or use fewer workers")
    assert "\n" not in line
    assert len(started) == count
    assert time.monotonic() - start < 20


def test_a_worker_that_dies_once_at_its_start_is_started_again(programs: Programs) -> None:
    programs(DEAD)
    events = _run("a")
    assert _done(events) == {"a"}
    assert "; trying again; memory may be low" in _notices(events)[0]


@pytest.mark.parametrize("code", [SILENT, DEAD])
def test_the_others_do_the_work(
    programs: Programs, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    started = programs(code)

    def end_wait(event: TaskEvent) -> None:
        if isinstance(event, Done):  # the other worker has started, however long that took
            monkeypatch.setattr(supervisor, "START_LIMIT", 0.1)

    events = _run("a", "b", "c", "d", seconds=0.1, on_event=end_wait)
    assert _done(events) == set("abcd")
    (notice,) = _notices(events)
    assert "; going on with fewer; memory may be low" in notice
    assert len(started) == 2, "no other one is started instead"


def test_a_worker_that_the_system_refuses_is_done_without(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs()
    start, count = worker_process.subprocess.Popen, 0

    def refuse_second(*arguments: Any, **options: Any) -> object:
        nonlocal count
        count += 1
        if count == 2:
            raise OSError(12, "Cannot allocate memory")
        return start(*arguments, **options)

    monkeypatch.setattr(worker_process.subprocess, "Popen", refuse_second)
    events = _run("a", "b", "c", seconds=0.1)
    assert _done(events) == set("abc")
    assert "no worker could be started (Cannot allocate memory)" in _notices(events)[0]
    assert count == 2


def test_a_worker_without_a_thread_to_read_it_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "kadr-answers":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(BackendError, match=r"\(can't start new thread\); memory may be low"):
        _run("a")
