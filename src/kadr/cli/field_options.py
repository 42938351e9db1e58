"""Options dataclasses in, Typer options out: their names, types, help and ranges."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from kadr.cli.parse_values import parse_named_values, parse_value
from kadr.core.parsing import parse_bytes
from kadr.option_fields import option_range

Command = Callable[..., Any]


def field_options(
    parameter: str, kind: type[Any], names: Sequence[str]
) -> Callable[[Command], Command]:
    """Add the fields ``names`` of ``kind`` to a command as options.

    The command gets them in ``parameter``, a dict that holds only the options that were used: as
    text, True for a flag, or a list of texts NAME=VALUE; ``read_fields`` turns it into values. In
    help the options stand under the heading of their group, where ``parameter`` stands in the
    signature.
    """
    hints, by_name = get_type_hints(kind), {item.name: item for item in fields(kind)}
    options = [_parameter(by_name[name], hints[name]) for name in names]

    def decorate(function: Command) -> Command:
        def command(**values: Any) -> Any:
            texts = {name: values.pop(name) for name in names}
            used = {name: text for name, text in texts.items() if text not in (None, [])}
            return function(**values, **{parameter: used})

        annotations = get_type_hints(function, include_extras=True)
        parameters: list[inspect.Parameter] = []
        for item in inspect.signature(function).parameters.values():
            if item.name == parameter:
                parameters += options
            else:
                kind = inspect.Parameter.KEYWORD_ONLY
                parameters.append(item.replace(annotation=annotations[item.name], kind=kind))
        # not functools.wraps: Typer would look through to the function that lacks the options
        command.__name__, command.__doc__ = function.__name__, function.__doc__
        command.__annotations__ = {item.name: item.annotation for item in parameters}
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return command

    return decorate


def read_fields(kind: type[Any], texts: Mapping[str, Any]) -> dict[str, Any]:
    """The dict of ``field_options`` as values of the fields; raises OptionsError naming the text.

    Ranges are not checked here: the dataclass checks them.
    """
    hints, by_name = get_type_hints(kind), {item.name: item for item in fields(kind)}
    return {
        name: _value(by_name[name], hints[name], text) if isinstance(text, str | list) else text
        for name, text in texts.items()
    }


def _value(item: Field[Any], hint: Any, text: str | list[str]) -> Any:
    if isinstance(text, list):
        return parse_named_values(text, get_args(hint)[1], item.name.replace("_", "-"))
    name = item.name.replace("_", "-")
    if item.metadata.get("unit") == "bytes":
        return parse_bytes(text, name)
    return parse_value(text, hint, name)


def _parameter(item: Field[Any], hint: Any) -> inspect.Parameter:
    """An option that takes text, so that errors in it are reported as all others are."""
    flag, named = hint is bool, get_origin(hint) is Mapping
    plain = next((part for part in get_args(hint) if part is not NoneType), hint)
    metavar = "SIZE" if item.metadata.get("unit") == "bytes" else _METAVARS.get(plain)
    if named:
        metavar = f"NAME={_METAVARS[get_args(hint)[1]]}"
    option = typer.Option(
        f"--{item.name.replace('_', '-')}",
        help=describe(item),
        metavar=None if flag else metavar,
        show_default=False,
        rich_help_panel=item.metadata.get("group") or None,
    )
    return inspect.Parameter(
        item.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[(bool if flag else list[str] if named else str) | None, option],
    )


_METAVARS = {int: "N", float: "NUMBER", str: "TEXT", Path: "PATH"}


def describe(item: Field[Any]) -> str:
    """The help line of a field as a sentence, with its range and its default."""
    notes = [] if item.metadata.get("unit") else [option_range(item)]
    default = item.default
    if default is MISSING or default is None or default is False or default in ((), ""):
        default = item.metadata.get("unset")
    elif isinstance(default, float):
        default = f"{default:.9g}"
    if default is not None and default != "":
        notes.append(f"default: {default}")
    return sentence(str(item.metadata["help"]), "; ".join(note for note in notes if note))


def sentence(text: str, note: str = "") -> str:
    """A help line with a capital letter, a note in parentheses and a full stop."""
    text = f"{text[:1].upper()}{text[1:]}" + (f" ({note})" if note else "")
    return text if text.endswith("...") else f"{text}."
