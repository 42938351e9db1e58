"""Records of synthetic runs."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

from kadr.core.frames import FrameRange
from kadr.report.record import (
    ClipRecord,
    KeyRecord,
    NextKey,
    RunRecord,
    StageRecord,
    StepRecord,
    WorkerRecord,
)


def bumpy_error(index: int) -> float:
    """A curve with hills between the keys and one spike at 33."""
    return 0.02 + 0.03 * abs(math.sin(index / 6)) + (0.2 if index == 33 else 0.0)


def make_record(count: int = 48, first: int = 0, **changes: Any) -> RunRecord:
    """A finished run of ``count`` frames numbered from 1001, three keys, a cut in the middle."""
    half = first + count // 2
    edges = sorted({first, half, first + count})
    shots = [FrameRange(start, stop) for start, stop in pairwise(edges)]
    record = RunRecord(
        clip=ClipRecord("clips/walk <1>.mp4", 320, 180, first + count + 4, 25.0, "ab12"),
        keys=(
            KeyRecord(first, 1001 + first, first, first + count // 4),
            KeyRecord(first + count // 4, 1001 + first + count // 4, first, half),
            KeyRecord(half, 1001 + half, half, first + count),
        ),
        first_frame=first,
        numbers=tuple(range(1001 + first, 1001 + first + count)),
        measured=tuple(bumpy_error(index) for index in range(count)),
        predicted=tuple(bumpy_error(index) * 1.5 for index in range(count)),
        shots=tuple(shots),
        steps=(StepRecord("stylize", 1.25, 2, 1), StepRecord("propagate", 83.5, 40, 12)),
        stages=(
            StageRecord("propagate", "flow", 8.0),
            StageRecord("propagate", "search", 30.0),
            StageRecord("propagate", "", 1.5),
            StageRecord("other", "workers", 0.25),
        ),
        options={"detail": "medium", "propagate": {"video_weight": 32.0}, "seed": 0},
        versions={"kadr": "0.1.0", "python": "3.12.1"},
        output="out/walk.mp4",
        started="2025-02-03T04:05:06+00:00",
        seconds=90.5,
        work_bytes=123_456_789,
        output_bytes=2_345_678,
        next_key=NextKey(min(33, count - 1), 1001 + first + min(33, count - 1), 0.0123),
        executor="ray",
        workers=(
            WorkerRecord(
                "process 12 on <host>",
                "propagate",
                (FrameRange(first, first + 1), FrameRange(half, first + count)),
            ),
        ),
        notes=("work file 12: damaged, made again",),
    )
    return replace(record, **changes)
