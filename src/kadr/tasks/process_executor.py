"""Run tasks in a few processes of this machine."""

from __future__ import annotations

from kadr.core.row_bands import default_threads
from kadr.tasks.pool import Pool, Worker
from kadr.tasks.pool_executor import PoolExecutor, check_counts
from kadr.tasks.resources import free_memory
from kadr.tasks.task import Task
from kadr.tasks.worker_process import WorkerProcess


class ProcessExecutor(PoolExecutor):
    """An Executor of worker processes of this machine; see PoolExecutor."""

    def __init__(
        self, cores: int | None = None, *, workers: int | None = None, memory: int | None = None
    ) -> None:
        """cores: shared by all tasks; None: all cores. workers: the most processes at a
        time; None: as many as cores. memory: bytes for all tasks together; None: what is free.

        Raises OptionsError if one of them is less than 1.
        """
        check_counts(cores=cores, workers=workers, memory=memory)
        cores = default_threads() if cores is None else cores
        super().__init__(_ProcessPool(cores), cores, min(cores, workers or cores))
        self._memory = memory

    def _free_memory(self) -> int | None:
        return free_memory() if self._memory is None else self._memory


class _ProcessPool(Pool):
    """Worker processes of this machine."""

    def __init__(self, cores: int) -> None:
        super().__init__(cores)
        self._cores = cores

    def start(self, task: Task) -> Worker:
        """Start a worker process; any task may run in it. Raises BackendError."""
        return WorkerProcess(self._cores, self.inbox)
