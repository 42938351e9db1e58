"""Read the header that says when a request may be sent again."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after(text: str, longest: float) -> float | None:
    """Seconds to wait, at most ``longest``; None if the text says nothing that can be used.

    The text is a number of seconds or a date (RFC 9110, 10.2.3).
    """
    text = text.strip()
    if re.fullmatch("[0-9]+", text):
        # a number of many digits is long enough without being converted
        return longest if len(text) > 9 else min(longest, float(text))
    try:
        time = parsedate_to_datetime(text)
        seconds = (time.replace(tzinfo=time.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(longest, seconds) if seconds > 0 else None
