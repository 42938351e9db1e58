"""Describe colour spaces by ICC profiles: those of PNG's chunks are made here."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BROKEN = b""
"""Stands for a profile that is there but cannot be read."""

HDR = b"HDR"
"""Stands for colours of high dynamic range (PQ or HLG), which no picture profile describes."""

_SRGB_POINTS = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
"""x, y of white, red, green and blue, in the order of PNG's cHRM chunk."""
_P3_POINTS = (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
_BT2020_POINTS = (0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046)

# ITU-T H.273: primaries and transfer characteristics by code point
_UNSPECIFIED = 2
_PRIMARIES = {**dict.fromkeys((1, _UNSPECIFIED), _SRGB_POINTS), 9: _BT2020_POINTS, 12: _P3_POINTS}
_SRGB_CURVE = 0.0
"""Stands for sRGB's own curve where a gamma is expected."""
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0, **dict.fromkeys((1, _UNSPECIFIED, 6, 13, 14, 15), _SRGB_CURVE)}
_HDR_TRANSFERS = (16, 18)

_POINT_TOLERANCE = 0.003
_GAMMA_TOLERANCE = 0.01
_PNG_GAMMA = 1 / 2.2
"""The gamma that programs write for sRGB: the nearest power to its curve."""
_MOST_GAMMA = 10.0

_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def profile_of_code_points(primaries: int, transfer: int) -> bytes | None:
    """The profile of H.273 code points; None for sRGB, BROKEN for what is not known, or HDR."""
    if transfer in _HDR_TRANSFERS:
        return HDR
    points, gamma = _PRIMARIES.get(primaries), _GAMMAS.get(transfer)
    if points is None or gamma is None:
        return BROKEN
    if points == _SRGB_POINTS and gamma == _SRGB_CURVE:
        return None
    return _matrix_profile(points, gamma)


def profile_of_chromaticities(points: Sequence[float] | None, gamma: float | None) -> bytes | None:
    """The profile of a PNG's cHRM and gAMA values; None for sRGB, BROKEN for impossible values.

    points: x, y of white, red, green and blue. gamma: the exponent from light to samples.
    """
    if points is None or np.allclose(points, _SRGB_POINTS, rtol=0, atol=_POINT_TOLERANCE):
        points = _SRGB_POINTS
    if gamma is None or abs(gamma - _PNG_GAMMA) <= _GAMMA_TOLERANCE:
        exponent = _SRGB_CURVE
    elif not 1 / _MOST_GAMMA <= gamma <= _MOST_GAMMA:
        return BROKEN
    else:
        exponent = 1 / gamma
    if points is _SRGB_POINTS and exponent == _SRGB_CURVE:
        return None
    return _matrix_profile(points, exponent)


def _matrix_profile(points: Sequence[float], exponent: float) -> bytes:
    """An ICC profile (4.3) of three primaries and one curve; BROKEN if they span no colours."""
    try:
        columns = _to_d50(points)
    except (np.linalg.LinAlgError, ZeroDivisionError):
        return BROKEN
    if not np.isfinite(columns).all() or np.abs(columns).max() > 10:
        return BROKEN
    tags = {
        b"wtpt": _xyz(_D50),
        **{name: _xyz(columns[:, i]) for i, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))},
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _curve(exponent)),
    }
    table, data = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for name, body in tags.items():
        table += struct.pack(">4sII", name, start + len(data), len(body))
        data += body + bytes(-len(body) % 4)
    size = start + len(data)
    header = struct.pack(">I4sI4s4s4s", size, b"", 0x04300000, b"mntr", b"RGB ", b"XYZ ")
    header += bytes(12) + b"acsp"
    header = header.ljust(68, b"\0") + b"".join(_fixed(value) for value in _D50)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data


def _to_d50(points: Sequence[float]) -> NDArray[np.float64]:
    """The XYZ of red, green and blue as columns, adapted from the space's white to D50."""
    if min(points[1::2]) <= 0:
        raise ZeroDivisionError
    x, y = np.array(points[0::2]), np.array(points[1::2])
    white, *primaries = np.stack([x / y, np.ones(4), (1 - x - y) / y], axis=1)
    columns = np.stack(primaries, axis=1)
    columns = columns * np.linalg.solve(columns, white)
    scale = (_BRADFORD @ _D50) / (_BRADFORD @ white)
    adapted: NDArray[np.float64] = np.linalg.inv(_BRADFORD) @ np.diag(scale) @ _BRADFORD @ columns
    return adapted


def _curve(exponent: float) -> bytes:
    if exponent == _SRGB_CURVE:
        # a power with a straight start, parameters g, a, b, c, d
        values = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
        return b"para" + bytes(4) + struct.pack(">HH", 3, 0) + b"".join(map(_fixed, values))
    return b"para" + bytes(4) + struct.pack(">HH", 0, 0) + _fixed(exponent)


def _xyz(values: Sequence[float] | NDArray[np.float64]) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(_fixed(value) for value in values)


def _fixed(value: float) -> bytes:
    """A signed number with 16 bits behind the point."""
    return struct.pack(">i", round(float(value) * 65536))
