"""Commands whose help shows a metavar for values, and no type for flags and arguments."""

from __future__ import annotations

import inspect
from typing import Any

from typer.core import TyperArgument, TyperCommand, TyperGroup


class PlainCommand(TyperCommand):
    """A command with plain help."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, those without a metavar with none to show."""
        return [_without_type(param) for param in super().get_params(ctx)]


class PlainGroup(TyperGroup):
    """A group of commands with plain help."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, those without a metavar with none to show."""
        return [_without_type(param) for param in super().get_params(ctx)]


def _without_type(param: Any) -> Any:
    """Typer shows ``<bool>`` for a flag, and ``<str>`` beside the metavar of an argument."""
    if isinstance(param, TyperArgument):
        vars(param)["display_type_rich"] = lambda ctx: None
    elif param.metavar is None:
        param.metavar = ""
    return param


def paragraphs(docstring: str) -> str:
    """A docstring with each paragraph on one line, for help that wraps lines itself."""
    text = inspect.cleandoc(docstring)
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))
