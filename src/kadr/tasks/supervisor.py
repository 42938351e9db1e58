"""Tasks and answers of workers in, events of one run out: who works on what, and what if not."""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kadr.core.events import CancelToken
from kadr.errors import BackendError, Cancelled
from kadr.tasks.executor import Done, Failed, ItemStored, NoticeGiven, Started, TaskEvent, is_fault
from kadr.tasks.queue import TaskQueue
from kadr.tasks.task import Task, digest_of
from kadr.tasks.worker import CancelTask, Compiling, RunTask, SetThreads, TaskFinished
from kadr.tasks.worker_process import WorkerExited, WorkerProcess

_TICK = 0.1
"""Seconds between looks at what no message tells: flags, deadlines, memory that became free."""

COMPILING = "compiling kernels, on the first run on this machine only"


class Pool:
    """The workers of an executor, and the queue into which they put what they say."""

    def __init__(self, cores: int) -> None:
        self.inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.workers: list[WorkerProcess] = []
        self.told_of_compiling = False
        self._cores = cores

    def idle(self) -> WorkerProcess:
        """One that has nothing to do, started if there is none. Raises BackendError."""
        for worker in self.workers:
            if worker.task_id is None and not worker.dying:
                return worker
        worker = WorkerProcess(self._cores, self.inbox)
        self.workers.append(worker)
        return worker

    def on(self, task_id: str) -> WorkerProcess | None:
        """The one that works on a task."""
        return next((each for each in self.workers if each.task_id == task_id), None)

    def close(self, *, busy_only: bool) -> None:
        """End workers: those that work at once, the others, unless left alone, by themselves."""
        for worker in list(self.workers):
            if worker.task_id is not None or not busy_only:
                worker.close(at_once=worker.task_id is not None)
                self.workers.remove(worker)


@dataclass(frozen=True)
class _Add:
    run: Supervisor
    tasks: Sequence[Task]


@dataclass(frozen=True)
class _Cancel:
    run: Supervisor
    task_id: str
    grace: float


@dataclass(frozen=True)
class _End:
    run: Supervisor


class Supervisor:
    """Supervises one run in a thread of its own, so that work goes on while nobody looks.

    Only that thread changes anything; other threads send it messages.
    """

    def __init__(self, pool: Pool, board: TaskQueue, stop: CancelToken) -> None:
        self.events: queue.SimpleQueue[TaskEvent | BaseException] = queue.SimpleQueue()
        """What happened; an exception is the end of the run."""
        self.stopping = False
        """Whether no task is started any more."""
        self._pool, self._board, self._stop = pool, board, stop
        self._ended = False
        self._tasks: dict[str, Task] = {}
        self._attempts: dict[str, int] = {}
        self._digests: dict[str, dict[int, str]] = {}
        self._threads: dict[str, int] = {}
        self._late: list[Failed] = []
        self._thread = threading.Thread(target=self._supervise, name="kadr-run", daemon=True)
        self._thread.start()

    def add(self, tasks: Sequence[Task]) -> None:
        """Take more tasks."""
        self._pool.inbox.put(_Add(self, tasks))

    def cancel(self, task_id: str, grace: float) -> None:
        """Ask a task to stop; may be called by a signal's handler."""
        self._pool.inbox.put(_Cancel(self, task_id, grace))

    def end(self) -> None:
        """End what runs, by force, and wait until it is gone."""
        self._pool.inbox.put(_End(self))
        self._thread.join()

    def _supervise(self) -> None:
        if hasattr(signal, "pthread_sigmask"):  # workers inherit it: Ctrl-C never reaches them
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            while not self._ended:
                self._take_messages()
                self._advance()
        except BaseException as error:  # who draws the events raises it
            self.events.put(error)
        else:
            self.events.put(RuntimeError("the executor was closed during a run"))
        finally:
            self._pool.close(busy_only=True)

    def _take_messages(self) -> None:
        """Wait for a message, not for ever, then take all there are."""
        inbox = self._pool.inbox
        try:
            self._take(inbox.get(timeout=_TICK))
            while True:
                self._take(inbox.get_nowait())
        except queue.Empty:
            pass

    def _take(self, message: Any) -> None:
        if isinstance(message, tuple):
            self._hear(*message)
        elif message.run is not self:
            pass  # meant for a run that has ended
        elif isinstance(message, _Add):
            for task in message.tasks:
                self._board.add(task)
                self._tasks[task.id] = task
        elif isinstance(message, _Cancel):
            self._ask(message.task_id, message.grace)
        else:
            self._ended = True

    def _hear(self, worker: WorkerProcess, message: object) -> None:
        """Take what a worker said."""
        if worker not in self._pool.workers:
            return  # it was ended with the run before
        if isinstance(message, WorkerExited):
            self._pool.workers.remove(worker)
            if worker.task_id is not None:
                self._lost(worker, worker.task_id, message.reason)
        elif isinstance(message, Compiling):
            if not self._pool.told_of_compiling and worker.task_id is not None:
                self._pool.told_of_compiling = True
                self.events.put(NoticeGiven(worker.task_id, COMPILING))
        elif isinstance(message, TaskFinished):
            digests = self._digests.pop(message.task_id, {})
            self._free(worker)
            self._board.done(message.task_id)
            self._forget(message.task_id)
            self.events.put(Done(message.task_id, digest_of(digests)))
        elif isinstance(message, Failed) and message.lost:
            worker.error = message.error  # it is about to end itself
        elif isinstance(message, Failed):
            self._free(worker)
            self._fail(message)
        elif isinstance(message, TaskEvent):
            if isinstance(message, ItemStored):
                digests = self._digests.setdefault(message.task, {})
                digests[message.item.index] = message.item.digest
            self.events.put(message)

    def _lost(self, worker: WorkerProcess, task_id: str, reason: str) -> None:
        task, attempt = self._tasks[task_id], self._attempts[task_id]
        if worker.asked_to_stop:
            self._fail(Failed(task_id, Cancelled(f"{task_id}: stopped as asked")))
        elif attempt <= task.retries:
            self._board.again(task_id)
            text = f"{task_id}: worker lost ({reason}); trying again ({attempt} of {task.retries})"
            self.events.put(NoticeGiven(task_id, text))
        else:
            times = f"{attempt} times" if attempt > 1 else "once"
            error = worker.error or BackendError(
                f"{task_id}: its worker was lost {times} ({reason}); "
                "use fewer workers or smaller frames, and run again to go on"
            )
            self._fail(Failed(task_id, error, lost=True))

    def _ask(self, task_id: str, grace: float | None) -> None:
        """Ask a task to stop; after ``grace`` seconds, unless None, it is ended by force."""
        worker = self._pool.on(task_id)
        if worker is not None:
            worker.asked_to_stop = True
            worker.send(CancelTask(task_id))
            if grace is not None:
                worker.kill_at = time.monotonic() + grace
        elif task_id in self._board.waiting:
            self._fail(Failed(task_id, Cancelled(f"{task_id}: not started; stopped as asked")))

    def _fail(self, event: Failed) -> None:
        """A task has ended; those that were stopped with the run are told of when none runs."""
        self._board.failed(event.task, event.error)
        self._forget(event.task)
        if is_fault(event):
            self.events.put(event)
            self.stopping = True
        elif self.stopping:
            self._late.append(event)
        else:
            self.events.put(event)

    def _advance(self) -> None:
        """Do what can be done now."""
        self.stopping = self.stopping or self._stop.cancelled
        if self.stopping:
            for task_id in [*self._board.running, *self._board.waiting]:
                worker = self._pool.on(task_id)
                if worker is None or not worker.asked_to_stop:
                    self._ask(task_id, None)
        for event in self._board.stranded():
            self._fail(event)
        for worker in self._pool.workers:
            if worker.kill_at is not None and worker.kill_at <= time.monotonic():
                worker.kill_at = None
                worker.kill()
        self._start()
        if not self._board.running:
            for event in self._late:
                self.events.put(event)
            self._late.clear()

    def _start(self) -> None:
        """Start what can start, and share out the cores anew."""
        started = []
        while (task := self._board.next()) is not None:
            worker = self._pool.idle()
            worker.task_id, worker.asked_to_stop = task.id, False
            started.append((task, worker))
        threads, before = self._board.shares(), self._threads
        for task_id, count in threads.items():
            changed = self._pool.on(task_id) if before.get(task_id, count) != count else None
            if changed is not None:
                changed.send(SetThreads(task_id, count))
        for task, worker in started:
            attempt = self._attempts[task.id] = self._attempts.get(task.id, 0) + 1
            self.events.put(Started(task.id, attempt, threads[task.id]))
            worker.send(RunTask(task, threads[task.id]))
        self._threads = threads

    def _free(self, worker: WorkerProcess) -> None:
        worker.task_id = worker.kill_at = None

    def _forget(self, task_id: str) -> None:
        for kept in (self._tasks, self._attempts, self._digests):
            kept.pop(task_id, None)
