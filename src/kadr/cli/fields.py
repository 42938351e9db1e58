"""Options dataclasses in, Typer options out: names, types, help and ranges are written once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, fields
from types import NoneType, UnionType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

Command = Callable[..., Any]


def field_options(
    parameter: str, kind: type[Any], names: Sequence[str], *, panel: str | None = None
) -> Callable[[Command], Command]:
    """Let a command take the fields ``names`` of ``kind`` as options.

    The command gets them in ``parameter``, a dict that holds only what was given, so the
    dataclass's own defaults and checks stay the only ones.
    """
    hints, by_name = get_type_hints(kind), {item.name: item for item in fields(kind)}
    options = [_parameter(by_name[name], hints[name], panel) for name in names]

    def decorate(function: Command) -> Command:
        def command(**values: Any) -> Any:
            given = {name: values.pop(name) for name in names}
            chosen = {name: value for name, value in given.items() if value is not None}
            return function(**values, **{parameter: chosen})

        own = get_type_hints(function, include_extras=True)
        kept = [
            item.replace(annotation=own[item.name], kind=inspect.Parameter.KEYWORD_ONLY)
            for item in inspect.signature(function).parameters.values()
            if item.name != parameter
        ]
        # not functools.wraps: Typer would look through to the function that lacks the options
        command.__name__, command.__doc__ = function.__name__, function.__doc__
        command.__annotations__ = {item.name: item.annotation for item in [*kept, *options]}
        command.__signature__ = inspect.Signature([*kept, *options])  # type: ignore[attr-defined]
        return command

    return decorate


def _parameter(item: Field[Any], hint: Any, panel: str | None) -> inspect.Parameter:
    kind = _plain_type(hint)
    name = item.name.replace("_", "-")
    option = typer.Option(
        f"--{name}", help=describe(item), show_default=False, rich_help_panel=panel
    )
    return inspect.Parameter(
        item.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, option],
    )


def _plain_type(hint: Any) -> Any:
    if get_origin(hint) is UnionType:
        return next(part for part in get_args(hint) if part is not NoneType)
    return hint


def describe(item: Field[Any]) -> str:
    """A field's help line, its range and its default for people."""
    text = str(item.metadata["help"])
    low, high = item.metadata.get("low"), item.metadata.get("high")
    facts = []
    if low is not None:
        facts.append(f"{low:.9g} to {high:.9g}" if high is not None else f"{low:.9g} or more")
    if item.default is not MISSING and item.default not in (None, False, ()):
        shown = f"{item.default:.9g}" if isinstance(item.default, float) else item.default
        facts.append(f"default {shown}")
    return f"{text[:1].upper()}{text[1:]}" + (f" ({'; '.join(facts)})." if facts else ".")
