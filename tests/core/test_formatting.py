from __future__ import annotations

import pytest

from kadr.core.formatting import counted, date, duration, percent, printable, size


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (None, "–"),
        (0.0, "0.0 %"),
        (0.00123, "0.12 %"),
        (0.0424, "4.2 %"),
        (0.5, "50.0 %"),
        (0.9999, "100 %"),
        (1.0, "100 %"),
    ],
)
def test_shares(fraction: float | None, text: str) -> None:
    assert percent(fraction) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (250, "4 min 10 s"),
        (3599.7, "1 h"),
        (7500, "2 h 5 min"),
        (7199, "2 h"),
    ],
)
def test_times(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 KB"),
        (999_999, "1.0 MB"),
        (123_456_789, "123 MB"),
        (2_500_000_000, "2.5 GB"),
        (5 * 10**15, "5000 TB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


def test_iso_dates_become_readable_dates() -> None:
    assert date("2025-02-03T04:05:06+00:00") == "3 February 2025, 04:05"
    assert date("yesterday") == "yesterday"


def test_counts() -> None:
    assert counted(1, "frame") == "1 frame"
    assert counted(0, "key") == "0 keys"
    assert counted(12345, "frame") == "12\u202f345 frames"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\x1b[31m \x7f \x9b", r"\x1b[31m \x7f \x9b"),
        ("evil\u202egpj.exe \u2066", r"evil\u202egpj.exe \u2066"),
        ("a\u2028b\x85", r"a\u2028b\x85"),
        ("caf\udce9", r"caf\udce9"),
        (r"C:\new\x41 “ä” 画", r"C:\new\x41 “ä” 画"),
        ("👩\u200d🎨", "👩\u200d🎨"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text: str, line: str) -> None:
    assert printable(text) == line
    assert len(line.splitlines()) == 1
