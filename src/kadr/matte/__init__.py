"""Mattes of a clip: where a subject is in each frame, carried from painted masks or found.

    from kadr.matte import create_method, make_mattes

The public names are imported when they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kadr.matte.make import MatteResult, make_mattes
    from kadr.matte.options import EdgeOptions
    from kadr.matte.registry import create_method

__all__ = ["EdgeOptions", "MatteResult", "create_method", "make_mattes"]

_MODULES = {
    "EdgeOptions": "options",
    "MatteResult": "make",
    "create_method": "registry",
    "make_mattes": "make",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"kadr.matte.{_MODULES[name]}"), name)
