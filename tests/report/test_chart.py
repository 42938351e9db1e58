from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import make_record

from kadr.core.frames import FrameRange
from kadr.report.chart import error_chart, timeline
from kadr.report.record import KeyRecord, RunRecord

_WIDTH, _TOP, _HEIGHT = 100.0, 26, 200


def _draw(record: RunRecord) -> ElementTree.Element:
    return ElementTree.fromstring(error_chart(record, record.worst(3)))


def _points(chart: ElementTree.Element, kind: str) -> list[tuple[float, float]]:
    """Points of a curve as (0–1 along the frames, 0–1 from the base to the top)."""
    box = next(svg for svg in chart.iter("svg") if "viewBox" in svg.attrib)
    width = float(box.attrib["viewBox"].split()[2])
    paths = [path.attrib["d"] for path in box.iter("path") if path.attrib["class"] == kind]
    points = re.findall(r"[ML]([\d.]+) ([\d.]+)", " ".join(paths))
    return [(float(x) / width, 1 - float(y) / 1000) for x, y in points]


def _top(chart: ElementTree.Element) -> float:
    """The error at the top of the plot, read from the highest label."""
    ticks = [text for text in chart.iter("text") if text.attrib["class"] == "tick"]
    return max(float((text.text or "").split()[0]) for text in ticks) / 100


@given(errors=st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_the_curve_goes_through_every_error_and_fits(errors: list[float]) -> None:
    count = len(errors)
    keys = (KeyRecord(0, 0, 0, count),)
    record = make_record(
        count, keys=keys, measured=tuple(errors), predicted=None, shots=(), next_key=None
    )
    chart = _draw(record)
    top = _top(chart)
    assert max(errors) <= top * 1.05 + 0.0005
    points = _points(chart, "measured")[1:-1]
    assert len(points) == count
    for position, ((x, height), error) in enumerate(zip(points, errors, strict=True)):
        assert x == pytest.approx((position + 0.5) / count)
        assert height * top == pytest.approx(error, abs=top * 0.03 + 0.0006)


@given(largest=st.floats(0.0021, 1))
def test_the_scale_has_few_even_ticks(largest: float) -> None:
    chart = _draw(make_record(3, measured=(largest, 0.0, 0.0), predicted=None, shots=()))
    ticks = [text.text or "" for text in chart.iter("text") if text.attrib["class"] == "tick"]
    assert 2 <= len(ticks) <= 5
    assert len(set(ticks)) == len(ticks)
    steps = [float(text.split()[0]) for text in ticks]
    for position, step in enumerate(steps):
        assert step == pytest.approx((position + 1) * steps[0], rel=0.01)
    assert steps[-1] / 100 * (1 - 1 / len(steps)) <= largest * 1.01


def test_thousands_of_frames_keep_their_peak() -> None:
    measured = [0.01] * 30_000
    measured[17_777] = 0.9
    record = make_record(
        30_000, measured=tuple(measured), predicted=(0.5,) * 30_000, shots=(), next_key=None
    )
    text = error_chart(record)
    assert len(text) < 80_000
    x, height = max(_points(_draw(record), "measured"), key=lambda point: point[1])
    assert height == pytest.approx(0.9, abs=0.11)
    assert x == pytest.approx(17_777 / 30_000, abs=0.001)


def test_keys_are_at_their_frames() -> None:
    chart = _draw(make_record(first=9))
    dots = [c.attrib["cx"] for c in chart.iter("circle") if c.attrib["class"] == "key"]
    assert dots == [f"{(position + 0.5) / 48 * 100:.3f}%" for position in (0, 12, 24)]


def test_cuts_are_between_shots_of_the_run_only() -> None:
    shots = (FrameRange(0, 10), FrameRange(10, 30), FrameRange(30, 80), FrameRange(80, 90))
    chart = _draw(make_record(first=20, shots=shots))
    cuts = [line for line in chart.iter("line") if line.attrib["class"] == "cut"]
    assert [cut.attrib["x1"] for cut in cuts] == [f"{10 / 48 * 100:.3f}%"]
    assert [cut.findtext("title") for cut in cuts] == ["cut before frame 1031"]


def test_keys_are_labelled_only_where_there_is_room() -> None:
    keys = tuple(KeyRecord(position, position, position, position + 1) for position in range(100))
    record = make_record(100, keys=keys, shots=())
    labels = [t for t in _draw(record).iter("text") if t.attrib["class"].startswith("key")]
    points = [float(text.attrib["x"].rstrip("%")) for text in labels]
    assert len(points) == 25
    assert min(after - before for before, after in pairwise(points)) >= 4
    narrow = [t for t in labels if "wide-only" not in t.attrib["class"]]
    assert len(narrow) == 7


def test_overlapping_ranges_have_separate_lanes() -> None:
    keys = (KeyRecord(5, 5, 0, 20), KeyRecord(15, 15, 6, 30), KeyRecord(25, 25, 20, 48))
    chart = ElementTree.fromstring(timeline(make_record(keys=keys)))
    bars = [rect.attrib for rect in chart.iter("rect")]
    assert bars[0]["y"] == bars[2]["y"] != bars[1]["y"]
    assert bars[1]["x"] == f"{6 / 48 * 100:.3f}%"
    assert bars[1]["width"] == f"{24 / 48 * 100:.3f}%"


def test_ranges_are_clipped_to_the_frames_of_the_run() -> None:
    keys = (KeyRecord(2, 2, 0, 12), KeyRecord(60, 60, 20, 90), KeyRecord(99, 99, 90, 99))
    chart = ElementTree.fromstring(timeline(make_record(first=10, keys=keys)))
    bars = [rect.attrib for rect in chart.iter("rect")]
    assert [(bar["x"], bar["width"]) for bar in bars] == [
        ("0.000%", f"{2 / 48 * 100:.3f}%"),
        (f"{10 / 48 * 100:.3f}%", f"{38 / 48 * 100:.3f}%"),
    ]
    assert len(list(chart.iter("circle"))) == 0  # no key is among the frames
