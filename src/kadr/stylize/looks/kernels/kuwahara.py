"""The kernel of the anisotropic Kuwahara filter."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def kuwahara_rows(
    padded: np.ndarray,
    tangent: np.ndarray,
    coherence: np.ndarray,
    points: np.ndarray,
    weights: np.ndarray,
    angular: tuple[float, float],
    margin: int,
    radius: float,
    anisotropy: float,
    sharpness: float,
    out: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Write rows ``[start, stop)`` of ``out``.

    points: (S, R, 2) float32, x and y on the unit disc of S rays in half a turn, of R rings each;
    the other half are their negatives. weights: (R + 1,) float32 of the rings, then of the centre.
    angular: weights of the two inner and of the two outer rays of a sector.
    """
    half_turn, rings, _ = points.shape
    rays = 2 * half_turn
    inner, outer = np.float32(angular[0]), np.float32(angular[1])
    half = np.float32(0.5 * sharpness)
    sums = np.empty((rays, 4), np.float32)
    for y in range(start, stop):
        for x in range(out.shape[1]):
            stretch = np.float32(1) + np.float32(anisotropy) * coherence[y, x]
            along, across = np.float32(radius) * stretch, np.float32(radius) / stretch
            ax, ay = tangent[y, x, 0] * along, tangent[y, x, 1] * along
            bx, by = -tangent[y, x, 1] * across, tangent[y, x, 0] * across
            cx, cy = np.float32(x + margin + 0.5), np.float32(y + margin + 0.5)
            # each point counts in two sectors: its ray is summed once
            for ray in range(half_turn):
                r0, g0, b0, s0 = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
                r1, g1, b1, s1 = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
                for ring in range(rings):
                    u, v, w = points[ray, ring, 0], points[ray, ring, 1], weights[ring]
                    dx, dy = u * ax + v * bx, u * ay + v * by
                    px, py = int(cx + dx), int(cy + dy)
                    r0 += w * padded[py, px, 0]
                    g0 += w * padded[py, px, 1]
                    b0 += w * padded[py, px, 2]
                    s0 += w * padded[py, px, 3]
                    px, py = int(cx - dx), int(cy - dy)
                    r1 += w * padded[py, px, 0]
                    g1 += w * padded[py, px, 1]
                    b1 += w * padded[py, px, 2]
                    s1 += w * padded[py, px, 3]
                other = ray + half_turn
                sums[ray, 0], sums[ray, 1], sums[ray, 2], sums[ray, 3] = r0, g0, b0, s0
                sums[other, 0], sums[other, 1], sums[other, 2], sums[other, 3] = r1, g1, b1, s1
            centre = weights[rings]
            row, column = y + margin, x + margin
            cr, cg = centre * padded[row, column, 0], centre * padded[row, column, 1]
            cb, cs = centre * padded[row, column, 2], centre * padded[row, column, 3]
            total = np.float32(0)
            r, g, b = np.float32(0), np.float32(0), np.float32(0)
            for k in range(0, rays, 2):
                i, j, n = (k - 2) % rays, (k - 1) % rays, k + 1
                sr = cr + inner * (sums[j, 0] + sums[k, 0]) + outer * (sums[i, 0] + sums[n, 0])
                sg = cg + inner * (sums[j, 1] + sums[k, 1]) + outer * (sums[i, 1] + sums[n, 1])
                sb = cb + inner * (sums[j, 2] + sums[k, 2]) + outer * (sums[i, 2] + sums[n, 2])
                square = cs + inner * (sums[j, 3] + sums[k, 3]) + outer * (sums[i, 3] + sums[n, 3])
                spread = max(square - sr * sr - sg * sg - sb * sb, np.float32(0))
                # 255 is the paper's unit: a spread of about 16 grey steps halves the weight
                share = np.float32(1) / (np.float32(1) + (spread / np.float32(255)) ** half)
                total += share
                r += share * sr
                g += share * sg
                b += share * sb
            out[y, x, 0], out[y, x, 1], out[y, x, 2] = r / total, g / total, b / total
