"""An image and its directions in, the image in flat, clean-edged patches of colour out."""

from __future__ import annotations

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from kadr.core.row_bands import run_bands
from kadr.stylize.directions import Directions

Plane = NDArray[np.float32]

_SECTORS = 8
_BAND = 16


def kuwahara(
    image: NDArray[np.uint8],
    directions: Directions,
    radius: float,
    *,
    sharpness: float = 8.0,
    anisotropy: float = 1.0,
    threads: int | None = None,
) -> Plane:
    """Anisotropic Kuwahara filter of (H, W, 3) uint8; gives (H, W, 3) float32 in 0–255.

    Means of eight sectors of an ellipse along the local direction, each weighed down by its own
    variance, so that no mean reaches over an edge (Kyprianidis, Kang & Döllner 2009). The ellipse
    is sampled at fixed points of the unit disc, whose sector weights are constants: the cost a
    pixel does not grow with the radius.

    radius: of the disc in pixels, at least 1.
    sharpness: exponent on the spread; 0 averages all sectors alike, 8 and more keeps edges hard.
    anisotropy: how far the ellipse is drawn out, 0 is a circle.
    """
    taps = _sector_taps(radius)
    # an ellipse reaches 1 + anisotropy radii, and a pixel further for rounding
    margin = int(np.ceil(radius * (1 + anisotropy))) + 2
    padded = _with_squares(image, margin, spacing=radius / _rings(radius))
    out = np.empty(image.shape, np.float32)

    def work(start: int, stop: int) -> None:
        kuwahara_rows(
            padded,
            directions.tangent,
            directions.anisotropy,
            taps,
            margin,
            radius,
            anisotropy,
            sharpness,
            out,
            start,
            stop,
        )

    run_bands(work, image.shape[0], band=_BAND, threads=threads)
    return out


def _rings(radius: float) -> int:
    return int(np.clip(round(radius), 2, 5))


def _sector_taps(radius: float) -> Plane:
    """(8, T, 3) float32: x and y on the unit disc and weight, weights of a sector summing to 1.

    A polar grid, alike in every sector. Sectors overlap their neighbours by half under cos², so
    each point's weights over all sectors have one sum.
    """
    rings = _rings(radius)
    offsets = (np.arange(4) - 1.5) * np.pi / 8
    taps = np.zeros((_SECTORS, 4 * rings + 1, 3))
    for sector in range(_SECTORS):
        taps[sector, 0, 2] = 0.5 / (8 * rings * rings)
        for ring in range(rings):
            distance = (ring + 0.75) / (rings + 0.25)
            rows = slice(1 + 4 * ring, 5 + 4 * ring)
            angles = sector * np.pi / 4 + offsets
            taps[sector, rows, 0] = distance * np.cos(angles)
            taps[sector, rows, 1] = distance * np.sin(angles)
            # points of outer rings stand for more area, and count less the further out
            taps[sector, rows, 2] = np.cos(2 * offsets) ** 2 * distance * np.exp(-1.5 * distance**2)
    taps[..., 2] /= taps[..., 2].sum(axis=1, keepdims=True)
    return taps.astype(np.float32)


def _with_squares(image: NDArray[np.uint8], margin: int, spacing: float) -> Plane:
    """(H + 2 margin, W + 2 margin, 4) float32: the mirrored image and its squared length.

    Where points lie far apart the image is smoothed first, or fine grain would show as noise.
    """
    values = image.astype(np.float32)
    if spacing > 1.5:
        values = cv2.GaussianBlur(values, (0, 0), 0.4 * spacing)
    padded = np.pad(values, ((margin, margin), (margin, margin), (0, 0)), mode="symmetric")
    squares = np.einsum("ijk,ijk->ij", padded, padded)[..., None]
    return np.concatenate([padded, squares], axis=2)


@njit(cache=True, nogil=True, error_model="numpy")
def kuwahara_rows(
    padded: np.ndarray,
    tangent: np.ndarray,
    coherence: np.ndarray,
    taps: np.ndarray,
    margin: int,
    radius: float,
    anisotropy: float,
    sharpness: float,
    out: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Write rows ``[start, stop)`` of ``out``."""
    sectors, count, _ = taps.shape
    width = out.shape[1]
    half = np.float32(0.5 * sharpness)
    for y in range(start, stop):
        for x in range(width):
            stretch = np.float32(1) + np.float32(anisotropy) * coherence[y, x]
            along, across = np.float32(radius) * stretch, np.float32(radius) / stretch
            ax, ay = tangent[y, x, 0] * along, tangent[y, x, 1] * along
            bx, by = -tangent[y, x, 1] * across, tangent[y, x, 0] * across
            cx, cy = np.float32(x + margin + 0.5), np.float32(y + margin + 0.5)
            total = np.float32(0)
            r, g, b = np.float32(0), np.float32(0), np.float32(0)
            for sector in range(sectors):
                sr, sg, sb = np.float32(0), np.float32(0), np.float32(0)
                square = np.float32(0)
                for tap in range(count):
                    u, v = taps[sector, tap, 0], taps[sector, tap, 1]
                    weight = taps[sector, tap, 2]
                    px, py = int(cx + u * ax + v * bx), int(cy + u * ay + v * by)
                    sr += weight * padded[py, px, 0]
                    sg += weight * padded[py, px, 1]
                    sb += weight * padded[py, px, 2]
                    square += weight * padded[py, px, 3]
                spread = max(square - sr * sr - sg * sg - sb * sb, np.float32(0))
                # 255 is the paper's unit: a spread of about 16 grey steps halves the weight
                share = np.float32(1) / (np.float32(1) + (spread / np.float32(255)) ** half)
                total += share
                r += share * sr
                g += share * sg
                b += share * sb
            out[y, x, 0], out[y, x, 1], out[y, x, 2] = r / total, g / total, b / total
