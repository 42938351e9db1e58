"""How long would a cluster take for an hour of film, and what would it move and cost?

Nothing is rendered. The tasks come from the schedule of a run (``render/schedule.py``) and start in
the order of its queue (``tasks/queue.py``); only time is simulated. Seconds of a frame come from
the record of a real run, ``work/run.json``, scaled by pixels, or are those below: of a synthetic
film of 3840×2160, on one core. Every frame is made from two keys. Task times vary, some machines
are slow, and some are lost.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import json
import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from kadr.core.frames import FrameRange, Span
from kadr.options import PropagateOptions
from kadr.propagate import STATE_INTERVAL
from kadr.render.blend_task import BlendChunk, BlendWork, gap_chunks
from kadr.render.key_pass import KeyPass, PassInput
from kadr.render.keyframes import KeyEntry
from kadr.render.pass_task import PassWork
from kadr.render.renderer import task_window
from kadr.render.schedule import Missing, RunSchedule
from kadr.report.record import read_record
from kadr.tasks.queue import TaskQueue
from kadr.tasks.task import Task
from kadr.video.clip_source import ClipSource

SIZE = 3840, 2160
FRAME_RATE = 30


@dataclass(frozen=True)
class Costs:
    """What a frame takes at SIZE; ``--record`` replaces the seconds.

    pass_seconds, blend_seconds: of a core. write_seconds: of the driver, to read and encode it.
    start_seconds: of a task, to open the clip and its key. *_bytes: of a frame.
    """

    pass_seconds: float = 0.71
    blend_seconds: float = 2.12
    write_seconds: float = 0.11
    start_seconds: float = 1.0
    filmed_bytes: float = 45e6 / 8 / FRAME_RATE
    pass_bytes: float = 5.2 * 960 * 540
    finished_bytes: float = 12e6


@dataclass(frozen=True)
class Cluster:
    """nodes of ``cores`` each. spread: of task times, σ of a log-normal. slow: share of the
    machines that take twice as long. losses: machines lost in an hour, all together."""

    nodes: int = 100
    cores: int = 16
    spread: float = 0.15
    slow: float = 0.03
    losses: float = 1.0


@dataclass(frozen=True)
class Outcome:
    """What a simulated run took. passes_done: when the last pass ended. moved: bytes over the
    network, by what they are. busy: core seconds."""

    tasks: int
    seconds: float
    passes_done: float
    encoded: float
    busy: float
    efficiency: float
    longest_task: float
    again: float
    moved: dict[str, float]
    dollars: float


def recorded_costs(path: Path) -> Costs:
    """The costs that a run measured, scaled from its size to SIZE by pixels."""
    record = read_record(path)
    if record is None:
        raise SystemExit(f"{path}: not the record of a run; give work/run.json of one")
    scale = SIZE[0] * SIZE[1] / (record.clip.width * record.clip.height)

    def each(step: str) -> float:
        made = record.computed(step)
        if not made:
            raise SystemExit(f"{path}: that run made no frame in step {step}; delete its work")
        return sum(item.seconds for item in record.stages if item.step == step) / made * scale

    return Costs(each("propagate"), each("blend"), each("write"))


def film_schedule(frames: int, mean_range: int, seed: int) -> tuple[RunSchedule, Missing]:
    """The schedule of a film whose keys lie ``mean_range`` frames apart on average."""
    source, keys = random.Random(seed), [0]
    while keys[-1] < frames - 1:
        gap = max(2, round(source.lognormvariate(math.log(mean_range) - 0.125, 0.5)))
        keys.append(min(frames - 1, keys[-1] + gap))
    passes, chunks = list[KeyPass](), list[BlendChunk]()
    for before, after in itertools.pairwise(keys):
        if after - before > 1:
            both = [
                KeyPass(before, after - 1, f"propagate/{before:031d}f"),
                KeyPass(after, before + 1, f"propagate/{after:031d}b"),
            ]
            passes += both
            chunks += gap_chunks(before + 1, after, before, both)
    spans = tuple(
        Span(key, max(0, key - mean_range), min(frames, key + mean_range)) for key in keys
    )
    schedule = RunSchedule(
        ClipSource("/shared/film.mp4"),
        spans,
        FrameRange(0, frames),
        tuple(passes),
        tuple(chunks),
        {key: KeyEntry(f"stylize/{key:032d}", "0" * 32) for key in keys},
        3,
        {key: PassInput("0" * 32, key, PropagateOptions(), 0) for key in keys},
    )
    missing = Missing(
        {chunk: tuple(range(chunk.start, chunk.stop)) for chunk in chunks},
        {item: tuple(range(1, len(item) + 1)) for item in passes},
        tuple(keys),
        (),
    )
    return schedule, missing


def film_tasks(
    schedule: RunSchedule, missing: Missing
) -> Iterator[tuple[PassWork | BlendWork, Task]]:
    """The tasks that the code itself would hand to an executor, in its order."""
    yield from schedule.work(missing, Path("/w/store"), Path("/w/frames"), str, SIZE)


class Simulation:
    """Carries out tasks on a cluster that does not exist."""

    def __init__(self, cluster: Cluster, costs: Costs, seed: int) -> None:
        self._cluster, self._costs, self._random = cluster, costs, random.Random(seed)
        slots = cluster.nodes * cluster.cores
        self._queue = TaskQueue(slots, slots, lambda: None)
        self._window = task_window(slots)
        self._free = [divmod(slot, cluster.cores)[0] for slot in range(slots)]
        self._slow = set(
            self._random.sample(range(cluster.nodes), round(cluster.slow * cluster.nodes))
        )
        self._work: dict[str, PassWork | BlendWork] = {}
        self._ending: list[tuple[float, str, int, float]] = []
        self._dead: set[int] = set()
        self._stored: dict[str, int] = {}
        """Frames of tasks that were lost, up to their last state."""
        self.busy = self.again = self.longest = self.passes_done = 0.0
        self.count = 0
        self.finished: list[tuple[int, int, float]] = []
        """First frame of each blended chunk, how many it has, and when they were there."""

    def run(self, tasks: Iterator[tuple[PassWork | BlendWork, Task]]) -> float:
        """Carry out the tasks; returns the seconds until the last has ended."""
        now, active, exhausted = 0.0, 0, False
        loss = self._next_loss(0.0)
        while True:
            while not exhausted and active < self._window:
                entry = next(tasks, None)
                if entry is None:
                    exhausted = True
                    break
                self._work[entry[1].id] = entry[0]
                self._queue.add(entry[1])
                active, self.count = active + 1, self.count + 1
            while self._free and (task := self._queue.next()) is not None:
                self._start(task.id, now)
            if not self._ending:
                assert exhausted
                assert self._queue.all_done
                return now
            if loss < self._ending[0][0]:
                now, loss = loss, self._next_loss(loss)
                self._lose(now)
                continue
            now, task_id, node, started = heapq.heappop(self._ending)
            self.busy += now - started
            self.longest = max(self.longest, now - started)
            self._end(task_id, node, now)
            active -= 1

    def _start(self, task_id: str, now: float) -> None:
        node = self._free.pop(self._random.randrange(len(self._free)))
        work = self._work[task_id]
        each = self._costs.pass_seconds if isinstance(work, PassWork) else self._costs.blend_seconds
        left = len(work.indices) - self._stored.get(task_id, 0)
        seconds = self._costs.start_seconds + each * left
        seconds *= self._random.lognormvariate(0, self._cluster.spread)
        seconds *= 2 if node in self._slow else 1
        heapq.heappush(self._ending, (now + seconds, task_id, node, now))

    def _end(self, task_id: str, node: int, now: float) -> None:
        work = self._work.pop(task_id)
        self._queue.done(task_id)
        self._free.append(node)
        if isinstance(work, PassWork):
            self.passes_done = max(self.passes_done, now)
        else:
            self.finished.append((work.indices[0], len(work.indices), now))

    def _pass_seconds(self, node: int) -> float:
        return self._costs.pass_seconds * (2 if node in self._slow else 1)

    def _frames_stored(self, task_id: str, node: int, seconds: float) -> int:
        """Frames of a task up to the last state that it stored in so many seconds."""
        if isinstance(self._work[task_id], BlendWork):
            return 0
        frames = max(0.0, seconds - self._costs.start_seconds) / self._pass_seconds(node)
        return int(frames) // STATE_INTERVAL * STATE_INTERVAL

    def _next_loss(self, now: float) -> float:
        rate = self._cluster.losses / 3600
        return now + self._random.expovariate(rate) if rate else math.inf

    def _lose(self, now: float) -> None:
        """A machine is gone for good: what it ran since the last state is made again elsewhere."""
        node = self._random.randrange(self._cluster.nodes)
        if node in self._dead or len(self._dead) == self._cluster.nodes - 1:
            return
        self._dead.add(node)
        lost = [entry for entry in self._ending if entry[2] == node]
        self._ending = [entry for entry in self._ending if entry[2] != node]
        heapq.heapify(self._ending)
        self._free = [other for other in self._free if other != node]
        for _, task_id, _, started in lost:
            self.busy += now - started
            stored = self._frames_stored(task_id, node, now - started)
            self.again += now - started - stored * self._pass_seconds(node)
            self._stored[task_id] = self._stored.get(task_id, 0) + stored
            self._queue.requeue(task_id)


def simulate(
    cluster: Cluster, costs: Costs, frames: int, mean_range: int, core_dollars: float, seed: int
) -> Outcome:
    """One run of a film over a cluster."""
    schedule, missing = film_schedule(frames, mean_range, seed)
    simulation = Simulation(cluster, costs, seed)
    seconds = simulation.run(film_tasks(schedule, missing))
    encoded = 0.0
    for _, count, ready in sorted(simulation.finished):
        encoded = max(encoded, ready) + count * costs.write_seconds
    slots = cluster.nodes * cluster.cores
    pass_frames, blended = missing.pass_frames, missing.finished_frames
    moved = {
        "clip read": pass_frames * costs.filmed_bytes,
        "passes written": pass_frames * costs.pass_bytes,
        "passes read": pass_frames * costs.pass_bytes,
        "frames written": blended * costs.finished_bytes,
        "frames read by the driver": blended * costs.finished_bytes,
    }
    return Outcome(
        simulation.count,
        seconds,
        simulation.passes_done,
        encoded,
        simulation.busy,
        simulation.busy / (seconds * slots),
        simulation.longest,
        simulation.again,
        moved,
        core_dollars * slots * seconds / 3600,
    )


def outcome_lines(outcome: Outcome, frames: int) -> list[str]:
    """The outcome for people."""
    terabytes = {name: value / 1e12 for name, value in outcome.moved.items()}
    return [
        f"{outcome.tasks} tasks, {outcome.busy / 3600:.0f} core hours, longest task "
        f"{outcome.longest_task:.0f} s",
        f"frames blended after {outcome.seconds / 60:.1f} min, {outcome.efficiency:.0%} of the "
        f"cores used; last pass after {outcome.passes_done / 60:.1f} min",
        f"encoded by the driver after {outcome.encoded / 60:.1f} min "
        f"({frames / outcome.encoded:.1f} frames/s)",
        f"made again after lost machines: {outcome.again:.0f} core seconds",
        "moved: " + ", ".join(f"{name} {value:.2f} TB" for name, value in terabytes.items()),
        f"cores until the last frame: ${outcome.dollars:.0f}",
    ]


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--frames", type=int, default=3600 * FRAME_RATE)
    parser.add_argument("--nodes", type=int, default=Cluster.nodes)
    parser.add_argument("--cores", type=int, default=Cluster.cores)
    parser.add_argument("--mean-range", type=int, nargs="+", default=[30, 60, 120])
    parser.add_argument("--losses", type=float, default=Cluster.losses, help="machines an hour")
    parser.add_argument("--core-dollars", type=float, default=0.0425, help="of a core for an hour")
    parser.add_argument("--record", type=Path, help="run.json of a run that made everything")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    costs = Costs() if given.record is None else recorded_costs(given.record)
    cluster = Cluster(given.nodes, given.cores, losses=given.losses)
    for mean_range in given.mean_range:
        outcome = simulate(cluster, costs, given.frames, mean_range, given.core_dollars, given.seed)
        facts: Mapping[str, object] = {"mean_range": mean_range, **asdict(outcome)}
        if given.json:
            print(json.dumps(facts))
            continue
        print(f"keys {mean_range} frames apart on {given.nodes} × {given.cores} cores:")
        for line in outcome_lines(outcome, given.frames):
            print(f"  {line}")


if __name__ == "__main__":
    main()
