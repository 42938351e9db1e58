"""The stages of a run are all there, and no work of a pass frame is outside of them."""

from __future__ import annotations

import threading
from pathlib import Path
from types import BuiltinFunctionType
from typing import Any

import cv2
import pytest

from kadr.core import row_bands, stage_times
from kadr.options import RunOptions
from kadr.pipeline import restyle
from kadr.report.record import read_record
from scenes import paint, sliding, write_sequence

PASS_STAGES = {
    "decode", "sources", "flow", "occlusion", "denoise", "registration", "confidence", "warp",
    "synthesis", "pack", "start", "search", "vote", "result", "contrast", "error",
    "store",
}  # fmt: skip
BLEND_STAGES = {"read", "weights", "mix", "store"}


class _CallClock:
    """A clock that moves by one second with each call of OpenCV or of a kernel."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._thread, self._all = threading.local(), 0
        for name, function in vars(cv2).items():
            if isinstance(function, BuiltinFunctionType) and name not in _SETTINGS:
                monkeypatch.setattr(cv2, name, self._counted(function))
        # read once by each call of ``run_bands``, which all kernels run in
        monkeypatch.setattr(row_bands, "open_stages", self._counted(row_bands.open_stages))
        monkeypatch.setattr(stage_times, "_clock", lambda: getattr(self._thread, "calls", 0))
        monkeypatch.setattr(stage_times, "_process_clock", lambda: self._all)

    def _counted(self, function: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            self._all += 1
            self._thread.calls = getattr(self._thread, "calls", 0) + 1
            return function(*arguments, **options)

        return call

    def calls(self) -> int:
        return self._all


_SETTINGS = {"setNumThreads", "getNumThreads"}


def test_all_work_of_pass_frames_and_blending_is_in_a_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = sliding(5, 2.0, height=40, width=56)
    clip = write_sequence(tmp_path / "clip", images)
    keys = write_sequence(tmp_path / "keys", [paint(images[0])])
    (keys / "frame_00000.png").rename(keys / "00000.png")
    write_sequence(tmp_path / "last", [paint(images[4])], 4)
    with monkeypatch.context() as patch:
        clock = _CallClock(patch)
        stage_times.start_times()
        before = clock.calls()
        restyle(
            RunOptions(
                clip, tmp_path / "out", (keys, tmp_path / "last"), work=tmp_path / "work", threads=1
            )
        )
        calls = clock.calls() - before
    stage_times.start_times()
    record = read_record(tmp_path / "work" / "run.json")
    assert record is not None
    stages = {(item.step, item.name): item.seconds for item in record.stages}
    assert sum(stages.values()) == pytest.approx(calls), "nothing is lost or counted twice"
    for step, names in (("propagate", PASS_STAGES), ("blend", BLEND_STAGES)):
        assert {name for of, name in stages if of == step} - {""} >= names
        assert stages.get((step, ""), 0) == 0, f"{step}: work outside of the stages"
        assert record.computed(step) > 0
    before_passes = sum(s for (step, _), s in stages.items() if step in ("plan", "match"))
    passes = sum(s for (step, _), s in stages.items() if step == "propagate")
    assert passes > (calls - before_passes) / 2
    assert {("write", "read"), ("write", "encode")} <= stages.keys()
