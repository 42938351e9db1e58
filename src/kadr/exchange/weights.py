"""Convert EbSynth's weights and detail to kadr's options, and back.

Both programs have the same weights on different scales. A weight of kadr is EbSynth's weight times
a factor that maps EbSynth's default to kadr's default. So a project with default weights has
default options, and a doubled weight doubles the option.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace

from kadr.exchange.ebs import EbsWeights
from kadr.options import PropagateOptions

FIELDS: Mapping[str, str] = {
    "key": "key_weight",
    "video": "video_weight",
    "mapping": "mapping",
    "deflicker": "deflicker",
    "diversity": "diversity",
}
"""Field of EbsWeights → field of PropagateOptions. kadr has no weight for the mask."""

DETAILS: Mapping[int, str] = {1: "high", 2: "medium", 3: "low", 4: "draft"}
"""EbSynth's Synthesis Detail (High, Medium, Low, Garbage) → kadr's detail."""

_MAX_VALUES = {
    item.name: float(item.metadata["high"])
    for item in fields(PropagateOptions)
    if item.name in FIELDS.values()
}


def weight_factor(name: str) -> float:
    """The factor from an EbSynth weight, a field of EbsWeights, to kadr's option."""
    kadr_default: float = getattr(PropagateOptions(), FIELDS[name])
    ebsynth_default: float = getattr(EbsWeights(), name)
    return kadr_default / ebsynth_default


def max_weight(name: str) -> float:
    """The largest EbSynth weight that kadr's option can represent."""
    return _MAX_VALUES[FIELDS[name]] / weight_factor(name)


def from_ebsynth(weights: EbsWeights) -> dict[str, float]:
    """Fields of PropagateOptions for all weights that are not EbSynth's defaults.

    A weight above the maximum becomes the maximum.
    """
    defaults = EbsWeights()
    changed = [name for name in FIELDS if getattr(weights, name) != getattr(defaults, name)]
    return {FIELDS[name]: _to_option(name, getattr(weights, name)) for name in changed}


def _to_option(name: str, value: float) -> float:
    return min(value * weight_factor(name), _MAX_VALUES[FIELDS[name]])


def to_ebsynth(options: PropagateOptions, old_weights: EbsWeights) -> EbsWeights:
    """The weights for ``options``; values of ``old_weights`` stay where they are equivalent."""
    changed = {}
    for name, field in FIELDS.items():
        value = getattr(options, field)
        if _to_option(name, getattr(old_weights, name)) != value:
            changed[name] = value / weight_factor(name)
    return replace(old_weights, **changed)
