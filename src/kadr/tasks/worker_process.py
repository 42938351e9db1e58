"""One worker process: send it commands; its answers and its end come into a queue."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from typing import Any

from kadr.errors import BackendError
from kadr.tasks.channel import Channel

_MOST_OUTPUT = 4096
LOW_MEMORY = "memory may be low: close other programs, or use fewer workers"
"""What to do about a worker that cannot start."""

_TIMEOUT = 5.0
"""Seconds to wait for a process to end."""


@dataclass(frozen=True)
class WorkerExited:
    """The last message about a worker, put by this side. reason: a line for the user."""

    reason: str


class WorkerProcess:
    """A process of its own that runs tasks; ``(self, message)`` are put into ``inbox``.

    It is started by its own command line, not by a copy of this process: forking would copy locks
    that other threads hold, and multiprocessing would run the main script again.
    """

    def __init__(self, cores: int, inbox: queue.SimpleQueue[Any]) -> None:
        self.task_id: str | None = None
        """The task that it runs."""
        self.kill_at: float | None = None
        """When to kill it, by ``time.monotonic``."""
        self.asked_to_stop = False
        self.killed = False
        """It was killed; its last message comes soon."""
        self.ready = False
        """It has sent its first message."""
        self.start_time = time.monotonic()
        self._kill_reason = ""
        self.error: Exception | None = None
        """The error that it sent before its end."""
        self._inbox = inbox
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process runs
        try:
            self._process = _start(cores, self._output.fileno())
        except OSError as error:
            self._output.close()
            raise BackendError(
                f"{sys.executable}: no worker could be started ({error.strerror}); {LOW_MEMORY}"
            ) from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._channel = Channel(self._process.stdout, self._process.stdin)
        self._reader = threading.Thread(target=self._read, name="kadr-answers", daemon=True)
        try:
            self._reader.start()
        except RuntimeError as error:  # the system gives no more threads
            self._process.kill()
            self._process.wait()
            self._close_streams()
            raise BackendError(
                f"{sys.executable}: no worker could be started ({error}); {LOW_MEMORY}"
            ) from error

    @property
    def name(self) -> str:
        """The process, for people."""
        return f"process {self.pid}"

    @property
    def pid(self) -> int:
        """The system's number of the process."""
        return self._process.pid

    def send(self, command: object) -> None:
        """Send a command; if the worker has ended, its last message says so."""
        with contextlib.suppress(OSError, ValueError):
            self._channel.send(command)

    @property
    def age(self) -> float:
        """Seconds since its start."""
        return time.monotonic() - self.start_time

    def kill(self, reason: str = "") -> None:
        """Kill it; its last message comes as if it had ended by itself, or with this reason."""
        self.killed, self._kill_reason = True, reason
        self._process.kill()

    def close(self, *, at_once: bool) -> None:
        """End it and wait. at_once: kill it; otherwise it ends when its input ends."""
        if at_once:
            self._process.kill()
        with contextlib.suppress(OSError):
            self._process.stdin.close()  # type: ignore[union-attr]  # it was given one
        try:
            self._process.wait(_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_TIMEOUT)
        self._reader.join(_TIMEOUT)

    def _read(self) -> None:
        """Put all its answers into the inbox."""
        try:
            while True:
                self._inbox.put((self, self._channel.receive()))
        except EOFError:
            pass
        except Exception as error:  # it sent invalid data
            self.error = BackendError(f"worker {self.pid}: sent what cannot be read ({error})")
            self._process.kill()
        reason = _reason(self._process.wait(), self._last_line())
        self._close_streams()
        self._inbox.put((self, WorkerExited(self._kill_reason or reason)))

    def _close_streams(self) -> None:
        for stream in (self._process.stdin, self._process.stdout, self._output):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]  # it was given all three

    def _last_line(self) -> str:
        """The last line that it printed."""
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, size - _MOST_OUTPUT))
        lines = self._output.read().decode(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else ""


def _start(cores: int, stderr: int) -> subprocess.Popen[bytes]:
    paths = [str(path) for path in sys.path]
    code = f"import sys; sys.path[:] = {paths!r}; from kadr.tasks.worker import main; main()"
    # BLAS keeps its threads: with another number its sums could come out otherwise
    environment = {**os.environ, "NUMBA_NUM_THREADS": str(cores)}
    flags = 0
    if sys.platform == "win32":  # else Ctrl-C would reach it before it can ignore it
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        env=environment,
        creationflags=flags,
    )


def _reason(code: int, output: str) -> str:
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        text = f"killed by {name}"
        if name == "SIGKILL":
            text += ", as systems do when memory runs out"
    else:
        text = f"ended with code {code}"
    return f"{text}; its last output: {output}" if output else text
