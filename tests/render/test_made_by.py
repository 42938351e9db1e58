"""Who made which frames: a few ranges, whatever the order in which frames come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kadr.core.frames import FrameRange
from kadr.render.made_by import THIS_PROCESS, MadeBy
from kadr.report.record import WorkerRecord


def test_frames_of_both_directions_become_ranges() -> None:
    made_by = MadeBy()
    for index in (1, 2, 3, 9, 8, 7, 20):
        made_by.add("b", "propagate", index)
    made_by.add("", "blend", 4)
    assert made_by.records() == (
        WorkerRecord("b", "propagate", (FrameRange(1, 4), FrameRange(7, 10), FrameRange(20, 21))),
        WorkerRecord(THIS_PROCESS, "blend", (FrameRange(4, 5),)),
    )


@given(st.lists(st.integers(0, 2000), min_size=1, max_size=1500))
def test_the_ranges_hold_just_the_frames_and_do_not_touch(indices: list[int]) -> None:
    made_by = MadeBy()
    for index in indices:
        made_by.add("a", "blend", index)
    (record,) = made_by.records()
    assert [index for frames in record.frames for index in frames] == sorted(set(indices))
    for before, after in zip(record.frames, record.frames[1:]):
        assert before.stop < after.start
