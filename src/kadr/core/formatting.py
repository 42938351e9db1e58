"""Format numbers, dates and text that came from outside as short text for the user."""

from __future__ import annotations

import re
from datetime import datetime

_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
"""Control characters, line ends, marks that change the direction of text, lone surrogates."""

_UNITS = ("bytes", "KB", "MB", "GB", "TB")


def percent(fraction: float | None) -> str:
    """``4.2 %`` for 0.042; small values keep two decimals; a dash for None."""
    if fraction is None:
        return "–"
    per_cent = fraction * 100
    digits = 0 if per_cent >= 99.95 else 1 if per_cent >= 0.95 or per_cent == 0 else 2
    return f"{per_cent:.{digits}f} %"


def duration(seconds: float) -> str:
    """``0.8 s``, ``12 s``, ``4 min 10 s``, ``2 h 5 min``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    rounded = round(seconds)
    if rounded < 60:
        return f"{rounded} s"
    if rounded < 3600:
        return _two_units(rounded // 60, "min", rounded % 60, "s")
    minutes = round(seconds / 60)
    return _two_units(minutes // 60, "h", minutes % 60, "min")


def _two_units(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large} {large_unit}" + (f" {small} {small_unit}" if small else "")


def size(count: int) -> str:
    """``812 bytes``, ``1.3 MB``: decimal units, as for disks."""
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    if unit == 0:
        return f"{count} byte{'' if count == 1 else 's'}"
    return f"{value:.{1 if value < 99.95 else 0}f} {_UNITS[unit]}"


def date(text: str) -> str:
    """``3 February 2025, 04:05`` for an ISO 8601 text; other text is returned unchanged."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{moment.day} {moment:%B %Y, %H:%M}"


def counted(count: int, name: str) -> str:
    """``1 frame``, ``1 200 frames``."""
    return f"{count:,}".replace(",", "\u202f") + f" {name}{'' if count == 1 else 's'}"


def shorten(value: object, most: int = 80) -> str:
    """The value as text of at most ``most`` characters, for messages that quote what was typed."""
    try:
        text = str(value)
    except ValueError:  # Python refuses to write out an integer of thousands of digits
        return f"a number of {value.bit_length()} bits" if isinstance(value, int) else "a value"
    return text if len(text) <= most else f"{text[: most - 1]}…"


def printable(text: str) -> str:
    r"""The text as one line: a character that a terminal would obey is escaped, such as ``\n``.

    For names of files and other text from outside; a backslash stays as it is.
    """
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
