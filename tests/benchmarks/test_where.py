"""The table of ``benchmarks/where.py``."""

from __future__ import annotations

from kadr.report.record import ClipRecord, RunRecord, StageRecord, StepRecord
from where import table


def test_the_table_shows_seconds_shares_and_milliseconds_for_each_frame() -> None:
    record = RunRecord(
        ClipRecord("clip", 8, 8, 2, 25.0), (), 0, (0, 1), (0.1, 0.2),
        steps=(StepRecord("propagate", 2.0, 10), StepRecord("blend", 1.0, 4)),
        stages=(
            StageRecord("other", "workers", 1.0),
            StageRecord("blend", "mix", 2.0),
            StageRecord("propagate", "", 1.0),
            StageRecord("propagate", "search", 4.0),
        ),
        seconds=3.5,
    )  # fmt: skip
    rows = [line.split() for line in table(record)]
    assert rows == [
        ["step", "stage", "seconds", "share", "frames", "ms/frame"],
        ["propagate", "5.000", "62.5%", "10", "500.0"],
        ["search", "4.000", "50.0%", "10", "400.0"],
        ["rest", "1.000", "12.5%", "10", "100.0"],
        ["blend", "2.000", "25.0%", "4", "500.0"],
        ["mix", "2.000", "25.0%", "4", "500.0"],
        ["other", "1.000", "12.5%", "–", "–"],
        ["workers", "1.000", "12.5%", "–", "–"],
        ["all", "8.000", "in", "3.5", "s"],
    ]
