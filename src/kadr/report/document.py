"""Title, body and data of a page in; one HTML file that loads nothing out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from importlib import resources
from typing import Any, Literal

from kadr.core.formatting import printable


@dataclass(frozen=True)
class PageCurve:
    """A value of each frame that the script names when a frame is pointed at.

    missing: the text instead of a value that is None; "" leaves it out.
    """

    label: str
    values: Sequence[float | None]
    kind: Literal["percent", "number"] = "number"
    missing: str = ""


def html_document(
    title: str,
    body: str,
    *,
    first: int,
    numbers: Sequence[int],
    curves: Sequence[PageCurve],
    keys: Sequence[Mapping[str, Any]],
) -> str:
    """The text of a page; style sheet, script and data are part of it.

    first: index of the first frame. numbers: of all frames. keys: ``index``, ``number``, ``start``
    and ``stop`` of each keyframe.
    """
    data = {
        "first": first,
        "numbers": list(numbers),
        "curves": [
            asdict(curve)
            | {"values": [None if value is None else round(value, 5) for value in curve.values]}
            for curve in curves
        ],
        "keys": list(keys),
    }
    # the page may not load or send anything
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{html_text(title)}</title>
<style>
{_asset("page.css")}{_asset("shared/compare.css")}</style>
</head>
<body>
{body}
<script id="report-data" type="application/json">{_script_data(data)}</script>
<script>
{_script()}</script>
</body>
</html>
"""


def html_text(value: object) -> str:
    """Text from outside, for an element or an attribute."""
    return escape(printable(str(value)))


def _asset(name: str) -> str:
    return resources.files("kadr.report").joinpath(name).read_text(encoding="utf-8")


def _script() -> str:
    """One script of the page's own and of the modules that it shares with the studio."""
    modules = (_asset(f"shared/{name}.js") for name in ("curves", "compare"))
    exported = re.compile(r"^export (?=function|const)", re.MULTILINE)
    shared = "\n".join(exported.sub("", text) for text in modules)
    return f"{{\n{shared}\n{_asset('page.js')}}}\n"


def _script_data(data: Mapping[str, Any]) -> str:
    """Data for the script, as JSON that cannot close its own element."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
