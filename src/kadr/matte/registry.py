"""Create a way to make mattes from its name and options; its module is imported only then.

A new method is one file and one line in ``_CLASSES``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kadr.core.registry import Registry

if TYPE_CHECKING:
    from kadr.matte.base import MatteMethod

_CLASSES = {
    "propagate": "kadr.matte.propagate:Propagate",
    "difference": "kadr.matte.difference:Difference",
    "onnx": "kadr.matte.onnx:Onnx",
}
_METHODS: Registry[MatteMethod] = Registry("method", _CLASSES)


def method_names() -> tuple[str, ...]:
    """All names, in the order of help texts."""
    return _METHODS.names


def method_options(name: str) -> type[Any]:
    """The method's frozen options dataclass; each field's metadata holds its "help".

    Raises OptionsError for an unknown name.
    """
    return _METHODS.options(name)


def create_method(name: str, **options: Any) -> MatteMethod:
    """Make a method; options that are not given keep their defaults.

    Raises OptionsError for an unknown name, an unknown option or a bad value.
    """
    return _METHODS.create(name, options)
