"""Options dataclasses in, Typer options out: names, types, help and ranges are written once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args, get_type_hints

import typer

from kadr.cli.values import parse_value

Command = Callable[..., Any]


def field_options(
    parameter: str, kind: type[Any], names: Sequence[str], *, panel: str | None = None
) -> Callable[[Command], Command]:
    """Let a command take the fields ``names`` of ``kind`` as options.

    The command gets them in ``parameter``, a dict that holds only what was given: text, or True
    for a flag. ``read_fields`` makes values of it. In help they stand where ``parameter`` stands.
    """
    hints, by_name = get_type_hints(kind), {item.name: item for item in fields(kind)}
    options = [_parameter(by_name[name], hints[name], panel) for name in names]

    def decorate(function: Command) -> Command:
        def command(**values: Any) -> Any:
            given = {name: values.pop(name) for name in names}
            chosen = {name: value for name, value in given.items() if value is not None}
            return function(**values, **{parameter: chosen})

        own = get_type_hints(function, include_extras=True)
        parameters: list[inspect.Parameter] = []
        for item in inspect.signature(function).parameters.values():
            if item.name == parameter:
                parameters += options
            else:
                kind = inspect.Parameter.KEYWORD_ONLY
                parameters.append(item.replace(annotation=own[item.name], kind=kind))
        # not functools.wraps: Typer would look through to the function that lacks the options
        command.__name__, command.__doc__ = function.__name__, function.__doc__
        command.__annotations__ = {item.name: item.annotation for item in parameters}
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return command

    return decorate


def read_fields(kind: type[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What ``field_options`` gave, as values of the fields; raises OptionsError naming the text.

    Ranges are left to the dataclass, whose checks are the only ones.
    """
    hints = get_type_hints(kind)
    return {
        name: parse_value(value, hints[name], name.replace("_", "-"))
        if isinstance(value, str)
        else value
        for name, value in given.items()
    }


def _parameter(item: Field[Any], hint: Any, panel: str | None) -> inspect.Parameter:
    """An option that takes text, so that errors in it are told as all others are."""
    flag = hint is bool
    plain = next((part for part in get_args(hint) if part is not NoneType), hint)
    option = typer.Option(
        f"--{item.name.replace('_', '-')}",
        help=describe(item),
        metavar=None if flag else _METAVARS[plain],
        show_default=False,
        rich_help_panel=panel,
    )
    return inspect.Parameter(
        item.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[(bool if flag else str) | None, option],
    )


_METAVARS = {int: "N", float: "NUMBER", str: "TEXT", Path: "PATH"}


def describe(item: Field[Any]) -> str:
    """A field's help line, its range and its default for people."""
    text = str(item.metadata["help"])
    low, high = item.metadata.get("low"), item.metadata.get("high")
    facts = []
    if low is not None:
        facts.append(f"{low:.9g} to {high:.9g}" if high is not None else f"{low:.9g} or more")
    if item.default is not MISSING and item.default not in (None, False, (), ""):
        shown = f"{item.default:.9g}" if isinstance(item.default, float) else item.default
        facts.append(f"default {shown}")
    return f"{text[:1].upper()}{text[1:]}" + (f" ({'; '.join(facts)})." if facts else ".")
