"""The contract of executors with Ray, workers that are lost, and what the connection refuses.

All tests share one Ray, which takes seconds to start.
"""

from __future__ import annotations

import importlib.util
import re
import sys
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import test_executor as contract
import test_process_executor as processes

from kadr import RunOptions, restyle, write_image
from kadr.propagate import STATE_INTERVAL
from kadr.tasks.executor import Executor, ItemStored, TaskEvent
from kadr.tasks.ray_connection import RayConnection
from kadr.tasks.ray_executor import RayExecutor, alive_nodes

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or importlib.util.find_spec("ray") is None,
    reason="Ray is not installed, or not made for clusters of this system",
)

NOT_OF_EACH = {"test_a_closed_executor_runs_nothing", "test_invalid_numbers_are_refused"}
"""Tests of the contract that do not use its ``executor``."""
OF_LOST_WORKERS = (
    processes.test_the_task_of_a_killed_worker_is_retried_with_the_same_result,
    processes.test_a_worker_killed_from_outside_is_replaced,
    processes.test_a_task_out_of_retries_fails_with_its_dependents_only,
    processes.test_a_memory_error_counts_as_a_lost_worker,
    processes.test_an_error_that_cannot_be_unpickled_arrives_as_text,
    processes.test_a_task_that_ignores_a_cancellation_is_killed_after_the_grace_time,
    processes.test_closing_a_run_ends_its_tasks_at_once,
    processes.test_free_cores_go_to_running_tasks,
    processes.test_warnings_arrive_as_notices_and_prints_are_harmless,
    processes.test_compiling_is_reported_once,
)
"""Tests of worker processes that hold for those of Ray too."""

globals().update(
    {
        name: test
        for name, test in vars(contract).items()
        if name.startswith("test_") and name not in NOT_OF_EACH
    }
    | {test.__name__: test for test in OF_LOST_WORKERS}
)


@pytest.fixture(scope="module")
def connection() -> Iterator[RayConnection]:
    # two cores for the executor below, whose workers stay, and two for whole runs
    with RayConnection(4) as connection:
        yield connection


@pytest.fixture(scope="module")
def executor(connection: RayConnection) -> Iterator[Executor]:
    with RayExecutor(2, connection=connection) as executor:
        yield executor


COUNT = 40


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Options of a run over moving texture, painted at both ends."""
    folder = tmp_path_factory.mktemp("film")
    noise = np.random.default_rng(3).uniform(0, 255, (100, 260, 3)).astype(np.float32)
    texture = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)
    keys = [folder / "keys" / f"{index:03d}.png" for index in (0, COUNT - 1)]
    for index in range(COUNT):
        image = texture[5:65, 2 * index : 2 * index + 96].astype(np.uint8)
        name = f"{index:03d}.png"
        write_image(folder / "clip" / name, image)
        if folder / "keys" / name in keys:
            write_image(folder / "keys" / name, 255 - image // 48 * 48)
    return {"clip": folder / "clip", "keys": tuple(keys), "frame_rate": 24.0}


@pytest.fixture(scope="module")
def inline_frames(film: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The files of the film, made in this process."""
    folder = tmp_path_factory.mktemp("inline") / "out"
    restyle(RunOptions(**film, output=f"{folder}/", executor="inline"))
    return contents(folder)


def contents(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.iterdir())]


def test_a_film_made_with_ray_has_the_same_bytes_and_names_its_workers(
    connection: RayConnection, film: dict[str, Any], inline_frames: list[bytes], tmp_path: Path
) -> None:
    out, work = tmp_path / "out", tmp_path / "work"
    result = restyle(RunOptions(**film, output=f"{out}/", executor="ray", threads=2, work=work))
    assert contents(out) == inline_frames
    assert result.executor == "ray"
    names = {item.name for item in result.workers}
    assert 1 <= len(names) <= 2
    assert all(re.fullmatch(r"process \d+ on \S+", name) for name in names)
    blended = {
        index
        for item in result.workers
        if item.step == "blend"
        for frames in item.frames
        for index in frames
    }
    assert blended == set(range(1, COUNT - 1))
    assert not (work / "handed-in").exists()


@pytest.fixture
def second_node(connection: RayConnection) -> Iterator[Callable[[], None]]:
    """Another node of the cluster, with one core; call it to end all its processes at once."""
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=False)
    cluster.head_node = ray._private.worker.global_worker.node
    cluster.redis_address = cluster.head_node.redis_address
    node = cluster.add_node(wait=False, num_cpus=1, node_ip_address="127.0.0.1")
    deadline = time.monotonic() + 60
    while len(alive_nodes()) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)

    def end() -> None:
        if node in cluster.worker_nodes:
            cluster.remove_node(node, allow_graceful=False)

    yield end
    end()


def test_a_node_that_dies_costs_one_stored_interval_and_no_byte(
    second_node: Callable[[], None],
    film: dict[str, Any],
    inline_frames: list[bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import ray

    (node_id,) = [
        node["NodeID"] for node in ray.nodes() if node["Alive"] and node["Resources"]["CPU"] == 1
    ]
    made: list[tuple[str, int, str]] = []
    lost: set[str] = set()
    run = RayExecutor.run

    def watched(self: RayExecutor, *arguments: Any) -> Generator[TaskEvent, None, None]:
        """Kill the node once one of its workers has made some frames of a pass."""
        for event in run(self, *arguments):
            if isinstance(event, ItemStored) and not event.task.startswith("blend"):
                made.append((event.task, event.item.index, event.worker))
                on_node = {
                    worker.name for worker in self._pool._own_workers() if worker.node_id == node_id
                }
                if not lost and sum(worker in on_node for _, _, worker in made) == 7:
                    lost.update(on_node)
                    second_node()
            yield event

    monkeypatch.setattr(RayExecutor, "run", watched)
    out, address = tmp_path / "out", ray.get_runtime_context().gcs_address
    result = restyle(
        RunOptions(
            **film,
            output=f"{out}/",
            executor="ray",
            address=address,
            threads=3,
            work=tmp_path / "work",
        )
    )
    assert len(lost) == 1
    assert contents(out) == inline_frames
    again = len(made) - len({(task, index) for task, index, _ in made})
    assert again <= STATE_INTERVAL
    assert lost < {item.name for item in result.workers}
