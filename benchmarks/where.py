"""Show where the time of a run goes: seconds of a core by step and stage, and for each frame.

    python benchmarks/where.py CLIP KEYS [--detail medium] [--threads 1] [--frames FIRST:LAST]

The run starts from nothing, in a folder of its own, after a short run that compiles the kernels and
is not counted. ``--threads 1``, the default, lets FFmpeg and OpenCV use no threads of their own for
pass frames and blending; with more threads, theirs count as "other".
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from _methods import run_kadr
from kadr.core.frames import FrameRange
from kadr.errors import KadrError
from kadr.options import DETAIL, RunOptions, detail_options
from kadr.pipeline import restyle
from kadr.report.record import RunRecord, read_record


def measure(options: RunOptions) -> RunRecord:
    """Run from an empty work folder and return the record of the run."""
    assert options.work is not None, "the record is in the work folder"
    restyle(options)
    record = read_record(options.work / "run.json")
    assert record is not None, "a run that is complete has a record"
    return record


def table(record: RunRecord) -> Iterator[str]:
    """Lines of the table: each step with its stages, the longest first, and the sum."""
    total = sum(item.seconds for item in record.stages)
    yield f"{'step':<10} {'stage':<13} {'seconds':>8} {'share':>6} {'frames':>6} {'ms/frame':>9}"
    steps = dict.fromkeys([*(step.name for step in record.steps), *(s.step for s in record.stages)])
    for step in steps:
        stages = [item for item in record.stages if item.step == step]
        frames = record.computed(step)
        rows = [("", sum(item.seconds for item in stages))]
        if any(item.name for item in stages):
            ordered = sorted(stages, key=lambda item: -item.seconds)
            rows += [(item.name or "rest", item.seconds) for item in ordered]
        for name, seconds in rows if stages else ():
            each = f"{1000 * seconds / frames:9.1f}" if frames else f"{'–':>9}"
            yield (
                f"{'' if name else step:<10} {name:<13} {seconds:8.3f} {seconds / total:6.1%} "
                f"{frames or '–':>6} {each}"
            )
    yield f"{'all':<24} {total:8.3f}        in {record.seconds:.1f} s"


def _warm_up() -> None:
    images = [np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)] * 3
    run_kadr(images, {0: images[0], 2: 255 - images[0]}, detail_options("medium"))


def _frame_range(text: str) -> FrameRange:
    first, _, last = text.partition(":")
    return FrameRange(int(first), int(last) + 1)


def main() -> None:
    """Run once and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("keys", type=Path)
    parser.add_argument("--detail", choices=list(DETAIL), default="medium")
    parser.add_argument("--threads", type=int, default=1, help="cores of the run")
    parser.add_argument("--frames", type=_frame_range, help="FIRST:LAST, indices, both included")
    parser.add_argument("--output", default=".png", help="type of the output: .png, .mp4, …")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kadr-where-") as name:
        folder = Path(name)
        output = "out" if arguments.output == ".png" else f"out{arguments.output}"
        try:
            _warm_up()
            record = measure(
                RunOptions(
                    clip=arguments.clip,
                    output=folder / output,
                    keys=(arguments.keys,),
                    propagate=detail_options(arguments.detail),
                    threads=arguments.threads,
                    work=folder / "work",
                    **({} if arguments.frames is None else {"frames": arguments.frames}),
                )
            )
        except KadrError as error:
            parser.exit(2, f"where.py: {error}\n")
    if arguments.json:
        rows = [
            {"step": item.step, "stage": item.name, "seconds": item.seconds}
            | {"frames": record.computed(item.step)}
            for item in record.stages
        ]
        print(json.dumps({"stages": rows, "seconds": record.seconds}, indent=1))
    else:
        print("\n".join(table(record)))


if __name__ == "__main__":
    main()
