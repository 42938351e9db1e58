"""Hatch a tone with layers of pencil strokes along the forms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kadr.core.row_bands import run_bands
from kadr.core.seeds import derive_seed
from kadr.stylize.looks.structure_tensor import Directions
from kadr.stylize.looks.tone import smooth_step
from kadr.stylize.pencil.kernels.hatching import hatch_rows

Plane = NDArray[np.float32]

_BAND = 32


@dataclass(frozen=True)
class _Layer:
    """Strokes of one direction. Sizes are multiples of a stroke's width."""

    turn: float
    """Degrees by which strokes are turned away from the form."""
    begins: float
    """Darkness, 0–1, above which the layer is drawn."""
    full: float
    """Darkness at which the pencil presses hardest."""
    cover: float
    """Most cover of a single stroke, 0–1."""
    spacing: float
    """Distance between strokes that lie beside each other."""


_LAYERS = (
    _Layer(0.0, 0.03, 0.8, 0.38, 1.1),
    _Layer(12.0, 0.28, 0.9, 0.38, 1.15),
    _Layer(58.0, 0.48, 1.0, 0.36, 1.2),
    _Layer(-26.0, 0.66, 1.1, 0.55, 1.1),
)


def hatch(
    darkness: Plane,
    directions: Directions,
    width: float,
    length: float,
    *,
    cross: float,
    seed: int,
    threads: int | None = None,
) -> Plane:
    """(H, W) float32: the share of the paper that hatching of this darkness leaves bare.

    Darker tones get further layers of strokes over the lighter ones, as in the tonal art maps of
    Praun et al. 2001; strokes follow the forms, and their crossings turn from there (Hertzmann &
    Zorin 2000). Strokes stay at their places whatever the image, so frames do not flicker.

    darkness: (H, W) float32 0–1. width, length: of a stroke in pixels. cross: 0–1, how far the
    darker layers turn away from the form.
    """
    sheet = np.ones(darkness.shape, np.float32)
    for number, layer in enumerate(_LAYERS):
        rng = np.random.default_rng(derive_seed(seed, "hatching", number))
        strokes = _plan(directions, layer, width, length, cross, rng)
        pressure = smooth_step(darkness, layer.begins, layer.full)
        _draw(strokes, pressure, sheet, threads)
    return sheet


def _plan(
    directions: Directions,
    layer: _Layer,
    width: float,
    length: float,
    cross: float,
    rng: np.random.Generator,
) -> Plane:
    """(N, 8) float32: strokes of a layer in the order in which they are drawn."""
    height, columns = directions.anisotropy.shape
    # a lattice that is as dense as strokes of this length need to lie beside each other
    step = float(np.sqrt(layer.spacing * width * 0.55 * length))
    ys, xs = np.meshgrid(
        np.arange(0.5 * step, height + 0.5 * step, step),
        np.arange(0.5 * step, columns + 0.5 * step, step),
        indexing="ij",
    )
    centres = np.stack([xs.ravel(), ys.ravel()], axis=1)
    centres += rng.uniform(-0.6 * step, 0.6 * step, centres.shape)
    vary = rng.uniform(-1, 1, (len(centres), 4))
    column = np.clip(centres[:, 0].astype(np.intp), 0, columns - 1)
    row = np.clip(centres[:, 1].astype(np.intp), 0, height - 1)
    # a hand is not exact: a few degrees to either side
    angle = np.radians(cross * layer.turn + 5.0 * vary[:, 0])
    tangent = directions.tangent[row, column]
    tangent = np.stack(
        [
            np.cos(angle) * tangent[:, 0] - np.sin(angle) * tangent[:, 1],
            np.sin(angle) * tangent[:, 0] + np.cos(angle) * tangent[:, 1],
        ],
        axis=1,
    )
    half_length = 0.5 * length * (1 + 0.3 * vary[:, 1])
    half_width = 0.5 * width * (1 + 0.2 * vary[:, 2])
    cover = layer.cover * (1 + 0.25 * vary[:, 3])
    bend = 0.25 * vary[:, 0] / half_length
    parts = [centres, tangent, np.stack([bend, half_length, half_width, cover], axis=1)]
    return np.ascontiguousarray(np.concatenate(parts, axis=1), np.float32)


def _draw(strokes: Plane, pressure: Plane, sheet: Plane, threads: int | None) -> None:
    def draw_band(start: int, stop: int) -> None:
        hatch_rows(strokes, pressure, sheet, start, stop)

    run_bands(draw_band, len(sheet), band=_BAND, threads=threads)
