"""Numbers in, words for people out: shares, times, sizes, all as short as they can be read."""

from __future__ import annotations

from datetime import datetime

_UNITS = ("bytes", "KB", "MB", "GB", "TB")


def percent(share: float | None) -> str:
    """``4.2 %`` of 0.042; small shares keep a digit that says something; a dash without one."""
    if share is None:
        return "–"
    hundred = share * 100
    digits = 0 if hundred >= 99.95 else 1 if hundred >= 0.95 or hundred == 0 else 2
    return f"{hundred:.{digits}f} %"


def duration(seconds: float) -> str:
    """``0.8 s``, ``12 s``, ``4 min 10 s``, ``2 h 5 min``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return _joined(whole // 60, "min", whole % 60, "s")
    minutes = round(seconds / 60)
    return _joined(minutes // 60, "h", minutes % 60, "min")


def _joined(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large} {large_unit}" + (f" {small} {small_unit}" if small else "")


def size(count: int) -> str:
    """``812 bytes``, ``1.3 MB``: decimal units, as disks are sold by."""
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    if unit == 0:
        return f"{count} byte{'' if count == 1 else 's'}"
    return f"{value:.{1 if value < 99.95 else 0}f} {_UNITS[unit]}"


def moment(text: str) -> str:
    """``3 February 2025, 04:05`` of an ISO 8601 text; what is none stays as it is."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{when.day} {when:%B %Y, %H:%M}"


def counted(count: int, name: str) -> str:
    """``1 frame``, ``1 200 frames``."""
    return f"{count:,}".replace(",", "\u202f") + f" {name}{'' if count == 1 else 's'}"
