"""A file in, a short text out that changes when the file does."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def stat_version(stat: os.stat_result) -> str:
    """The version of a file by its size, its time and its number on the disk."""
    facts = f"{stat.st_mtime_ns} {stat.st_size} {stat.st_ino}"
    number, text = zlib.crc32(facts.encode()), ""
    while number:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return text or "0"


def file_version(path: Path) -> str | None:
    """The version of the file at ``path``; None if there is none."""
    try:
        return stat_version(path.stat())
    except OSError:
        return None
