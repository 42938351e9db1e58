"""Texts such as ``1:02.5`` in, exact seconds out, and back."""

from __future__ import annotations

import re
from fractions import Fraction

_MOST_CHARACTERS = 40
"""A longer text is no time that anybody means."""

_CLOCK = re.compile(r"(?:(\d{1,4}):(?=\d{1,2}:))?(\d{1,4}):(\d{1,2}(?:\.\d{1,9})?)", re.ASCII)
_SECONDS = re.compile(r"(\d{1,7}(?:\.\d{1,9})?)s", re.ASCII)


def parse_clock_time(text: str) -> Fraction | None:
    """``M:SS``, ``H:MM:SS`` or ``2.5s``, each with or without decimals, in seconds.

    None for any other text, and for 60 or more seconds, or minutes after an hour.
    """
    text = text.strip()
    if len(text) > _MOST_CHARACTERS:
        return None
    if match := _SECONDS.fullmatch(text):
        return Fraction(match[1])
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    hours, minutes, seconds = match[1], int(match[2]), Fraction(match[3])
    if seconds >= 60 or (hours is not None and minutes >= 60):
        return None
    return int(hours or 0) * 3600 + minutes * 60 + seconds


def parse_clock_range(text: str) -> tuple[Fraction, Fraction] | None:
    """Two times of one form with a colon between them: ``0:02.5:0:08``, ``2.5s:8s``.

    None for any other text. Both have as many parts, so no colon can be read in two ways.
    """
    parts = text.split(":")
    if len(parts) not in (2, 4, 6):
        return None
    half = len(parts) // 2
    first, last = (parse_clock_time(":".join(p)) for p in (parts[:half], parts[half:]))
    return None if first is None or last is None else (first, last)


def format_clock_time(seconds: Fraction) -> str:
    """Seconds as ``M:SS`` or ``H:MM:SS`` with up to three decimals, rounded down."""
    thousandths = int(seconds * 1000)
    whole, decimals = divmod(thousandths, 1000)
    minutes, whole = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    text += f":{whole:02d}"
    return f"{text}.{decimals:03d}".rstrip("0") if decimals else text
