"""Create a stylizer from its name and options; its module is imported only then.

A new stylizer is one file and one line in ``_STYLIZERS``.
"""

from __future__ import annotations

from dataclasses import fields
from importlib import import_module
from typing import Any

from kadr.core.formatting import shorten
from kadr.errors import OptionsError
from kadr.stylize.base import Stylizer

_STYLIZERS = {
    "external": "kadr.stylize.external:External",
    "paint": "kadr.stylize.paint.stylizer:Paint",
    "diffusion": "kadr.stylize.diffusion.stylizer:Diffusion",
    "onnx": "kadr.stylize.onnx.stylizer:Onnx",
    "a1111": "kadr.stylize.servers.a1111:A1111",
    "comfyui": "kadr.stylize.servers.comfyui:ComfyUI",
}


def stylizer_names() -> tuple[str, ...]:
    """All names, in the order of help texts and lists."""
    return tuple(_STYLIZERS)


def stylizer_options(name: str) -> type[Any]:
    """The stylizer's frozen options dataclass; each field's metadata holds its "help".

    Raises OptionsError for an unknown name.
    """
    options: type[Any] = _stylizer_class(name).Options
    return options


def create_stylizer(name: str, **options: Any) -> Stylizer:
    """Make a stylizer; options that are not given keep their defaults.

    Raises OptionsError for an unknown name, an unknown option or a bad value.
    """
    stylizer_class = _stylizer_class(name)
    names = [item.name for item in fields(stylizer_class.Options)]
    for option in options:
        if option not in names:
            raise OptionsError(f"stylizer {name}: no option {option!r}; it has {', '.join(names)}")
    stylizer: Stylizer = stylizer_class(stylizer_class.Options(**options))
    return stylizer


def _stylizer_class(name: str) -> Any:
    if name not in _STYLIZERS:
        raise OptionsError(f"stylizer {shorten(name)!r}: expected one of {', '.join(_STYLIZERS)}")
    module, class_name = _STYLIZERS[name].split(":")
    return getattr(import_module(module), class_name)
