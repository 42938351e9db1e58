"""Options of every step: frozen dataclasses, checked on creation, with help for each field.

The command line and any other front end build themselves from these fields. A plug-in's options
sit in its own file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from kadr.core.frames import FrameRange, Span
from kadr.errors import OptionsError


def option(default: Any, help: str, *, low: float | None = None, high: float | None = None) -> Any:
    """A dataclass field with a help line and, for numbers, an inclusive sane range."""
    return field(default=default, metadata={"help": help, "low": low, "high": high})


def check_fields(options: Any) -> None:
    """Raise OptionsError if a numeric field of a dataclass is outside its declared range."""
    for item in fields(options):
        low, high = item.metadata.get("low"), item.metadata.get("high")
        value = getattr(options, item.name)
        if value is None or (low is None and high is None):
            continue
        bad = not isinstance(value, (int, float)) or not math.isfinite(value)
        if bad or (low is not None and value < low) or (high is not None and value > high):
            bounds = f"{low} to {high}" if high is not None else f"at least {low}"
            raise OptionsError(f"{item.name.replace('_', '-')} {value}: expected {bounds}")


@dataclass(frozen=True)
class SynthOptions:
    """How one frame is synthesized; names and defaults as people know them from ``ebsynth``."""

    patch_size: int = option(5, "side of the square patch in pixels, odd", low=3, high=15)
    vote_iterations: int = option(6, "search-and-vote rounds a level", low=1, high=100)
    search_iterations: int = option(4, "PatchMatch passes a round", low=1, high=100)
    levels: int | None = option(None, "pyramid levels; none: as many as fit", low=1, high=32)
    uniformity: float = option(3500.0, "penalty for using a style patch again", low=0, high=1e6)
    stop_threshold: float = option(5.0, "a pixel that moves less is settled", low=0, high=255)
    weighted_vote: bool = option(False, "good matches weigh more in the vote")
    extra_pass_3x3: bool = option(False, "repeat the finest level with patch 3, no uniformity")
    search_radius: int | None = option(
        None, "reach of random search at the finest level in pixels; none: the whole image", low=1
    )
    enough: float = option(0.0, "mean squared error a channel below which none is sought", low=0)
    seed: int = option(1337, "same seed, same picture", low=0)

    def __post_init__(self) -> None:
        check_fields(self)
        if self.patch_size % 2 == 0:
            raise OptionsError(f"patch-size {self.patch_size}: expected an odd number, 3 to 15")
