"""A stylizer's name and options in, the stylizer out; nothing is imported before it is asked for.

A new stylizer is one file and one line in ``_STYLIZERS``.
"""

from __future__ import annotations

from dataclasses import fields
from importlib import import_module
from typing import Any

from kadr.errors import OptionsError
from kadr.stylize.base import Stylizer

_STYLIZERS = {
    "external": "kadr.stylize.external:External",
    "paint": "kadr.stylize.paint:Paint",
    "diffusion": "kadr.stylize.diffusion.stylizer:Diffusion",
    "onnx": "kadr.stylize.onnx:Onnx",
    "a1111": "kadr.stylize.servers.a1111:A1111",
    "comfyui": "kadr.stylize.servers.comfyui:ComfyUI",
}


def stylizer_names() -> tuple[str, ...]:
    """The known names, in the order in which people are offered them."""
    return tuple(_STYLIZERS)


def stylizer_options(name: str) -> type[Any]:
    """The stylizer's frozen options dataclass; each field's metadata holds its "help".

    Raises OptionsError for an unknown name.
    """
    options: type[Any] = _stylizer_class(name).Options
    return options


def create_stylizer(name: str, **options: Any) -> Stylizer:
    """A stylizer made with some of its options changed from their defaults.

    Raises OptionsError for an unknown name, an unknown option or a bad value.
    """
    kind = _stylizer_class(name)
    known = [item.name for item in fields(kind.Options)]
    for option in options:
        if option not in known:
            raise OptionsError(f"stylizer {name}: no option {option!r}; it has {', '.join(known)}")
    stylizer: Stylizer = kind(kind.Options(**options))
    return stylizer


def _stylizer_class(name: str) -> Any:
    if name not in _STYLIZERS:
        raise OptionsError(f"stylizer {name!r}: expected one of {', '.join(_STYLIZERS)}")
    module, kind = _STYLIZERS[name].split(":")
    return getattr(import_module(module), kind)
