"""Turn what a server sends into one line: the body of an error response, a list of names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from kadr.stylize.servers.json_values import as_list, as_object, as_text, parse_json

_TAG = re.compile(r"<(script|style)\b.*?</\1>|<[^<>]*>", re.DOTALL | re.IGNORECASE)
_MAX_LENGTH = 240
"""Characters of a server's text that an error message shows."""

_MAX_BODY = 1 << 20
_MAX_PAGE = 1 << 13
"""Bytes of a JSON error, and of a page, that are read: the message stands at the beginning."""

_MAX_LISTED = 8

_MESSAGE_KEYS = (
    "error", "message", "detail", "details", "errors", "exception_message", "node_errors",
)  # fmt: skip
"""Fields that carry a message, in the order in which they are shown."""


def one_line(text: str, max_length: int = _MAX_LENGTH) -> str:
    """Remove line breaks and control characters from a text, and cut it to a length."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= max_length else line[: max_length - 1] + "…"


def join_names(names: Sequence[str]) -> str:
    """The first names of a list, and how many more there are."""
    text = ", ".join(one_line(name, 100) for name in names[:_MAX_LISTED] if name) or "none"
    rest = len(names) - _MAX_LISTED
    return text if rest <= 0 else f"{text} and {rest} more"


def error_text(body: bytes) -> str:
    """The message in the body of an error response: JSON as these servers send it, or a page."""
    try:
        value = parse_json(body[:_MAX_BODY])
    except ValueError:
        return one_line(_TAG.sub(" ", body[:_MAX_PAGE].decode("utf-8", "replace")))
    return one_line("; ".join(dict.fromkeys(_messages(value))))


def _messages(value: Any) -> list[str]:
    """The texts of a JSON error that carry its message, outermost first."""
    if isinstance(value, str):
        return [as_text(value)] if value.strip() else []
    if isinstance(value, list):
        return [message for item in value for message in _messages(item)]
    if not isinstance(value, dict):
        return []
    if "loc" in value and "msg" in value:  # a field that failed validation
        location = ".".join(str(part) for part in as_list(value["loc"])) or "body"
        return [f"{location}: {value['msg']}"]
    messages = [message for key in _MESSAGE_KEYS for message in _messages(value.get(key))]
    others = (item for key, item in as_object(value).items() if key not in _MESSAGE_KEYS)
    return messages or [message for item in others for message in _messages(item)]
