"""Curves in; one line for each measure out: mean, worst frame, and what it is compared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kadr.measure.curves import Curve, Curves
from kadr.measure.jump import relative_steps
from kadr.measure.key_visibility import key_visibility

_LEAST_STILL = 0.001
"""Share of all pixels that must stand still for flicker to mean anything."""


@dataclass(frozen=True)
class Measure:
    """One measure of a clip.

    unit: of all values: "levels" (of 255), "dB", "×", "share" or "correlation". mean: over frames.
    worst, worst_position: the worst frame. beside: mean of what ``beside_name`` tells ("input" or
    "keys"). missing: why the measure cannot be made, or "".
    """

    name: str
    label: str
    unit: str
    better: Literal["lower", "higher"]
    mean: float | None = None
    worst: float | None = None
    worst_position: int | None = None
    beside: float | None = None
    beside_name: str = ""
    missing: str = ""

    @property
    def ratio(self) -> float | None:
        """``mean`` over ``beside``; None without one, or if it is 0."""
        return self.mean / self.beside if self.mean is not None and self.beside else None

    @property
    def worst_ratio(self) -> float | None:
        """``worst`` over ``beside``."""
        return self.worst / self.beside if self.worst is not None and self.beside else None


def summarize(curves: Curves) -> dict[str, Measure]:
    """All measures by name, in the order of the table. A measure without values says why."""
    no_keys = "" if curves.keys else "needs keys"
    too_short = "" if len(curves) > 1 else "needs two frames"
    no_neighbours = too_short or "every frame is a cut"
    not_apart = "frames differ too little from those of the keys"
    measures = [
        _of_curve(
            Measure("warp", "warp error", "levels", "lower", missing=no_neighbours),
            curves.output.warp,
            curves.filmed.warp,
        ),
        _flicker(curves, no_neighbours),
        _visibility("key_colour", "keys visible, colour", curves, no_keys or too_short),
        _visibility("key_texture", "keys visible, texture", curves, no_keys or too_short),
        _of_curve(
            Measure("ghosting", "ghosting", "share", "lower", missing=no_keys or not_apart),
            curves.ghosting,
        ),
        _of_curve(
            Measure("style_colour", "style distance, colour", "levels", "lower", missing=no_keys),
            curves.style_colour,
            curves.filmed_style_colour,
        ),
        _of_curve(
            Measure("style_texture", "style distance, texture", "levels", "lower", missing=no_keys),
            curves.style_texture,
            curves.filmed_style_texture,
        ),
        _relative("detail", "detail", "levels", curves.detail, curves.key_detail, curves),
        _structure(curves),
        _jump(curves, no_neighbours),
        _of_curve(Measure("psnr", "PSNR", "dB", "higher", missing="needs a truth"), curves.psnr),
        _of_curve(Measure("ssim", "SSIM", "share", "higher", missing="needs a truth"), curves.ssim),
    ]
    return {measure.name: measure for measure in measures}


def _of_curve(kind: Measure, curve: Curve, beside: Curve | None = None) -> Measure:
    """Fill in a measure from its curve; ``kind.missing`` stays only if there is no value."""
    values = [(value, position) for position, value in enumerate(curve) if value is not None]
    if not values:
        return kind
    pick: Callable[[list[tuple[float, int]]], tuple[float, int]]
    pick = _largest if kind.better == "lower" else min
    worst, position = pick(values)
    reference = [value for value in beside or () if value is not None]
    return Measure(
        kind.name,
        kind.label,
        kind.unit,
        kind.better,
        float(np.mean([value for value, _ in values])),
        worst,
        position,
        float(np.mean(reference)) if reference else kind.beside,
        "input" if reference else kind.beside_name,
    )


def _largest(values: list[tuple[float, int]]) -> tuple[float, int]:
    """The largest value; of equal ones the first."""
    return max(values, key=lambda value: (value[0], -value[1]))


def _flicker(curves: Curves, no_neighbours: str) -> Measure:
    kind = Measure("flicker", "static flicker", "levels", "lower", missing=no_neighbours)
    filled = _of_curve(kind, curves.output.flicker, curves.filmed.flicker)
    steps = sum(value is not None for value in curves.output.step)
    if not steps:
        return filled
    share = curves.output.still_count / (steps * curves.pixels)
    if share < _LEAST_STILL:
        part = "nothing" if not share else f"only {share:.2%}"
        text = f"{part} of the input stands still"
        return Measure("flicker", kind.label, kind.unit, "lower", missing=text)
    return Measure(
        "flicker",
        kind.label,
        kind.unit,
        "lower",
        curves.output.mean_flicker,
        filled.worst,
        filled.worst_position,
        curves.filmed.mean_flicker,
        "input",
    )


def _visibility(name: str, label: str, curves: Curves, missing: str) -> Measure:
    missing = missing or "no frames away from the keys to compare with"
    attribute = name.removeprefix("key_")
    own = key_visibility(getattr(curves.output, attribute), curves.keys)
    filmed = key_visibility(getattr(curves.filmed, attribute), curves.keys)
    kind = Measure(name, label, "×", "lower", missing=missing)
    return _of_curve(kind, _as_curve(own, len(curves)), _as_curve(filmed, len(curves)))


def _as_curve(values: dict[int, float], count: int) -> Curve:
    return [values.get(position) for position in range(count)]


def _relative(
    name: str, label: str, unit: str, curve: Curve, keys: Sequence[float], curves: Curves
) -> Measure:
    """A measure beside the keys' own, or without keys beside the input's."""
    kind = Measure(name, label, unit, "higher", missing="needs a frame")
    if keys:
        kind = Measure(name, label, unit, "higher", beside=float(np.mean(keys)), beside_name="keys")
        return _of_curve(kind, curve)
    return _of_curve(kind, curve, curves.filmed_detail)


def _structure(curves: Curves) -> Measure:
    beside = float(np.mean(curves.key_structure)) if curves.key_structure else None
    kind = Measure(
        "structure",
        "structure",
        "correlation",
        # a style that inverts tones is right where its correlation is as negative as the keys'
        "higher" if beside is None or beside >= 0 else "lower",
        beside=beside,
        beside_name="keys" if beside is not None else "",
        missing="needs a frame",
    )
    return _of_curve(kind, curves.structure)


def _jump(curves: Curves, no_neighbours: str) -> Measure:
    steps = relative_steps(curves.output.step, curves.filmed.step)
    return _of_curve(Measure("jump", "largest jump", "×", "lower", missing=no_neighbours), steps)
