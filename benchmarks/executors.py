"""How well do executors use a second worker, and what does Ray cost?

The tasks of one run, a synthetic film, are carried out again and again on warm workers of one core
each: by one worker and by two, with processes and with Ray, in turn. Efficiency is the time with
one worker by twice the time with two; of several rounds the shortest times count. Then whole runs
of 100 frames are timed, with the start of everything.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from kadr import RunOptions, restyle, write_image
from kadr.core.events import CancelToken
from kadr.render import run_executors
from kadr.tasks.executor import Done, Executor, TaskEvent
from kadr.tasks.inline_executor import InlineExecutor
from kadr.tasks.process_executor import ProcessExecutor
from kadr.tasks.ray_connection import RayConnection
from kadr.tasks.ray_executor import RayExecutor
from kadr.tasks.task import Task

_KEYS_APART = 24


def make_film(folder: Path, count: int, size: tuple[int, int]) -> RunOptions:
    """A moving texture and keys painted from it; the options of its run."""
    width, height = size
    noise = np.random.default_rng(5).uniform(0, 255, (height, width + 2 * count, 3))
    texture = cv2.GaussianBlur(noise.astype(np.float32), (0, 0), 4)
    texture = cv2.normalize(texture, None, 0, 255, cv2.NORM_MINMAX)
    keys = []
    for index in range(count):
        image = texture[:, 2 * index : 2 * index + width].astype(np.uint8)
        write_image(folder / "clip" / f"{index:04d}.png", image)
        if index % _KEYS_APART == 0 or index == count - 1:
            keys.append(folder / "keys" / f"{index:04d}.png")
            write_image(keys[-1], 255 - image // 48 * 48)
    work = folder / "work"
    return RunOptions(folder / "clip", f"{folder / 'out'}/", tuple(keys), work=work, overwrite=True)


def tasks_of(options: RunOptions) -> list[Task]:
    """The tasks of a run, which is carried out in this process to learn them."""
    tasks: list[Task] = []

    class Noting(InlineExecutor):
        def run(
            self, given: Iterator[Task], window: int, cancel: CancelToken | None = None
        ) -> Generator[TaskEvent, None, None]:
            def noted() -> Iterator[Task]:
                for task in given:
                    tasks.append(task)
                    yield task

            yield from super().run(noted(), window, cancel)

    original, run_executors.InlineExecutor = run_executors.InlineExecutor, Noting
    try:
        restyle(replace(options, executor="inline"))
    finally:
        run_executors.InlineExecutor = original
    return tasks


def seconds(executor: Executor, tasks: list[Task], work: Path) -> float:
    """How long an executor takes to carry out all tasks anew."""
    for name in ("propagate", "flow"):
        shutil.rmtree(work / "store" / name, ignore_errors=True)
    start = time.perf_counter()
    ends = [e for e in executor.run(iter(tasks), len(tasks)) if isinstance(e, Done)]
    assert len(ends) == len(tasks), "some tasks failed"
    return time.perf_counter() - start


def efficiencies(tasks: list[Task], work: Path, rounds: int) -> dict[str, dict[str, float]]:
    """By executor: the shortest seconds with one worker and with two, and the efficiency."""
    times: dict[str, list[list[float]]] = {"processes": [[], []], "ray": [[], []]}
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(RayConnection(2))
        make: dict[str, Callable[[int], Executor]] = {
            "processes": lambda count: ProcessExecutor(count, workers=count),
            "ray": lambda count: RayExecutor(count, workers=count, connection=connection),
        }
        for number in range(rounds):
            for count in (1, 2):
                for name, executor_of in make.items():
                    with executor_of(count) as executor:
                        if number == 0:
                            seconds(executor, tasks, work)  # kernels are compiled
                        seconds(executor, tasks[:count], work)  # workers start
                        times[name][count - 1].append(seconds(executor, tasks, work))
    shortest = {name: [min(values) for values in both] for name, both in times.items()}
    return {
        name: {"one": one, "two": two, "efficiency": one / (2 * two)}
        for name, (one, two) in shortest.items()
    }


def whole_runs(options: RunOptions, rounds: int) -> dict[str, float]:
    """The shortest seconds of whole runs, with the start of workers and of Ray."""
    shortest: dict[str, float] = {}
    for _ in range(rounds):
        for name in ("processes", "ray"):
            assert options.work is not None
            shutil.rmtree(options.work)
            start = time.perf_counter()
            restyle(replace(options, executor=name, threads=2, workers=2))
            took = time.perf_counter() - start
            shortest[name] = min(shortest.get(name, took), took)
    return shortest


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--size", default="480x270", metavar="WxH")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    with tempfile.TemporaryDirectory(prefix="executors-") as name:
        options = make_film(Path(name), arguments.frames, (width, height))
        assert options.work is not None
        tasks = tasks_of(options)
        results = efficiencies(tasks, options.work, arguments.rounds)
        runs = whole_runs(options, arguments.rounds)
    if arguments.json:
        print(json.dumps({"tasks": len(tasks), "efficiency": results, "whole_runs": runs}))
        return
    print(f"{arguments.frames} frames of {arguments.size}, {len(tasks)} tasks, workers of one core")
    for executor, values in results.items():
        print(
            f"{executor:10} one worker {values['one']:7.2f} s   two {values['two']:7.2f} s   "
            f"efficiency {values['efficiency']:.2f}"
        )
    more = runs["ray"] - runs["processes"]
    print(
        f"whole run: processes {runs['processes']:.2f} s, ray {runs['ray']:.2f} s ({more:+.2f} s)"
    )


if __name__ == "__main__":
    main()
