"""The actor in a worker process of Ray: commands in, the messages of a task as a stream out."""

from __future__ import annotations

import importlib.metadata
import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PATIENCE = 3.0
"""Seconds after which a path is not there: folders of a network are seen a little later."""


@dataclass(frozen=True)
class Greeting:
    """The first answer. missing: paths that it cannot see."""

    pid: int
    host: str
    node_id: str
    version: str
    missing: tuple[str, ...]


class TaskActor:
    """Runs one task at a time; ``execute`` is called while ``run`` streams.

    Everything that loads kernels is imported once the environment of this process is set.
    """

    def greet(self, paths: Sequence[str], modules: Sequence[str]) -> Greeting:
        """Say where this process is and which of some paths it cannot see.

        modules: where the driver looks for modules; those here come first.
        """
        import ray

        sys.path.extend(path for path in modules if path not in sys.path)
        deadline = time.monotonic() + _PATIENCE
        while (missing := _missing(paths)) and time.monotonic() < deadline:
            time.sleep(0.1)
        context = ray.get_runtime_context()
        return Greeting(
            os.getpid(), socket.gethostname(), context.get_node_id(), kadr_version(), missing
        )

    def __init__(self) -> None:
        from kadr.core.heap import limit_arenas
        from kadr.core.stage_times import WORKERS, set_process
        from kadr.tasks.worker import TaskRunner

        limit_arenas()
        set_process(WORKERS)
        self._messages = _Messages()
        self._runner = TaskRunner(self._messages)
        self._number = 0
        self._early: list[tuple[int, Any]] = []
        self._lock = threading.Lock()
        threading.Thread(target=self._runner.work, name="kadr-tasks", daemon=True).start()

    def run(self, number: int, command: Any) -> Iterator[object]:
        """Run the task of a RunTask command; yield its messages up to its last one.

        number: of the task, counted from 1, so that a command for another one has no effect.
        """
        from kadr.tasks.executor import Failed
        from kadr.tasks.worker import TaskFinished

        with self._lock:
            self._number = number
            self._runner.execute(command)
            early, self._early = self._early, []
            for target, other in early:
                if target == number:
                    self._runner.execute(other)
        while True:
            message = self._messages.get()
            yield message
            if isinstance(message, (TaskFinished, Failed)):
                return

    def execute(self, number: int, command: Any) -> None:
        """Change how task ``number`` goes on; it may arrive before that task does."""
        with self._lock:
            if number > self._number:
                self._early.append((number, command))
            elif number == self._number:
                self._runner.execute(command)


class _Messages:
    """The messages of a TaskRunner, until they are streamed."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[object] = queue.SimpleQueue()

    def send(self, message: object) -> None:
        """Take a message."""
        from kadr.tasks.executor import Failed

        self._queue.put(message)
        if isinstance(message, Failed) and message.lost:
            time.sleep(_PATIENCE)  # this process is about to end itself, and it has to be sent

    def get(self) -> object:
        """Wait for the next message."""
        return self._queue.get()


def kadr_version() -> str:
    """The version of kadr that is installed here."""
    return importlib.metadata.version("kadr")


def _missing(paths: Sequence[str]) -> tuple[str, ...]:
    return tuple(path for path in paths if not Path(path).exists())
