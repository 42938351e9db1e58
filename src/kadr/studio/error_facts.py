"""An exception in, its line for people out, with the option that is its remedy where one is."""

from __future__ import annotations

import re
from typing import Any

from kadr.cli.guard import explain
from kadr.errors import Cancelled
from kadr.option_fields import option_help
from kadr.options import RunOptions

_FLAG = re.compile(r"--([a-z][a-z-]+)(?: (-?\d+)\b)?")


def error_facts(error: BaseException, subject: str = "studio") -> dict[str, Any]:
    """``kind``, ``message`` and ``remedy`` of an error, as the page gets them.

    subject: what was asked for, in the log of a fault of kadr. The remedy names the option that the
    message names, if a project file can hold it.
    """
    if isinstance(error, Cancelled):
        return {"kind": "Cancelled", "message": "stopped", "remedy": None}
    message = explain(error)
    if message is None:
        return _fault_facts(error, subject)
    return {"kind": type(error).__name__, "message": message, "remedy": find_remedy(message)}


def _fault_facts(error: BaseException, subject: str) -> dict[str, Any]:
    from kadr.cli.fault_log import write_log

    log = write_log(error, [subject], "kadr studio")
    cause = str(error).strip().partition("\n")[0]
    text = f"unexpected {type(error).__name__}" + (f": {cause}" if cause else "")
    remedy = "" if log is None else f": report it, {log}"
    return {"kind": "Fault", "message": f"{text}; this is a fault of kadr{remedy}", "remedy": None}


def find_remedy(message: str) -> dict[str, Any] | None:
    """The option that a message names as a flag, with the value that solves the problem."""
    for match in _FLAG.finditer(message):
        item = RunOptions.__dataclass_fields__.get(match[1].replace("-", "_"))
        section = "" if item is None else str(item.metadata.get("section", ""))
        if item is None or not section or item.metadata.get("entry"):
            continue
        if str(item.type) == "bool":
            value: Any = True
        elif match[2] is not None and str(item.type).startswith("int"):
            value = int(match[2])
        else:
            continue
        text = option_help(RunOptions, item.name).partition(",")[0].partition(";")[0]
        label = text[:1].upper() + text[1:]
        if value is not True:
            label = f"{match[1]} {value}"
        return {"label": label, "options": {f"{section}.{match[1]}": value}}
    return None
