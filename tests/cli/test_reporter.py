"""How progress is told: bars on a terminal, a line now and then in a log, objects to programs."""

from __future__ import annotations

import io
import json

import pytest

from kadr import Event
from kadr.cli import reporter as reporter_module
from kadr.cli.reporter import JsonReporter, QuietReporter, Reporter


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _events(count: int = 20) -> list[Event]:
    return [Event("paint", index, count) for index in range(count + 1)]


def test_a_terminal_gets_a_bar_with_count_speed_and_time_left() -> None:
    err = _Terminal()
    said = Reporter(io.StringIO(), err)
    with said.progress() as draw:
        for event in _events():
            draw(event)
        said.notice("a word [in passing]")
        draw(Event("write", 3, 7))
    shown = err.getvalue()
    for part in ("paint", "20/20", "3/7", "a word [in passing]"):
        assert part in shown
    said.notice("after")
    assert err.getvalue().endswith("after\n")


class _Clock:
    """Time that passes only when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


def test_a_log_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, err = _Clock(), io.StringIO()
    monkeypatch.setattr(reporter_module, "time", clock)
    with Reporter(io.StringIO(), err).progress() as draw:
        for event in _events():
            draw(event)
            clock.now += 2.0
    lines = err.getvalue().splitlines()
    assert lines == [
        "paint: 5 of 20, 0.50 frames/s, 0:00:30 left",
        "paint: 10 of 20, 0.50 frames/s, 0:00:20 left",
        "paint: 15 of 20, 0.50 frames/s, 0:00:10 left",
        "paint: 20 of 20, 0.50 frames/s, 0:00:00 left",
    ]


def test_short_work_leaves_a_log_alone_but_messages_are_told() -> None:
    err = io.StringIO()
    with Reporter(io.StringIO(), err).progress() as draw:
        for event in _events():
            draw(event)
        draw(Event("paint", 20, 20, message="a cut at frame 12"))
    assert err.getvalue() == "a cut at frame 12\n"


def test_programs_get_one_object_a_line() -> None:
    out, err = io.StringIO(), io.StringIO()
    said = JsonReporter(out, err)
    with said.progress() as draw:
        draw(Event("paint", 1, None, message="ä"))
    said.notice("wait")
    said.result("text for people", output="o.mp4", frames=3)
    said.error("InputError", "two\nlines")
    objects = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [made["event"] for made in objects] == ["progress", "notice", "result", "error"]
    progress, _, result, error = objects
    assert (progress["step"], progress["index"], progress["total"]) == ("paint", 1, None)
    assert progress["message"] == "ä"
    assert result == {"event": "result", "output": "o.mp4", "frames": 3}
    assert error["message"] == "two\nlines"
    assert err.getvalue() == "error: two\\nlines\n"


def test_quiet_tells_errors_only() -> None:
    out, err = io.StringIO(), io.StringIO()
    said = QuietReporter(out, err)
    with said.progress() as draw:
        for event in _events():
            draw(event)
    said.notice("wait")
    said.result("made")
    assert (out.getvalue(), err.getvalue()) == ("", "")
    said.error("InputError", "no such file")
    assert err.getvalue() == "error: no such file\n"
