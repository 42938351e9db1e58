"""Paint a flat-coloured image in visible brush strokes along its local directions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kadr.core.row_bands import run_bands
from kadr.core.seeds import derive_seed
from kadr.stylize.looks.blur import blur
from kadr.stylize.looks.structure_tensor import Directions
from kadr.stylize.looks.tone import smooth_step
from kadr.stylize.paint.brush_marks import brush_marks
from kadr.stylize.paint.kernels.strokes import Strokes, draw_rows

Plane = NDArray[np.float32]

_BAND = 32


@dataclass(frozen=True)
class _Layer:
    """Strokes of one size. Sizes are shares of the widest brush, edges grey steps."""

    width: float
    length: float
    spacing: float
    """Distance between strokes, along and across, in half widths."""
    detail: float
    """Strokes are drawn where a brush twice as wide would be off by more grey steps than this."""
    edge: float
    """Colour difference at which a stroke's cover is halved: it stays within its form."""
    variety: float
    """How much colours vary from stroke to stroke: more in wide strokes than in fine ones."""


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
    """Paint (H, W, 3) float32 in layers: wide strokes first, finer ones where detail is missing.

    After Hertzmann 1998, with straight strokes bent to the local direction and thinned where they
    would leave their form. Returns the canvas, (H, W, 3) float32, and the relief of the paint,
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
    """Strokes of a layer in the order in which they are drawn."""
    centres = _stroke_centres(image.shape[:2], layer.spacing * half_width, rng)
    # tint and mark belong to the place, so that strokes stay the same from frame to frame
    tint = rng.standard_normal((len(centres), 4))
    mark = rng.integers(0, 1 << 30, len(centres))
    column, row = _pixels(centres, image)
    cover: Plane = np.ones(len(centres), np.float32)
    if layer.detail > 0:
        cover = smooth_step(_detail(image, half_width)[row, column] / layer.detail, 0.7, 1.3)
        drawn = cover > 0
        centres, tint, mark, cover = centres[drawn], tint[drawn], mark[drawn], cover[drawn]
        column, row = column[drawn], row[drawn]
    tangent = directions.tangent[row, column]
    form = _form(directions, row, column)
    # without a form to follow, strokes are broad dabs that are nearly of one colour and height
    width: Plane = half_width * (1.35 - 0.35 * form)
    length: Plane = layer.length * (0.7 + 0.5 * directions.anisotropy[row, column])
    half_length = np.asarray(width * (1.7 + form * (length - 1.7)), np.float32)
    bend = form * _bend(directions.tangent, centres, tangent, half_length)
    colour = image[row, column]
    # pigments vary in proportion: dark paint stays dark
    vary = (0.3 + 0.7 * colour.max(axis=1) / 160) * (0.35 + 0.65 * form)
    tinted = layer.variety * strength * (7.5 * tint[:, :1] + 2.5 * tint[:, 1:])
    colour = colour + vary[:, None] * tinted
    # half of the marks are reversed, since their two ends differ
    sign = np.where(mark & 1, 1.0, -1.0)
    columns = [
        centres,
        tangent * sign[:, None],
        np.stack([bend * sign, half_length, width], axis=1),
        colour,
        np.stack([cover, 0.25 + 0.75 * form], axis=1),
    ]
    shape = np.ascontiguousarray(np.concatenate(columns, axis=1), np.float32)
    return Strokes(shape, (mark >> 1).astype(np.int32))


def _form(directions: Directions, row: NDArray[np.intp], column: NDArray[np.intp]) -> Plane:
    """(N,) 0–1: how clearly a form gives strokes at these pixels their direction."""
    anisotropy = directions.anisotropy[row, column]
    form: Plane = smooth_step(directions.form[row, column] * (0.4 + 0.6 * anisotropy), 0.05, 0.55)
    return form


def _stroke_centres(
    size: tuple[int, ...], step: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """(N, 2) x and y of strokes: a jittered grid in random order."""
    height, width = size
    ys, xs = np.meshgrid(
        np.arange(0.5 * step, height + 0.5 * step, step),
        np.arange(0.5 * step, width + 0.5 * step, step),
        indexing="ij",
    )
    centres = np.stack([xs.ravel(), ys.ravel()], axis=1)
    centres += rng.uniform(-0.5 * step, 0.5 * step, centres.shape)
    return centres[rng.permutation(len(centres))]


def _pixels(
    centres: NDArray[np.floating], image: Plane
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Column and row of the pixel at or nearest to each centre."""
    column = np.clip(centres[:, 0].astype(np.intp), 0, image.shape[1] - 1)
    row = np.clip(centres[:, 1].astype(np.intp), 0, image.shape[0] - 1)
    return column, row


def _detail(image: Plane, half_width: float) -> Plane:
    """(H, W) grey steps by which a brush twice as wide would be off."""
    difference = np.abs(image - blur(image, half_width))
    strongest = np.maximum(np.maximum(difference[..., 0], difference[..., 1]), difference[..., 2])
    return blur(strongest, half_width)


def _bend(
    tangents: Plane, centres: NDArray[np.float64], tangent: Plane, half_length: Plane
) -> Plane:
    """Curvature of each stroke from the directions a half length ahead and behind, 1/pixels."""
    sines = []
    for side in (0.5, -0.5):
        column, row = _pixels(centres + side * half_length[:, None] * tangent, tangents)
        other = tangents[row, column]
        dot = (other * tangent).sum(axis=1)
        cross = tangent[:, 0] * other[:, 1] - tangent[:, 1] * other[:, 0]
        # sine of the angle between two undirected lines; a stroke does not bend at a sharp corner
        sines.append(np.where(np.abs(dot) > 0.6, cross * np.sign(dot), 0))
    limit = 0.9 / half_length
    bend: Plane = np.clip((sines[0] - sines[1]) / half_length, -limit, limit)
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
    def draw_band(start: int, stop: int) -> None:
        draw_rows(
            strokes.shape, strokes.mark, image, marks, edge * edge, canvas, relief, start, stop
        )

    run_bands(draw_band, image.shape[0], band=_BAND, threads=threads)
