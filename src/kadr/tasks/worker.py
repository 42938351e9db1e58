"""The worker process: reads commands from standard input, runs tasks, writes task events.

It ends when its input ends, so it never outlives the process that started it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import queue
import signal
import threading
import traceback
from dataclasses import dataclass
from typing import NoReturn, Protocol

from kadr.core.heap import limit_arenas, release_free_heap
from kadr.core.stage_times import WORKERS, set_process
from kadr.errors import BackendError, KadrError
from kadr.tasks.channel import Channel
from kadr.tasks.compiling import on_first_compile
from kadr.tasks.executor import Failed, NoticeGiven, TaskSteps, out_of_memory
from kadr.tasks.resources import use_threads
from kadr.tasks.task import Task, TaskContext, run_function


@dataclass(frozen=True)
class RunTask:
    """Command: run a task with so many threads."""

    task: Task
    threads: int


@dataclass(frozen=True)
class SetThreads:
    """Command: from its next frame on, a task has this many threads."""

    task_id: str
    threads: int


@dataclass(frozen=True)
class CancelTask:
    """Command: stop a task at its next frame."""

    task_id: str


@dataclass(frozen=True)
class Ready:
    """Answer: the process has started and reads commands."""


@dataclass(frozen=True)
class TaskFinished:
    """Answer: a task's function has returned."""

    task_id: str


@dataclass(frozen=True)
class Compiling:
    """Answer: kernels are being compiled, which takes a while."""


def main() -> NoReturn:
    """Run tasks, one after the other, until the input ends."""
    limit_arenas()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that started this
    set_process(WORKERS)
    channel = _take_streams()
    worker = TaskRunner(channel)
    threading.Thread(
        target=_listen, args=(channel, worker), name="kadr-commands", daemon=True
    ).start()
    worker.greet()
    worker.work()


def _take_streams() -> Channel:
    """The pipes to the parent process; from now on ``print`` writes to standard error."""
    reader, writer = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return Channel(reader, writer)


def _listen(channel: Channel, worker: TaskRunner) -> NoReturn:
    """Execute commands until the input ends; then end the process, whatever it does."""
    try:
        while True:
            worker.execute(channel.receive())
    except EOFError:
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


class Sender(Protocol):
    """Takes the messages of a worker."""

    def send(self, message: object) -> None:
        """Take one message, from any thread. Raises OSError or ValueError if nobody reads."""
        ...


class TaskRunner:
    """Runs the tasks of commands, one after the other, and sends what happens.

    ``execute`` may be called from any thread; ``work`` runs the tasks, in the thread that calls it.
    """

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._jobs: queue.SimpleQueue[tuple[Task, TaskContext]] = queue.SimpleQueue()
        self._current = "", TaskContext(1)

    def greet(self) -> None:
        """Say that this process is there."""
        self._send(Ready())

    def work(self) -> NoReturn:
        """Run the tasks of the commands."""
        log = logging.getLogger()
        log.addHandler(_ToChannel(self))
        logging.captureWarnings(True)
        with on_first_compile(lambda: self._send(Compiling())):
            while True:
                self._run(*self._jobs.get())
                release_free_heap()

    def notify(self, text: str) -> None:
        """Send a line for the user."""
        self._send(NoticeGiven(self._current[0], text))

    def execute(self, command: RunTask | SetThreads | CancelTask) -> None:
        """Take a task, or change how the one that runs goes on."""
        task_id, context = self._current
        if isinstance(command, RunTask):
            context = TaskContext(command.threads, notify=self.notify)
            self._current = command.task.id, context
            self._jobs.put((command.task, context))
        elif command.task_id == task_id:
            if isinstance(command, SetThreads):
                context.threads = command.threads
            else:
                context.cancel.cancel()

    def _run(self, task: Task, context: TaskContext) -> None:
        try:
            with contextlib.closing(run_function(task, context)) as function_steps:
                steps = TaskSteps(task, function_steps)
                while True:
                    context.cancel.check()
                    use_threads(context.threads)
                    event = steps.next_event()
                    if event is None:
                        break
                    self._send(event)
        except MemoryError:
            self._send(Failed(task.id, out_of_memory(task.id), lost=True))
            os._exit(1)  # a new process starts with more
        except BaseException as error:  # SystemExit too: only the task wants to end
            self._send(Failed(task.id, _portable(error)))
        else:
            self._send(TaskFinished(task.id))

    def _send(self, message: object) -> None:
        try:
            self._sender.send(message)
        except (OSError, ValueError):
            os._exit(0)  # the parent is gone


class _ToChannel(logging.Handler):
    """Sends log records as lines for the user."""

    def __init__(self, worker: TaskRunner) -> None:
        super().__init__(logging.WARNING)
        self._worker = worker

    def emit(self, record: logging.LogRecord) -> None:
        """Send the first line: captured warnings quote source code in a second."""
        self._worker.notify(record.getMessage().strip().partition("\n")[0])


def _portable(error: BaseException) -> Exception:
    """The error in a form that can be sent; with its traceback as a note if kadr is at fault."""
    portable: Exception
    try:
        copy = pickle.loads(pickle.dumps(error))
        if not isinstance(error, Exception) or str(copy) != str(error):
            raise ValueError("cannot be sent as it is")
        portable = error
    except Exception:  # its class may do anything when it is made again
        kind = BackendError if isinstance(error, KadrError) else RuntimeError
        portable = kind(f"{type(error).__name__}: {error}")
    if not isinstance(error, KadrError):
        portable.add_note("".join(traceback.format_exception(error)).rstrip())
    return portable
