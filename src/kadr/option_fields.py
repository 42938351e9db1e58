"""Describe an option in the metadata of its dataclass field: the only place that describes it.

The metadata holds an option's help, its range, its section in project.toml and its group in help.
The command line, project files and other front ends read it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import Field, field, fields
from typing import Any

from kadr.core.formatting import shorten
from kadr.errors import OptionsError

KEYFRAMES, STYLIZER, PICTURE, GUIDES, MASK, OUTPUT, RUN = (
    "Keyframes", "Stylizer", "Picture", "Guides", "Mask", "Output", "Run",
)  # fmt: skip
"""Groups of options: the headings in the help of commands with many options."""

OTHER_FRAMES, FILMED_FRAME = "other frames", "filmed frame"
"""What an option of a stylizer may need: frames that are made together or one after another; a
filmed frame to start from."""

PAINTED_KEYS, PLANNED_KEYS = "painted keys", "planned keys"
"""What an option of a run may need: keys that somebody painted; keys that kadr chooses itself."""


def option(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    unset: str = "",
    unit: str = "",
    section: str = "",
    entry: str = "",
    group: str = "",
    needs: str = "",
    changes_frames: bool = True,
) -> Any:
    """A dataclass field with a help line and, for numbers, an inclusive range of sane values.

    unset: what holds if the value is None or empty, for help. unit: "bytes" for a size that may be
    written as "20GB". section: where it stands in project.toml; "": it does not. entry: its name
    there, only if the project file holds a text that the project itself turns into the value.
    group: its heading in help; "": the command line does not make an option of it by itself.
    needs: what it needs to have an effect; the default of a stylizer's option then turns it off.
    changes_frames: whether frames made with another value differ.
    """
    metadata = {
        "help": help,
        "low": low,
        "high": high,
        "unset": unset,
        "unit": unit,
        "section": section,
        "entry": entry,
        "group": group,
        "needs": needs,
        "changes_frames": changes_frames,
    }
    if isinstance(default, dict):
        return field(default_factory=default.copy, metadata=metadata)
    return field(default=default, metadata=metadata)


def option_help(kind: type[Any], name: str) -> str:
    """The help line of a field of an options dataclass."""
    return str(kind.__dataclass_fields__[name].metadata["help"])


def option_range(item: Field[Any]) -> str:
    """The range of a numeric option, such as "0 to 1" or "1 or more"; "" if it has none."""
    low, high = item.metadata.get("low"), item.metadata.get("high")
    if low is None:
        return ""
    return f"{_short(low)} or more" if high is None else f"{_short(low)} to {_short(high)}"


def _short(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:.9g}"


def fields_of_group(
    kind: type[Any], group: str, *, without: Collection[str] = (), in_project: bool = False
) -> tuple[str, ...]:
    """The names of the options of a group, in the order of the dataclass.

    in_project: only those that a project file can hold.
    """
    return tuple(
        item.name
        for item in fields(kind)
        if item.metadata.get("group") == group
        and item.name not in without
        and (item.metadata.get("section") or not in_project)
    )


def fields_that_need(kind: type[Any], *needs: str) -> tuple[str, ...]:
    """The names of the options that declare one of ``needs``, in the order of the dataclass."""
    return tuple(item.name for item in fields(kind) if item.metadata.get("needs") in needs)


def options_of_frames(kind: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of ``values`` that the frames made with a stylizer's options depend on."""
    unused = {item.name for item in fields(kind) if not item.metadata.get("changes_frames", True)}
    return {name: value for name, value in values.items() if name not in unused}


def single_frame_options(
    kind: type[Any], values: Mapping[str, Any], *, filmed: bool = True
) -> dict[str, Any]:
    """``values`` of a stylizer's options for a frame that is made alone.

    Options that need other frames get their defaults, which turn them off. filmed: whether the
    frame is one that was filmed; if not, options that need a filmed frame are turned off as well.
    """
    needs = (OTHER_FRAMES,) if filmed else (OTHER_FRAMES, FILMED_FRAME)
    names = fields_that_need(kind, *needs)
    return {**values, **{name: kind.__dataclass_fields__[name].default for name in names}}


def check_fields(options: Any) -> None:
    """Raise OptionsError if a number in a field of a dataclass is outside its declared range."""
    for item in fields(options):
        low, high = item.metadata.get("low"), item.metadata.get("high")
        value = getattr(options, item.name)
        if value is None or (low is None and high is None):
            continue
        values = value if isinstance(value, Mapping) else {"": value}
        for key, number in values.items():
            # isfinite fails on whole numbers of more digits than a float has
            is_whole = isinstance(number, int) and abs(number) < 1 << 64
            bad = not is_whole and not (isinstance(number, float) and math.isfinite(number))
            if bad or (low is not None and number < low) or (high is not None and number > high):
                bounds = f"{low} to {high}" if high is not None else f"at least {low}"
                text = f"{key}={shorten(number)}" if key else shorten(number)
                name = item.name.replace("_", "-")
                raise OptionsError(f"{name} {text}: expected {bounds}")


def check_unused(options: Any, names: Iterable[str], purpose: str, need: str) -> None:
    """Raise OptionsError for the first option that was set and would have no effect.

    names: options that must have their defaults. purpose: what they are for. need: the option that
    gives them an effect.
    """
    for name in names:
        if getattr(options, name) != getattr(type(options), name):
            dashed = name.replace("_", "-")
            raise OptionsError(f"{dashed}: is for {purpose}; give {need}, or leave it out")
