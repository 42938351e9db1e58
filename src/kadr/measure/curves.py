"""What was measured of each frame: one list for each measure, all as long as the clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from kadr.measure.change import Change

_LEAST_WARP = 0.01

Curve = list[float | None]
"""One value for each frame; None where it was not measured."""


@dataclass
class ChangeCurves:
    """Change of one clip since the frame before, in grey levels; None at frame 0 and at cuts."""

    warp: Curve = field(default_factory=list)
    flicker: Curve = field(default_factory=list)
    """Mean over still pixels; None where nothing stands still."""
    step: Curve = field(default_factory=list)
    colour: Curve = field(default_factory=list)
    texture: Curve = field(default_factory=list)
    still_sum: float = 0.0
    """Sum of the change over the still pixels of all frames."""
    still_count: int = 0

    def add(self, change: Change | None) -> None:
        """Append a frame; None: it has no neighbour."""
        if change is None:
            for curve in (self.warp, self.flicker, self.step, self.colour, self.texture):
                curve.append(None)
            return
        self.warp.append(change.warp)
        self.flicker.append(change.still_sum / change.still_count if change.still_count else None)
        self.step.append(change.step)
        self.colour.append(change.colour)
        self.texture.append(change.texture)
        self.still_sum += change.still_sum
        self.still_count += change.still_count

    @property
    def mean_flicker(self) -> float | None:
        """Mean over all still pixels of all frames, so that frames with few of them count little.

        In grey levels; None if nothing stands still.
        """
        return self.still_sum / self.still_count if self.still_count else None

    @property
    def mean_warp(self) -> float:
        """Mean warp error in grey levels; 0 if no frame has a neighbour."""
        return float(np.mean([value for value in self.warp if value is not None] or [0.0]))

    def relative_to(self, filmed: ChangeCurves) -> tuple[float, float | None]:
        """Warp error and flicker divided by those of the film.

        The film's warp error counts as 0.01 levels at least; flicker is None if nothing stands
        still, or if the film does not change there.
        """
        warp = self.mean_warp / max(filmed.mean_warp, _LEAST_WARP)
        own, reference = self.mean_flicker, filmed.mean_flicker
        return warp, None if own is None or not reference else own / reference


@dataclass
class Curves:
    """All that was measured, frame by frame, in units that the fields name.

    output, filmed: change of the two clips. detail: grey levels, of output and film. structure: −1
    to 1. ghosting: 0–1. style_colour, style_texture: distance of the output to the nearest key,
    grey levels; filmed_…: of the film to the frame of that key. psnr: dB; ssim: up to 1; empty
    without a truth. keys: positions of the keys among the frames. key_detail, key_structure: of
    each key. exact_keys: keys that the output contains unchanged. cuts: positions of frames without
    a neighbour before them. pixels: of one frame.
    """

    pixels: int = 0
    keys: Sequence[int] = ()
    output: ChangeCurves = field(default_factory=ChangeCurves)
    filmed: ChangeCurves = field(default_factory=ChangeCurves)
    detail: Curve = field(default_factory=list)
    filmed_detail: Curve = field(default_factory=list)
    structure: Curve = field(default_factory=list)
    ghosting: Curve = field(default_factory=list)
    style_colour: Curve = field(default_factory=list)
    style_texture: Curve = field(default_factory=list)
    filmed_style_colour: Curve = field(default_factory=list)
    filmed_style_texture: Curve = field(default_factory=list)
    psnr: Curve = field(default_factory=list)
    ssim: Curve = field(default_factory=list)
    key_detail: list[float] = field(default_factory=list)
    key_structure: list[float] = field(default_factory=list)
    exact_keys: int = 0
    cuts: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.detail)

    def by_name(self) -> Mapping[str, Curve]:
        """The curves that belong in a file, by name; those that are empty are left out."""
        curves = {
            "warp": self.output.warp,
            "warp_input": self.filmed.warp,
            "flicker": self.output.flicker,
            "flicker_input": self.filmed.flicker,
            "key_colour": self.output.colour,
            "key_colour_input": self.filmed.colour,
            "key_texture": self.output.texture,
            "key_texture_input": self.filmed.texture,
            "step": self.output.step,
            "step_input": self.filmed.step,
            "detail": self.detail,
            "detail_input": self.filmed_detail,
            "structure": self.structure,
            "ghosting": self.ghosting,
            "style_colour": self.style_colour,
            "style_colour_input": self.filmed_style_colour,
            "style_texture": self.style_texture,
            "style_texture_input": self.filmed_style_texture,
            "psnr": self.psnr,
            "ssim": self.ssim,
        }
        return {name: curve for name, curve in curves.items() if curve}
