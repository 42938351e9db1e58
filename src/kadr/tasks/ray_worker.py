"""One worker process of Ray, seen from the driver; its answers and its end come into a queue."""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kadr.errors import BackendError
from kadr.tasks.executor import Failed
from kadr.tasks.ray_actor import Greeting, TaskActor, kadr_version
from kadr.tasks.worker import CancelTask, Ready, RunTask
from kadr.tasks.worker_process import WorkerExited

_TIMEOUT = 5.0
"""Seconds to wait for a process to end."""
_CALLS = 4
"""Calls of an actor at a time: the stream of a task, and commands beside it."""


@dataclass(frozen=True)
class Reservation:
    """What Ray keeps free for a worker. memory: bytes; 0: it is not counted."""

    cores: int
    memory: int = 0


class RayWorker:
    """An actor that runs tasks; ``(self, message)`` are put into ``inbox``.

    A thread reads all that it sends as soon as it comes: a stream that waits for its reader could
    hold back a worker whose result is needed first. Messages name results and hold no pixels.
    """

    def __init__(
        self,
        reservation: Reservation,
        environment: Mapping[str, str],
        shared_paths: Sequence[str],
        inbox: queue.SimpleQueue[Any],
    ) -> None:
        """environment: variables of its process. shared_paths: what it has to see."""
        import ray

        self.task_id: str | None = None
        self.kill_at: float | None = None
        self.asked_to_stop = self.killed = self.ready = False
        self.error: Exception | None = None
        self.reservation = reservation
        self.node_id = ""
        """Of Ray's node; "" until it is ready."""
        self.name = "a worker that has not started"
        self._paths = tuple(shared_paths)
        self._inbox, self._kill_reason, self._number = inbox, "", 0
        self._start_time = time.monotonic()
        self._runs: queue.SimpleQueue[RunTask | None] = queue.SimpleQueue()
        options = {
            "num_cpus": reservation.cores,
            "memory": reservation.memory or None,
            "max_concurrency": _CALLS,
            "max_restarts": 0,  # its task would not come back with it; the driver starts another
            "scheduling_strategy": "SPREAD",
            "runtime_env": {"env_vars": dict(environment)},
        }
        self._actor: Any = ray.remote(TaskActor).options(**options).remote()
        self._reader = threading.Thread(target=self._read, name="kadr-answers", daemon=True)
        self._reader.start()

    @property
    def age(self) -> float:
        """Seconds since it was asked for."""
        return time.monotonic() - self._start_time

    def send(self, command: object) -> None:
        """Send a command; if the worker has ended, its last message says so."""
        if isinstance(command, RunTask):
            self._number += 1
            self._runs.put(command)
        elif isinstance(command, CancelTask) and not self.ready:
            self.kill()  # it may wait long for its place
        else:
            with contextlib.suppress(Exception):  # of Ray: the actor is gone
                self._actor.execute.remote(self._number, command)

    def kill(self, reason: str = "") -> None:
        """Kill it; its last message comes as if it had ended by itself, or with this reason."""
        import ray

        self.killed, self._kill_reason = True, reason or self._kill_reason
        with contextlib.suppress(Exception):  # of Ray: the actor or the whole cluster is gone
            ray.kill(self._actor, no_restart=True)

    def close(self, *, at_once: bool) -> None:
        """End it and wait; it has no more to do than its task."""
        self._runs.put(None)
        if not at_once:
            self._reader.join(_TIMEOUT)
        self.kill()
        self._reader.join(_TIMEOUT)

    def _read(self) -> None:
        """Put all its answers into the inbox."""
        import ray

        try:
            self._take(ray.get(self._actor.greet.remote(self._paths, sys.path)))
            number = 0
            while (command := self._runs.get()) is not None:
                number += 1
                stream = self._actor.run.options(
                    num_returns="streaming", name=command.task.id
                ).remote(number, command)
                for reference in stream:
                    message = ray.get(reference)
                    self._inbox.put((self, message))
                    if isinstance(message, Failed) and message.lost:
                        raise message.error  # it waits for its end
        except Exception as error:  # Ray has many for one that is gone
            self._kill_reason = self._kill_reason or _reason(error, self.node_id)
            self.kill(self._kill_reason)
        self._inbox.put((self, WorkerExited(self._kill_reason)))

    def _take(self, greeting: Greeting) -> None:
        """Note where it is. Raises BackendError if it cannot be used."""
        name = f"process {greeting.pid} on {greeting.host}"
        if greeting.version != kadr_version():
            raise BackendError(
                f"{greeting.host} has kadr {greeting.version} and this machine {kadr_version()}; "
                "install the same version on all machines"
            )
        if greeting.missing:
            raise BackendError(
                f"{greeting.missing[0]}: is not there on {greeting.host}; keep the clip and the "
                "work folder where all machines see them under the same path"
            )
        self.name, self.node_id = name, greeting.node_id
        self._inbox.put((self, Ready()))


def _reason(error: Exception, node_id: str) -> str:
    """A line about why a worker is gone."""
    import ray
    from ray.exceptions import OutOfMemoryError, RayActorError

    text = str(error)
    if isinstance(error, BackendError):
        return text
    for line in text.splitlines():
        if "ModuleNotFoundError" in line or "ImportError" in line:
            return f"{line.strip()}; install kadr on all machines"
    with contextlib.suppress(Exception):
        nodes = {node["NodeID"]: node for node in ray.nodes()}
        node = nodes.get(node_id)
        if node is not None and not node["Alive"]:
            return f"its machine {node['NodeManagerHostname']} is gone"
    if isinstance(error, OutOfMemoryError) or "memory" in text.lower():
        return "killed by Ray, because memory ran out"
    if isinstance(error, RayActorError):
        return "its process was killed, as systems do when memory runs out"
    return f"{type(error).__name__}: {text.strip().splitlines()[0] if text.strip() else ''}"
