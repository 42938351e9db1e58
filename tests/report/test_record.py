from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import make_record

from kadr.core.frames import FrameRange, Span
from kadr.options import RunOptions
from kadr.report.record import (
    ClipRecord,
    KeyRecord,
    RunRecord,
    library_versions,
    plain_values,
    read_record,
    record_text,
    write_record,
)

_errors = st.floats(0, 1)


@st.composite
def _records(draw: st.DrawFn) -> RunRecord:
    count = draw(st.integers(1, 12))
    first = draw(st.integers(0, 50))
    list_size = {"min_size": count, "max_size": count}
    key = first + draw(st.integers(0, count - 1))
    return RunRecord(
        clip=ClipRecord(draw(st.text()), 64, 48, first + count, draw(st.floats(0.01, 1000))),
        keys=(KeyRecord(key, key, first, first + count),),
        first_frame=first,
        numbers=tuple(draw(st.lists(st.integers(0, 10**6), **list_size))),
        measured=tuple(draw(st.lists(st.none() | _errors, **list_size))),
        predicted=draw(st.none() | st.lists(_errors, **list_size).map(tuple)),
        shots=(FrameRange(first, first + count),),
        options=draw(st.none() | st.dictionaries(st.text(), st.integers() | st.text())),
        notes=tuple(draw(st.lists(st.text(), max_size=3))),
        finished=draw(st.booleans()),
    )


@given(record=_records())
def test_a_written_record_is_read_again(
    record: RunRecord, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("record") / "run.json"
    write_record(record, path)
    assert read_record(path) == record
    assert path.read_text(encoding="utf-8") == record_text(record)


def test_a_full_record_is_read_again(tmp_path: Path) -> None:
    write_record(make_record(first=7), tmp_path / "work" / "run.json")
    assert read_record(tmp_path / "work" / "run.json") == make_record(first=7)


def test_the_text_has_one_field_on_each_line() -> None:
    text = record_text(make_record())
    assert len(text.splitlines()) == len(json.loads(text)) + 2


def test_without_a_file_there_is_no_record_and_no_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert read_record(tmp_path / "run.json") is None
    assert not caplog.records


def _without_keys(text: str) -> str:
    return json.dumps({name: value for name, value in json.loads(text).items() if name != "keys"})


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[1, 2]",
        lambda text: "7",
        lambda text: text.replace('"record": 3', '"record": 4'),
        lambda text: text.replace('"first_frame": 0', '"first_frame": 0, "mood": "good"'),
        lambda text: text.replace("[1001, ", "["),
        lambda text: text.replace("[1001, ", '["many", '),
        lambda text: text.replace('"width": 320', '"width": "wide"'),
        lambda text: text.replace('"seconds": 90.5', '"seconds": null'),
        lambda text: text.replace('"shots": [', '"shots": [{"start": 5, "stop": 5}, '),
        _without_keys,
    ],
)
def test_a_damaged_record_is_ignored_with_a_warning(
    damage: object, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, text = tmp_path / "run.json", record_text(make_record())
    damaged = damage(text)  # type: ignore[operator]
    assert damaged != text
    path.write_text(damaged, encoding="utf-8")
    with caplog.at_level(logging.WARNING, "kadr"):
        assert read_record(path) is None
    assert [str(path) in entry.getMessage() for entry in caplog.records] == [True]


def test_as_many_numbers_as_errors() -> None:
    with pytest.raises(ValueError, match="one of each"):
        replace(make_record(), numbers=(1, 2))
    with pytest.raises(ValueError, match="one of each"):
        replace(make_record(), numbers=(), measured=(), predicted=None)


def test_worst_frames_are_the_largest_errors_apart() -> None:
    measured = (0.1, 0.9, 0.8, None, 0.3, 0.7, 0.0, 0.2)
    numbers = tuple(range(20, 28))
    record = make_record(measured=measured, numbers=numbers, predicted=None, first_frame=10)
    assert record.worst(3) == [11, 12, 15]
    assert record.worst(3, apart=2) == [11, 15, 17]
    assert record.worst(20) == [11, 12, 15, 14, 17, 10, 16]
    assert record.number(11) == 21
    assert record.error(11) == 0.9
    assert record.rendered_count == 7
    assert record.mean_error == pytest.approx(3.0 / 7)
    assert list(record.frames) == list(range(10, 18))


def test_a_run_without_rendered_frames_has_no_mean() -> None:
    record = make_record(measured=(None,) * 48)
    assert record.mean_error is None
    assert record.worst(5) == []


def test_options_become_plain_values() -> None:
    options = RunOptions(Path("a.mp4"), "out/", stylizer="paint", ranges=(Span(3, 1, 5),))
    values = plain_values(options)
    assert json.loads(json.dumps(values)) == values
    assert values["clip"] == "a.mp4"
    assert values["ranges"] == [{"key": 3, "start": 1, "stop": 5}]
    assert values["propagate"]["video_weight"] == 32.0
    assert plain_values(float("inf")) == "inf"


def test_versions_of_all_libraries_that_matter() -> None:
    versions = library_versions()
    assert set(versions) == {"kadr", "python", "numpy", "opencv", "numba", "av"}
    assert all(text and text != "unknown" for text in versions.values())
