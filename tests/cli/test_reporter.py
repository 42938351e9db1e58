"""Progress: bars on a terminal, lines at intervals in a log, JSON objects for programs."""

from __future__ import annotations

import io
import json
import logging
import re

import pytest

from kadr import Event
from kadr.cli import reporter as reporter_module
from kadr.cli import time_left as time_left_module
from kadr.cli.reporter import JsonReporter, QuietReporter, Reporter
from kadr.cli.session import open_session


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _events(count: int = 20) -> list[Event]:
    return [Event("paint", index, count) for index in range(count + 1)]


class _Clock:
    """Time that passes only when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    clock = _Clock()
    for module in (reporter_module, time_left_module):
        monkeypatch.setattr(module, "time", clock)
    return clock


def test_a_terminal_gets_a_bar_with_count_speed_and_time_left(clock: _Clock) -> None:
    err = _Terminal()
    reporter = Reporter(io.StringIO(), err)
    with reporter.progress() as draw:
        for event in _events()[:11]:
            draw(event)
            clock.now += 2.0
        reporter.notice("a word [in passing]")
        draw(Event("write", 3, 7))
    output = err.getvalue()
    for part in ("paint", "10/20", "0.50 frames/s", "0:00:20 left", "3/7", "a word [in passing]"):
        assert part in output
    reporter.notice("after")
    assert err.getvalue().endswith("after\n")


def test_a_log_gets_a_line_now_and_then(clock: _Clock) -> None:
    err = io.StringIO()
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


def test_time_left_is_not_printed_before_three_frames_are_done(clock: _Clock) -> None:
    err = io.StringIO()
    with Reporter(io.StringIO(), err).progress() as draw:
        for event in _events()[:5]:
            draw(event)
            clock.now += 10.0
    assert err.getvalue().splitlines() == [
        "paint: 1 of 20",
        "paint: 2 of 20",
        "paint: 3 of 20, 0.10 frames/s, 0:02:50 left",
        "paint: 4 of 20, 0.10 frames/s, 0:02:40 left",
    ]


@pytest.mark.parametrize("terminal", [False, True])
def test_compiling_time_does_not_count_for_the_time_left(clock: _Clock, terminal: bool) -> None:
    err = _Terminal() if terminal else io.StringIO()
    reporter = Reporter(io.StringIO(), err)
    with reporter.progress() as draw:
        draw(Event("paint", 0, 20))
        reporter.compiling("compiling")
        clock.now += 100.0
        draw(Event("write", 0, 20))  # a step that begins meanwhile
        clock.now += 500.0
        for index in range(1, 12):
            for step in ("paint", "write"):
                clock.now += 1.0
                draw(Event(step, index, 20))
    output = err.getvalue()
    assert "compiling" in output
    remaining = [60 * int(m) + int(s) for m, s in re.findall(r"0:(\d\d):(\d\d) left", output)]
    assert remaining, "there are enough frames to know a speed"
    assert max(remaining) <= 2 * 16, "two seconds for each frame after the third since compiling"
    assert not re.search(r"[1-9]:\d\d:\d\d left", output)


def test_a_log_gets_messages_but_no_progress_of_short_work() -> None:
    err = io.StringIO()
    with Reporter(io.StringIO(), err).progress() as draw:
        for event in _events():
            draw(event)
        draw(Event("paint", 20, 20, message="a cut at frame 12"))
    assert err.getvalue() == "a cut at frame 12\n"


def test_programs_get_one_object_a_line() -> None:
    out, err = io.StringIO(), io.StringIO()
    reporter = JsonReporter(out, err)
    with reporter.progress() as draw:
        draw(Event("paint", 1, None, message="ä"))
    reporter.notice("wait")
    reporter.result("text for people", output="o.mp4", frames=3)
    reporter.error("InputError", "two\nlines")
    objects = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [item["event"] for item in objects] == ["progress", "notice", "result", "error"]
    progress, _, result, error = objects
    assert (progress["step"], progress["index"], progress["total"]) == ("paint", 1, None)
    assert progress["message"] == "ä"
    assert result == {"event": "result", "output": "o.mp4", "frames": 3}
    assert error["message"] == "two\nlines"
    assert err.getvalue() == "error: two\\nlines\n"


def test_quiet_tells_errors_only() -> None:
    out, err = io.StringIO(), io.StringIO()
    reporter = QuietReporter(out, err)
    with reporter.progress() as draw:
        for event in _events():
            draw(event)
    reporter.notice("wait")
    reporter.result("made")
    assert (out.getvalue(), err.getvalue()) == ("", "")
    reporter.error("InputError", "no such file")
    assert err.getvalue() == "error: no such file\n"


HOSTILE = "a\nb\x1b[2J\u202ec\udcff"
ESCAPED = r"a\nb\x1b[2J\u202ec\udcff"


@pytest.mark.parametrize("terminal", [True, False])
def test_all_that_is_printed_is_escaped(terminal: bool) -> None:
    out, err = io.StringIO(), _Terminal() if terminal else io.StringIO()
    reporter = Reporter(out, err)
    reporter.result(HOSTILE, HOSTILE)
    assert out.getvalue() == f"{ESCAPED}\n{ESCAPED}\n"
    reporter.notice(HOSTILE)
    reporter.error("InputError", HOSTILE)
    assert err.getvalue() == f"{ESCAPED}\nerror: {ESCAPED}\n"
    with reporter.progress() as draw:
        draw(Event("paint", 1, 2, message=HOSTILE))
        reporter.notice(HOSTILE)
    assert err.getvalue().count(ESCAPED) == 4
    assert "\u202e" not in err.getvalue()
    assert "\x1b[2J" not in err.getvalue()


def test_programs_read_what_is_escaped_as_it_was() -> None:
    out = io.StringIO()
    text = HOSTILE + r"\x41 \u0041 ä"
    JsonReporter(out, io.StringIO()).notice(text)
    assert out.getvalue().isascii()
    assert json.loads(out.getvalue())["message"] == text
    out = io.StringIO()
    JsonReporter(out, io.StringIO()).notice("ä")
    assert "ä" in out.getvalue()


def test_log_lines_are_single_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with open_session():
        logging.getLogger("kadr.video").warning("%s: odd", HOSTILE)
    assert capsys.readouterr().err == f"WARNING kadr.video: {ESCAPED}: odd\n"
