"""Turn the body of an error response into one line of text."""

from __future__ import annotations

import json
import re
from typing import Any

_TAG = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_MAX_LENGTH = 240
"""Characters of a server's text that an error message shows."""


def one_line(text: str, max_length: int = _MAX_LENGTH) -> str:
    """Remove line breaks and control characters from a text, and cut it to a length."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= max_length else line[: max_length - 1] + "…"


def error_text(body: bytes) -> str:
    """The message in the body of an error response: JSON as these servers send it, or a page."""
    text = body.decode("utf-8", "replace")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return one_line(_TAG.sub(" ", text))
    return one_line("; ".join(dict.fromkeys(_messages(value))))


def _messages(value: Any) -> list[str]:
    """The strings of a JSON error that carry its message, outermost first."""
    if isinstance(value, str):
        return [value] if value.strip() else []
    if isinstance(value, list):
        return [message for item in value for message in _messages(item)]
    if not isinstance(value, dict):
        return []
    if "loc" in value and "msg" in value:  # a field that failed validation
        location = ".".join(str(part) for part in value["loc"]) if value["loc"] else "body"
        return [f"{location}: {value['msg']}"]
    keys = ("error", "message", "detail", "details", "errors", "exception_message", "node_errors")
    messages = [message for key in keys for message in _messages(value.get(key))]
    return messages or [message for item in value.values() for message in _messages(item)]
