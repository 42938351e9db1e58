"""The record of a run over some frames of a clip in, the same in the indices of the clip out."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from kadr.core.frames import FrameRange
from kadr.report.record import RunRecord
from kadr.video.sparse_clip import SparseClip

Value = TypeVar("Value")


def in_whole_clip(record: RunRecord, clip: SparseClip) -> RunRecord:
    """A record that has an entry for each frame of the part, as those of other runs have.

    Frames that were left out are not rendered; estimates for them are those of the frame before.
    """
    indices, whole = clip.indices, clip.whole
    frames = FrameRange(clip.choice.start, clip.choice.stop)

    def edge(position: int) -> int:
        return indices[position] if position < len(indices) else frames.stop

    def spread(values: Sequence[Value]) -> tuple[Value, ...]:
        return tuple(values[bisect_right(indices, index) - 1] for index in frames)

    errors = dict(zip(indices, record.measured, strict=True))
    next_key = record.next_key
    return replace(
        record,
        keys=tuple(
            replace(key, index=edge(key.index), start=edge(key.start), stop=edge(key.stop))
            for key in record.keys
        ),
        first_frame=frames.start,
        numbers=tuple(whole.number(index) for index in frames),
        measured=tuple(errors.get(index) for index in frames),
        predicted=None if record.predicted is None else spread(record.predicted),
        shots=tuple(FrameRange(edge(shot.start), edge(shot.stop)) for shot in record.shots),
        next_key=None if next_key is None else replace(next_key, index=edge(next_key.index)),
        shares=None
        if record.shares is None
        else {number: spread(values) for number, values in record.shares.items()},
    )
