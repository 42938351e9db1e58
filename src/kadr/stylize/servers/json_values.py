"""Parse JSON that another program wrote, and take values out of it, whatever it holds."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

_MAX_DEPTH = 100
"""Objects and lists inside one another; values below this can be walked and copied safely."""


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text. Raises ValueError with a short reason for anything else.

    NaN and infinities, which are not JSON but which Python programs write, become None.
    """
    try:
        value = json.loads(text, parse_constant=lambda name: None)
    except RecursionError:
        raise _too_deep() from None
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [child for item in level for child in _children(item)]
        if not level:
            return value
    raise _too_deep()


def _too_deep() -> ValueError:
    return ValueError(f"more than {_MAX_DEPTH} levels of brackets")


def _children(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def as_object(value: Any) -> Mapping[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def as_text(value: Any) -> str:
    """The value if it is a text, else ""; half a surrogate pair, which no encoder takes, as ?."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def as_number(value: Any) -> float | None:
    """The value if it is a finite number, else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
