"""A server's words in, one line for people out."""

from __future__ import annotations

import json
import re
from typing import Any

_TAG = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_MOST = 240
"""Characters of a server's own words that an error shows."""


def one_line(text: str, most: int = _MOST) -> str:
    """Text without line breaks and control characters, cut to a length."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def said(body: bytes) -> str:
    """What the body of an error says: the words of JSON as these servers send it, or of a page."""
    text = body.decode("utf-8", "replace")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return one_line(_TAG.sub(" ", text))
    return one_line("; ".join(dict.fromkeys(_words(value))))


def _words(value: Any) -> list[str]:
    """The telling strings of a JSON error, outermost first."""
    if isinstance(value, str):
        return [value] if value.strip() else []
    if isinstance(value, list):
        return [word for item in value for word in _words(item)]
    if not isinstance(value, dict):
        return []
    if "loc" in value and "msg" in value:  # of a field that did not pass its check
        place = ".".join(str(part) for part in value["loc"]) if value["loc"] else "body"
        return [f"{place}: {value['msg']}"]
    keys = ("error", "message", "detail", "details", "errors", "exception_message", "node_errors")
    found = [word for key in keys for word in _words(value.get(key))]
    return found or [word for item in value.values() for word in _words(item)]
