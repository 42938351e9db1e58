"""EbSynth's weights and detail in, ours out, and back.

Both programs weigh the same things, on scales of their own: each of ours is EbSynth's times a
factor that makes EbSynth's defaults our defaults, so that a project that nobody tuned is one here
as well, and one in which a slider was doubled has ours doubled.
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
"""Of EbsWeights → of PropagateOptions. The mask's weight has nothing here that it could mean."""

DETAILS: Mapping[int, str] = {1: "high", 2: "medium", 3: "low", 4: "draft"}
"""EbSynth's Synthesis Detail (High, Medium, Low, Garbage) → ours."""

_HIGHEST = {
    item.name: float(item.metadata["high"])
    for item in fields(PropagateOptions)
    if item.name in FIELDS.values()
}


def factor(name: str) -> float:
    """What a weight of EbSynth's, a field of EbsWeights, is multiplied by to be ours."""
    ours: float = getattr(PropagateOptions(), FIELDS[name])
    theirs: float = getattr(EbsWeights(), name)
    return ours / theirs


def highest(name: str) -> float:
    """The most that a weight of EbSynth's can be carried over as."""
    return _HIGHEST[FIELDS[name]] / factor(name)


def from_ebsynth(weights: EbsWeights) -> dict[str, float]:
    """Fields of PropagateOptions for all weights that are not EbSynth's defaults.

    A weight beyond our highest becomes our highest.
    """
    usual = EbsWeights()
    changed = [name for name in FIELDS if getattr(weights, name) != getattr(usual, name)]
    return {FIELDS[name]: _ours(name, getattr(weights, name)) for name in changed}


def _ours(name: str, value: float) -> float:
    return min(value * factor(name), _HIGHEST[FIELDS[name]])


def to_ebsynth(options: PropagateOptions, before: EbsWeights) -> EbsWeights:
    """The weights that mean ``options``; those of ``before`` stay where they mean that already."""
    news = {}
    for name, field in FIELDS.items():
        value = getattr(options, field)
        if _ours(name, getattr(before, name)) != value:
            news[name] = value / factor(name)
    return replace(before, **news)
