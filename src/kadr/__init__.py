"""kadr: restyle a video from a few painted frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_NAMES = {
    "Guide": "kadr.synth",
    "SynthOptions": "kadr.options",
    "synthesize": "kadr.synth",
}
"""Public name → module; loaded when first asked for, so that ``import kadr`` stays light."""

if TYPE_CHECKING:
    from kadr.options import SynthOptions
    from kadr.synth import Guide, synthesize

__all__ = ["Guide", "SynthOptions", "__version__", "synthesize"]


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module 'kadr' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_NAMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
