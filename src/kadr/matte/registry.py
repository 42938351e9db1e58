"""Create a way to make mattes from its name and options; its module is imported only then.

A new method is one file and one line in ``_METHODS``.
"""

from __future__ import annotations

from dataclasses import fields
from importlib import import_module
from typing import TYPE_CHECKING, Any

from kadr.core.formatting import shorten
from kadr.errors import OptionsError

if TYPE_CHECKING:
    from kadr.matte.base import MatteMethod

_METHODS = {
    "propagate": "kadr.matte.propagate:Propagate",
    "difference": "kadr.matte.difference:Difference",
    "onnx": "kadr.matte.onnx:Onnx",
}


def method_names() -> tuple[str, ...]:
    """All names, in the order of help texts."""
    return tuple(_METHODS)


def method_options(name: str) -> type[Any]:
    """The method's frozen options dataclass; each field's metadata holds its "help".

    Raises OptionsError for an unknown name.
    """
    options: type[Any] = _method_class(name).Options
    return options


def create_method(name: str, **options: Any) -> MatteMethod:
    """Make a method; options that are not given keep their defaults.

    Raises OptionsError for an unknown name, an unknown option or a bad value.
    """
    method_class = _method_class(name)
    names = [item.name for item in fields(method_class.Options)]
    for option in options:
        if option not in names:
            raise OptionsError(f"method {name}: no option {option!r}; it has {', '.join(names)}")
    method: MatteMethod = method_class(method_class.Options(**options))
    return method


def _method_class(name: str) -> Any:
    if name not in _METHODS:
        raise OptionsError(f"method {shorten(name)!r}: expected one of {', '.join(_METHODS)}")
    module, class_name = _METHODS[name].split(":")
    return getattr(import_module(module), class_name)
