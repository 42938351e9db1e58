"""Run tasks in worker processes of Ray: on this machine, or on all machines of a cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kadr.core.row_bands import default_threads
from kadr.errors import BackendError
from kadr.tasks.pool import Pool, Worker
from kadr.tasks.pool_executor import PoolExecutor, check_counts
from kadr.tasks.queue import TaskQueue, share_out
from kadr.tasks.ray_connection import RayConnection
from kadr.tasks.ray_worker import RayWorker, Reservation
from kadr.tasks.resources import free_memory
from kadr.tasks.task import Task

_INHERITED = ("NUMBA_CACHE_DIR", "KADR_CACHE")
"""Variables of this process that workers have too."""


class RayExecutor(PoolExecutor):
    """An Executor of Ray's worker processes; see PoolExecutor.

    Every worker is an actor that stays until the executor is closed. The queue of this process
    says which task starts next, because Ray knows no priorities; Ray says on which machine a worker
    is, and whether it is lost. Only places of results come back, so all machines have to see the
    same folders.
    """

    def __init__(
        self,
        cores: int | None = None,
        *,
        workers: int | None = None,
        connection: RayConnection,
        shared_paths: Sequence[Path] = (),
    ) -> None:
        """cores: shared by all tasks; None: all of the cluster. workers: the most at a time; None:
        as many as cores. connection: stays open. shared_paths: what every worker has to see.

        Raises OptionsError for numbers less than 1, BackendError for a cluster without a core.
        """
        check_counts(cores=cores, workers=workers)
        total = sum(_cores(node) for node in alive_nodes())
        if total < 1:
            raise BackendError("executor ray: the cluster has no machine with a free core")
        cores = total if cores is None else min(cores, total)
        workers = min(cores, workers or cores)
        self._is_own = connection.is_own
        pool = _RayPool(cores, workers, self._is_own, [str(path) for path in shared_paths])
        super().__init__(pool, cores, workers)

    def _free_memory(self) -> int | None:
        # on a cluster each worker reserves its memory where it is
        return free_memory() if self._is_own else None


class _RayPool(Pool):
    """Workers of Ray; each reserves its cores and, on a cluster, its memory."""

    def __init__(self, cores: int, workers: int, is_own: bool, paths: Sequence[str]) -> None:
        self._cores_each = cores // workers
        super().__init__(min(workers, self._room(0)))
        self._is_own, self._paths = is_own, paths
        most = max(_cores(node) for node in alive_nodes())
        self._environment = {
            "NUMBA_NUM_THREADS": str(most),
            # Ray sets it to 1; with another number than here, sums of BLAS could come out otherwise
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(default_threads())),
            **{name: os.environ[name] for name in _INHERITED if name in os.environ},
        }

    def start(self, task: Task) -> Worker:
        """Ask Ray for a worker. Raises BackendError if no machine has room for one."""
        memory = 0 if self._is_own else task.memory
        if len(self.workers) >= self._room(memory):
            raise BackendError("no machine of the cluster has room for another worker")
        reservation = Reservation(self._cores_each, memory)
        return RayWorker(reservation, self._environment, self._paths, self.inbox)

    def idle(self, task: Task) -> Worker:
        """An idle worker with enough memory, started if there is none."""
        too_small = None
        for worker in self._own_workers():
            if worker.task_id is not None or worker.killed:
                continue
            if self._is_own or worker.reservation.memory >= task.memory:
                return worker
            too_small = worker
        if too_small is not None:  # its place is needed for one that has enough
            too_small.close(at_once=True)
            self.workers.remove(too_small)
        started = self.start(task)
        self.workers.append(started)
        return started

    def shares(self, task_queue: TaskQueue) -> dict[str, int]:
        """Cores for each running task: on a cluster those that kadr's workers reserved there."""
        if self._is_own:
            return super().shares(task_queue)
        shares: dict[str, int] = {}
        by_node: dict[str, list[RayWorker]] = {}
        for number, worker in enumerate(self._own_workers()):
            by_node.setdefault(worker.node_id or f"{number}", []).append(worker)
        for workers in by_node.values():
            busy = [worker.task_id for worker in workers if worker.task_id is not None]
            reserved = sum(worker.reservation.cores for worker in workers if not worker.killed)
            shares |= share_out(dict.fromkeys(busy, 1), reserved)
        return shares

    def _own_workers(self) -> Iterator[RayWorker]:
        for worker in list(self.workers):
            assert isinstance(worker, RayWorker)
            yield worker

    def _room(self, memory: int) -> int:
        """How many workers fit on the machines that are there now."""
        return sum(
            min(_cores(node) // self._cores_each, _memory(node) // memory if memory else 1 << 30)
            for node in alive_nodes()
        )


def alive_nodes() -> list[dict[str, Any]]:
    """The machines of the cluster, as Ray describes them."""
    import ray

    return [node for node in ray.nodes() if node["Alive"]]


def _cores(node: dict[str, Any]) -> int:
    return int(node["Resources"].get("CPU", 0))


def _memory(node: dict[str, Any]) -> int:
    return int(node["Resources"].get("memory", 0))
