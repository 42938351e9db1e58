"""A flat-coloured image and its directions in, the image in visible brush strokes out."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.row_bands import run_bands
from kadr.core.seeds import derive_seed
from kadr.stylize.brushes import brush_marks
from kadr.stylize.directions import Directions
from kadr.stylize.stroke_kernels import Strokes, draw_rows

Plane = NDArray[np.float32]

_BAND = 32


@dataclass(frozen=True)
class _Layer:
    """Strokes of one size. Sizes are shares of the widest brush, edges grey steps."""

    width: float
    length: float
    spacing: float
    """Of strokes along and across, in half widths."""
    detail: float
    """Strokes are laid where a brush twice as wide would miss more grey steps than this."""
    edge: float
    """A colour difference at which a stroke thins to half: it stays within its form."""
    variety: float
    """How far colours vary from stroke to stroke: fine strokes draw, wide ones colour."""


_LAYERS = (
    _Layer(1.0, 3.2, 1.3, 0.0, 26.0, 1.0),
    _Layer(0.55, 4.0, 1.5, 5.5, 20.0, 0.8),
    _Layer(0.28, 5.0, 1.6, 7.0, 16.0, 0.55),
)


def paint_strokes(
    image: Plane,
    directions: Directions,
    radius: float,
    *,
    strength: float,
    seed: int,
    threads: int | None = None,
) -> tuple[Plane, Plane]:
    """Paint (H, W, 3) float32 in layers, wide strokes first, finer ones where they are missed.

    After Hertzmann 1998, with straight strokes bent to the local direction and thinned where they
    would leave their form. Gives the canvas, (H, W, 3) float32, and the relief of the paint,
    (H, W) float32 about -1–1.

    radius: half the width of the widest stroke in pixels.
    strength: 0–1, how strongly stroke colours differ from what they cover.
    """
    canvas = image.copy()
    relief = np.zeros(image.shape[:2], np.float32)
    marks = brush_marks(derive_seed(seed, "marks"))
    for number, layer in enumerate(_LAYERS):
        half_width = max(layer.width * radius, 0.8)
        rng = np.random.default_rng(derive_seed(seed, "layer", number))
        strokes = _plan(image, directions, layer, half_width, rng, strength)
        _draw(strokes, image, marks, layer.edge, canvas, relief, threads)
    return canvas, relief


def _plan(
    image: Plane,
    directions: Directions,
    layer: _Layer,
    half_width: float,
    rng: np.random.Generator,
    strength: float,
) -> Strokes:
    """Strokes of a layer in the order in which they are laid."""
    places = _places(image.shape[:2], layer.spacing * half_width, rng)
    if layer.detail > 0:
        column, row = _pixels(places, image)
        places = places[_detail(image, half_width)[row, column] > layer.detail]
    tint = rng.standard_normal((len(places), 4))
    mark = rng.integers(0, 1 << 30, len(places))
    column, row = _pixels(places, image)
    tangent = directions.tangent[row, column]
    half_length = half_width * layer.length * (0.7 + 0.5 * directions.anisotropy[row, column])
    bend = _bend(directions.tangent, places, tangent, half_length)
    colour = image[row, column]
    # pigments vary in proportion: dark paint stays dark
    vary = 0.3 + 0.7 * colour.max(axis=1, keepdims=True) / 160
    colour = colour + layer.variety * strength * vary * (7.5 * tint[:, :1] + 2.5 * tint[:, 1:])
    # half of the brushes are turned round, since the ends of a mark differ
    turn = np.where(mark & 1, 1.0, -1.0)[:, None]
    widths = np.full((len(places), 1), half_width)
    columns = [places, tangent * turn, bend[:, None] * turn, half_length[:, None], widths, colour]
    shape = np.ascontiguousarray(np.concatenate(columns, axis=1), np.float32)
    return Strokes(shape, (mark >> 1).astype(np.int32))


def _places(size: tuple[int, ...], step: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """(N, 2) x and y of strokes: a grid, shaken, in random order."""
    height, width = size
    ys, xs = np.meshgrid(
        np.arange(0.5 * step, height + 0.5 * step, step),
        np.arange(0.5 * step, width + 0.5 * step, step),
        indexing="ij",
    )
    places = np.stack([xs.ravel(), ys.ravel()], axis=1)
    places += rng.uniform(-0.5 * step, 0.5 * step, places.shape)
    return places[rng.permutation(len(places))]


def _pixels(
    places: NDArray[np.floating], image: Plane
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Column and row of the pixel at or nearest to each place."""
    column = np.clip(places[:, 0].astype(np.intp), 0, image.shape[1] - 1)
    row = np.clip(places[:, 1].astype(np.intp), 0, image.shape[0] - 1)
    return column, row


def _detail(image: Plane, half_width: float) -> Plane:
    """(H, W) grey steps by which a brush twice as wide would miss the image here."""
    wide = cv2.GaussianBlur(image, (0, 0), half_width)
    missed: Plane = cv2.GaussianBlur(np.abs(image - wide).max(axis=2), (0, 0), half_width)
    return missed


def _bend(
    tangents: Plane, places: NDArray[np.float64], tangent: Plane, half_length: Plane
) -> Plane:
    """Curvature of each stroke from the directions a half length ahead and behind, 1/pixels."""
    turned = []
    for side in (0.5, -0.5):
        column, row = _pixels(places + side * half_length[:, None] * tangent, tangents)
        there = tangents[row, column]
        dot = (there * tangent).sum(axis=1)
        cross = tangent[:, 0] * there[:, 1] - tangent[:, 1] * there[:, 0]
        # sine of the angle between two lines without a sign; sharp corners do not bend a brush
        turned.append(np.where(np.abs(dot) > 0.6, cross * np.sign(dot), 0))
    limit = 0.9 / half_length
    bend: Plane = np.clip((turned[0] - turned[1]) / half_length, -limit, limit)
    return bend


def _draw(
    strokes: Strokes,
    image: Plane,
    marks: Plane,
    edge: float,
    canvas: Plane,
    relief: Plane,
    threads: int | None,
) -> None:
    def work(start: int, stop: int) -> None:
        draw_rows(
            strokes.shape, strokes.mark, image, marks, edge * edge, canvas, relief, start, stop
        )

    run_bands(work, image.shape[0], band=_BAND, threads=threads)
