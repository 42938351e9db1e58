"""One worker as its supervisor sees it: commands in, its answers and its end out into a queue."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from typing import Any

from kadr.errors import BackendError
from kadr.tasks.channel import Channel

_MOST_WORDS = 4096
_PATIENCE = 5.0
"""Seconds that a killed process gets to be gone."""


@dataclass(frozen=True)
class WorkerExited:
    """A worker's last message, which it did not send itself. reason: for people, in a line."""

    reason: str


class WorkerProcess:
    """A process of its own that runs tasks; ``(self, message)`` are put into ``inbox``.

    It is started by its own command line, not by a copy of this process: forking would copy locks
    that other threads hold, and multiprocessing would run the main script again.
    """

    def __init__(self, cores: int, inbox: queue.SimpleQueue[Any]) -> None:
        self.task_id: str | None = None
        """What it works on."""
        self.kill_at: float | None = None
        """When to end it by force, on the clock of ``time.monotonic``."""
        self.asked_to_stop = False
        self.dying = False
        """It was killed; that it is gone will be heard of soon."""
        self.error: Exception | None = None
        """What it said to be dying of."""
        self._inbox = inbox
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process runs
        try:
            self._process = _start(cores, self._words.fileno())
        except OSError as error:
            self._words.close()
            raise BackendError(
                f"{sys.executable}: no worker could be started ({error.strerror}); "
                "use fewer workers, or close other programs"
            ) from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._channel = Channel(self._process.stdout, self._process.stdin)
        self._reader = threading.Thread(target=self._read, name="kadr-answers", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The system's number of the process."""
        return self._process.pid

    def send(self, command: object) -> None:
        """Send a command; if the worker is gone already, its last message says so."""
        with contextlib.suppress(OSError, ValueError):
            self._channel.send(command)

    def kill(self) -> None:
        """End it at once; its last message comes as if it had ended by itself."""
        self.dying = True
        self._process.kill()

    def close(self, *, at_once: bool) -> None:
        """End it, and wait until it is gone. at_once: by force; else it ends by its input's end."""
        if at_once:
            self._process.kill()
        with contextlib.suppress(OSError):
            self._process.stdin.close()  # type: ignore[union-attr]  # it was given one
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_PATIENCE)
        self._reader.join(_PATIENCE)

    def _read(self) -> None:
        """Put its answers into the inbox, to the last."""
        try:
            while True:
                self._inbox.put((self, self._channel.receive()))
        except EOFError:
            pass
        except Exception as error:  # what it sent makes no sense
            self.error = BackendError(f"worker {self.pid}: sent what cannot be read ({error})")
            self._process.kill()
        reason = _reason(self._process.wait(), self._last_words())
        for stream in (self._process.stdin, self._process.stdout, self._words):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]  # it was given all three
        self._inbox.put((self, WorkerExited(reason)))

    def _last_words(self) -> str:
        """The last line that it printed."""
        size = self._words.seek(0, os.SEEK_END)
        self._words.seek(max(0, size - _MOST_WORDS))
        lines = self._words.read().decode(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else ""


def _start(cores: int, words: int) -> subprocess.Popen[bytes]:
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
        stderr=words,
        env=environment,
        creationflags=flags,
    )


def _reason(code: int, words: str) -> str:
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
    return f"{text}; its last words: {words}" if words else text
