"""The page about a run in layers."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
from report_samples import make_record

from kadr.report.layers_page import write_layers_report
from kadr.report.record import read_record


def test_each_layer_has_a_section_and_a_curve_of_its_own(tmp_path: Path) -> None:
    room = make_record(notes=(), next_key=None)
    person = replace(
        make_record(),
        keys=room.keys[:1],
        measured=tuple(0.4 for _ in room.measured),
        predicted=None,
    )
    whole = replace(
        room, keys=(), measured=tuple(map(max, room.measured, person.measured)), predicted=None
    )
    page = write_layers_report(
        whole, [("room", room), ("<b>", person)], tmp_path,
        lambda index: np.full((18, 32, 3), 40 + index, np.uint8),
        lambda index: np.full((18, 32, 3), 140 + index, np.uint8),
    )  # fmt: skip
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"<h2>(.*?)</h2>", text) == [
        "Error of each frame", "Original and composite", "Worst frames",
        "Layer room", "Keyframes", "Layer &lt;b&gt;", "Keyframes", "Time", "Settings",
    ]  # fmt: skip
    assert text.count('<div class="plot">') == 3
    assert "3 keyframes; mean error" in text
    assert "1 keyframe; mean error\n40.0 %" in text
    assert text.count("Paint frame") == 1, "only one of the layers names its next frame"
    assert not re.search(r'(src|href)="(?!data:)', text), "the page loads nothing"
    data = json.loads(re.search(r'id="report-data"[^>]*>(.*?)</script>', text)[1])
    assert [curve["label"] for curve in data["curves"]] == ["error", "in room", "in <b>"]
    assert data["curves"][2]["values"] == [0.4] * 48
    assert data["keys"] == []
    assert read_record(tmp_path / "report.json") == whole
