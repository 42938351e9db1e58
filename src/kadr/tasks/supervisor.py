"""Supervise the workers of one run: start tasks, retry those of lost workers, yield events."""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from kadr.core.events import CancelToken
from kadr.errors import BackendError, Cancelled
from kadr.tasks.executor import Done, Failed, ItemStored, NoticeGiven, Started, TaskEvent, is_fault
from kadr.tasks.pool import Pool, Worker
from kadr.tasks.queue import TaskQueue
from kadr.tasks.task import Task, digest_of
from kadr.tasks.worker import CancelTask, Compiling, Ready, RunTask, SetThreads, TaskFinished
from kadr.tasks.worker_process import LOW_MEMORY, WorkerExited

_TICK = 0.1
"""Seconds between checks of what no message tells: cancel flags, deadlines, free memory."""

START_LIMIT = 60.0
"""Seconds that a worker may take to start: a hundred times as long as one takes."""

COMPILING = "compiling kernels, on the first run on this machine only"


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
    """Supervises one run in a thread of its own, so tasks run on while nobody reads events.

    Only that thread changes state; other threads send it messages.
    """

    def __init__(self, pool: Pool, task_queue: TaskQueue, stop: CancelToken) -> None:
        self.events: queue.SimpleQueue[TaskEvent | BaseException] = queue.SimpleQueue()
        """What happened; an exception is the end of the run."""
        self.stopping = False
        """Whether no more tasks are started."""
        self._pool, self._queue, self._stop = pool, task_queue, stop
        self._ended = False
        self._tasks: dict[str, Task] = {}
        self._attempts: dict[str, int] = {}
        self._digests: dict[str, dict[int, str]] = {}
        self._threads: dict[str, int] = {}
        self._delayed: list[Failed] = []
        self._start_failures = 0
        self._thread = threading.Thread(target=self._supervise, name="kadr-run", daemon=True)
        self._thread.start()

    def add(self, tasks: Sequence[Task]) -> None:
        """Add tasks."""
        self._pool.inbox.put(_Add(self, tasks))

    def cancel(self, task_id: str, grace: float) -> None:
        """Ask a task to stop; may be called by a signal handler."""
        self._pool.inbox.put(_Cancel(self, task_id, grace))

    def end(self) -> None:
        """Kill what runs, and wait until it has ended."""
        self._pool.inbox.put(_End(self))
        self._thread.join()

    def _supervise(self) -> None:
        if hasattr(signal, "pthread_sigmask"):  # workers inherit it: Ctrl-C never reaches them
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            while not self._ended:
                self._handle_messages()
                self._advance()
        except BaseException as error:  # the reader of the events raises it
            self.events.put(error)
        else:
            self.events.put(RuntimeError("the executor was closed during a run"))
        finally:
            self._pool.close(busy_only=True)

    def _handle_messages(self) -> None:
        """Wait for a message for at most a tick, then handle all there are."""
        inbox = self._pool.inbox
        try:
            self._handle(inbox.get(timeout=_TICK))
            while True:
                self._handle(inbox.get_nowait())
        except queue.Empty:
            pass

    def _handle(self, message: Any) -> None:
        if isinstance(message, tuple):
            self._handle_worker(*message)
        elif message.run is not self:
            pass  # for a run that has ended
        elif isinstance(message, _Add):
            for task in message.tasks:
                self._queue.add(task)
                self._tasks[task.id] = task
        elif isinstance(message, _Cancel):
            self._request_stop(message.task_id, message.grace)
        else:
            self._ended = True

    def _handle_worker(self, worker: Worker, message: object) -> None:
        """Handle a message of a worker."""
        if worker not in self._pool.workers:
            return  # it was ended with an earlier run
        if isinstance(message, Ready):
            worker.ready = True
        elif isinstance(message, WorkerExited):
            self._pool.workers.remove(worker)
            if not worker.ready and not worker.asked_to_stop:
                self._not_started(worker, message.reason)
            elif worker.task_id is not None:
                self._lost(worker, worker.task_id, message.reason)
        elif isinstance(message, Compiling):
            if not self._pool.compiling_announced and worker.task_id is not None:
                self._pool.compiling_announced = True
                self.events.put(NoticeGiven(worker.task_id, COMPILING))
        elif isinstance(message, TaskFinished):
            digests = self._digests.pop(message.task_id, {})
            self._free(worker)
            self._queue.done(message.task_id)
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
                message = replace(message, worker=worker.name)
            self.events.put(message)

    def _not_started(self, worker: Worker, reason: str) -> None:
        """A worker ended before it was ready. Raises BackendError if no other one is there."""
        self._start_failures += 1
        text = f"a worker process could not be started ({reason})"
        # one that ended by itself may have had bad luck, one that hangs will hang again
        again = self._start_failures == 1 and not worker.killed
        if not self._use_fewer() and not again:
            raise BackendError(f"{text}; {LOW_MEMORY}")
        if worker.task_id is not None:
            self._attempts[worker.task_id] -= 1
            self._queue.requeue(worker.task_id)
            rest = "going on with fewer" if self._pool.workers else "trying again"
            self.events.put(NoticeGiven(worker.task_id, f"{text}; {rest}; {LOW_MEMORY}"))

    def _use_fewer(self) -> bool:
        """Use no more workers than there are; False if there is none."""
        count = sum(not worker.killed for worker in self._pool.workers)
        if count:
            self._pool.most_workers = count
            self._queue.limit_slots(count)
        return count > 0

    def _lost(self, worker: Worker, task_id: str, reason: str) -> None:
        task, attempt = self._tasks[task_id], self._attempts[task_id]
        if worker.asked_to_stop:
            self._fail(Failed(task_id, Cancelled(f"{task_id}: stopped as asked")))
        elif attempt <= task.retries:
            self._queue.requeue(task_id)
            text = f"{task_id}: worker lost ({reason}); trying again ({attempt} of {task.retries})"
            self.events.put(NoticeGiven(task_id, text))
        else:
            times = f"{attempt} times" if attempt > 1 else "once"
            error = worker.error or BackendError(
                f"{task_id}: its worker was lost {times} ({reason}); "
                "use fewer workers or smaller frames, and run again to go on"
            )
            self._fail(Failed(task_id, error, lost=True))

    def _request_stop(self, task_id: str, grace: float | None) -> None:
        """Ask a task to stop; after ``grace`` seconds, unless None, it is killed."""
        worker = self._pool.worker_of(task_id)
        if worker is not None:
            worker.asked_to_stop = True
            worker.send(CancelTask(task_id))
            if grace is not None:
                worker.kill_at = time.monotonic() + grace
        elif task_id in self._queue.waiting:
            self._fail(Failed(task_id, Cancelled(f"{task_id}: not started; stopped as asked")))

    def _fail(self, event: Failed) -> None:
        """A task has failed; those that were stopped with the run are reported when none runs."""
        self._queue.failed(event.task, event.error)
        self._forget(event.task)
        if is_fault(event):
            self.events.put(event)
            self.stopping = True
        elif self.stopping:
            self._delayed.append(event)
        else:
            self.events.put(event)

    def _advance(self) -> None:
        """Do what can be done now: stop, kill and start tasks."""
        self.stopping = self.stopping or self._stop.cancelled
        if self.stopping:
            for task_id in [*self._queue.running, *self._queue.waiting]:
                worker = self._pool.worker_of(task_id)
                if worker is None or not worker.asked_to_stop:
                    self._request_stop(task_id, None)
        for event in self._queue.blocked():
            self._fail(event)
        for worker in self._pool.workers:
            if worker.kill_at is not None and worker.kill_at <= time.monotonic():
                worker.kill_at = None
                worker.kill()
            if not worker.ready and not worker.killed and worker.age > START_LIMIT:
                worker.kill(f"it did not answer within {START_LIMIT:g} s")
        self._start()
        if not self._queue.running:
            for event in self._delayed:
                self.events.put(event)
            self._delayed.clear()

    def _start(self) -> None:
        """Start what can start, and share the cores again."""
        started = []
        while (task := self._queue.next()) is not None:
            try:
                worker = self._pool.idle(task)
            except BackendError as error:
                self._queue.requeue(task.id)
                if not self._use_fewer():
                    raise
                self.events.put(NoticeGiven(task.id, f"{error}; going on with fewer"))
                break
            worker.task_id, worker.asked_to_stop = task.id, False
            started.append((task, worker))
        threads, previous = self._pool.shares(self._queue), self._threads
        for task_id, count in threads.items():
            worker_of_task = self._pool.worker_of(task_id)
            if worker_of_task is not None and previous.get(task_id, count) != count:
                worker_of_task.send(SetThreads(task_id, count))
        for task, worker in started:
            attempt = self._attempts[task.id] = self._attempts.get(task.id, 0) + 1
            self.events.put(Started(task.id, attempt, threads[task.id]))
            worker.send(RunTask(task, threads[task.id]))
        self._threads = threads

    def _free(self, worker: Worker) -> None:
        worker.task_id = worker.kill_at = None

    def _forget(self, task_id: str) -> None:
        for entries in (self._tasks, self._attempts, self._digests):
            entries.pop(task_id, None)
