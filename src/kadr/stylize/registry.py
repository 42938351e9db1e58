"""Create a stylizer from its name and options; its module is imported only then.

A new stylizer is one file and one line in ``_CLASSES``.
"""

from __future__ import annotations

from typing import Any

from kadr.core.registry import Registry
from kadr.stylize.base import Stylizer

_CLASSES = {
    "external": "kadr.stylize.external:External",
    "paint": "kadr.stylize.paint.stylizer:Paint",
    "ink": "kadr.stylize.ink:Ink",
    "watercolour": "kadr.stylize.watercolour:Watercolour",
    "pencil": "kadr.stylize.pencil.stylizer:Pencil",
    "diffusion": "kadr.stylize.diffusion.stylizer:Diffusion",
    "onnx": "kadr.stylize.onnx.stylizer:Onnx",
    "a1111": "kadr.stylize.servers.a1111:A1111",
    "comfyui": "kadr.stylize.servers.comfyui:ComfyUI",
}
_STYLIZERS = Registry[Stylizer]("stylizer", _CLASSES)


def stylizer_names() -> tuple[str, ...]:
    """All names, in the order of help texts and lists."""
    return _STYLIZERS.names


def stylizer_options(name: str) -> type[Any]:
    """The stylizer's frozen options dataclass; each field's metadata holds its "help".

    Raises OptionsError for an unknown name.
    """
    return _STYLIZERS.options(name)


def create_stylizer(name: str, **options: Any) -> Stylizer:
    """Make a stylizer; options that are not given keep their defaults.

    Raises OptionsError for an unknown name, an unknown option or a bad value.
    """
    return _STYLIZERS.create(name, options)
