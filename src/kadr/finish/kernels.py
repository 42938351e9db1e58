"""Kernels that finish rows of a frame at full size. NumPy and Numba only.

``channels`` is a tuple of the numbers 0 to C - 1: its length is known when a kernel is compiled, so
that loops over colours are unrolled.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

_CENTER, _BESIDE = np.float32(0.6672), np.float32(0.1664)
"""A Gaussian of sigma 0.6 pixels on three pixels."""
_LUMA = (np.float32(0.299), np.float32(0.587), np.float32(0.114))


_NEAR = np.float32(2)
"""Work pixels by which the motion of two neighbours may differ, so that they count as one."""


@njit(nogil=True, cache=True, error_model="numpy")
def agree_rows(motion: np.ndarray, agreed: np.ndarray, start: int, stop: int) -> None:
    """The mean motion of the neighbours that a work pixel moves with, for rows of (h, w, 2).

    A match is a whole number of pixels, their mean is not. A pixel that moves with none of its
    eight neighbours moves with the most of them that move as one, if these are three or more.
    """
    height, width, _ = motion.shape
    for y in range(start, stop):
        for x in range(width):
            sum_x, sum_y, count = np.float32(0), np.float32(0), 0
            for v in range(max(y - 1, 0), min(y + 2, height)):
                for u in range(max(x - 1, 0), min(x + 2, width)):
                    if _is_near(motion, y, x, v, u):
                        sum_x += motion[v, u, 0]
                        sum_y += motion[v, u, 1]
                        count += 1
            agreed[y, x, 0] = sum_x / count
            agreed[y, x, 1] = sum_y / count
            if count > 1:
                continue
            most = 2
            for v in range(max(y - 1, 0), min(y + 2, height)):
                for u in range(max(x - 1, 0), min(x + 2, width)):
                    together = 0
                    for b in range(max(y - 1, 0), min(y + 2, height)):
                        for a in range(max(x - 1, 0), min(x + 2, width)):
                            together += _is_near(motion, v, u, b, a)
                    if together > most:
                        most = together
                        agreed[y, x, 0] = motion[v, u, 0]
                        agreed[y, x, 1] = motion[v, u, 1]


@njit(inline="always")
def _is_near(motion: np.ndarray, y: int, x: int, v: int, u: int) -> bool:
    dx = motion[v, u, 0] - motion[y, x, 0]
    dy = motion[v, u, 1] - motion[y, x, 1]
    return dx * dx + dy * dy <= _NEAR * _NEAR


@intrinsic
def _voted_pixel(
    typingctx: Any, pixels: Any, a: Any, b: Any, c: Any, d: Any, beside: Any, below: Any
) -> Any:
    """The mean of four pixels, (a, b) above (c, d), float32 in four lanes as a tuple.

    pixels: flat uint8, four bytes a pixel; a, b, c, d: places in it.
    """
    lanes = types.UniTuple(types.float32, 4)
    place, weight = types.intp, types.float32
    signature = lanes(pixels, place, place, place, place, weight, weight)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        start = context.make_array(signature.args[0])(context, builder, args[0]).data
        eight, whole = (ir.VectorType(ir.IntType(bits), 4) for bits in (8, 32))
        vector = ir.VectorType(ir.FloatType(), 4)

        def load(place: Any) -> Any:
            address = builder.bitcast(builder.gep(start, [place]), eight.as_pointer())
            return builder.sitofp(builder.zext(builder.load(address, align=1), whole), vector)

        def spread(number: Any) -> Any:
            filled = ir.Constant(vector, ir.Undefined)
            for lane in range(4):
                filled = builder.insert_element(filled, number, ir.Constant(ir.IntType(32), lane))
            return filled

        def between(first: Any, second: Any, share: Any) -> Any:
            difference = builder.fsub(second, first)
            return builder.fadd(first, builder.fmul(spread(share), difference))

        a, b, c, d = (load(place) for place in args[1:5])
        upper, lower = between(a, b, args[5]), between(c, d, args[5])
        mean = between(upper, lower, args[6])
        numbers = [
            builder.extract_element(mean, ir.Constant(ir.IntType(32), lane)) for lane in range(4)
        ]
        return context.make_tuple(builder, signature.return_type, numbers)

    return signature, codegen


@njit(nogil=True, cache=True, error_model="numpy")
def vote_rows(
    pixels: np.ndarray,
    offsets: np.ndarray,
    share: np.ndarray,
    last_share: float,
    channels: tuple[int, ...],
    rows: np.ndarray,
    start: int,
) -> None:
    """Mix voted pixels into rows ``start`` and following of a frame by ``1 - share``.

    pixels: (H + 5, W + 5, 4) uint8 of the key, of a ``CubicSampler``. offsets: (h, w, 2) int32,
    from a pixel of the frame to that of the key, in pixels of the full size, at each work pixel.
    share: (rows, W) float32; pixels above ``last_share`` are left as they are. rows:
    (rows, W, C) uint8. A voted pixel is the mean of the key where the patches of the four work
    pixels around it put it, weighted by a tent: no edge of a patch shows. Each patch moves as a
    whole.
    """
    height, width = pixels.shape[0] - 5, pixels.shape[1] - 5
    flat = pixels.reshape(-1)
    small_height, small_width, _ = offsets.shape
    beside, first_of = _columns(width, small_width)
    half = np.float32(0.5)
    for j in range(len(rows)):
        y = start + j
        small_y = min(max((y + 0.5) * small_height / height - 0.5, 0.0), small_height - 1.0)
        top = int(small_y)
        bottom = min(top + 1, small_height - 1)
        below = np.float32(small_y - top)
        for left in range(small_width):
            # the pixels between the same four work pixels move by the same four offsets
            first, last = first_of[left], first_of[left + 1]
            while first < last and share[j, first] > last_share:
                first += 1
            right = min(left + 1, small_width - 1)
            upper_left, upper_right = offsets[top, left], offsets[top, right]
            lower_left, lower_right = offsets[bottom, left], offsets[bottom, right]
            for x in range(first, last):
                if share[j, x] > last_share:
                    continue
                voted = _voted_pixel(
                    flat,
                    _moved(upper_left, y, x, height, width),
                    _moved(upper_right, y, x, height, width),
                    _moved(lower_left, y, x, height, width),
                    _moved(lower_right, y, x, height, width),
                    beside[x],
                    below,
                )
                for c in range(len(channels)):
                    sampled = np.float32(rows[j, x, c])
                    rows[j, x, c] = np.uint8(voted[c] + share[j, x] * (sampled - voted[c]) + half)


@njit(inline="always")
def _columns(width: int, small_width: int) -> tuple[np.ndarray, np.ndarray]:
    """The share of the next work pixel of each column, and the first column of each work pixel."""
    beside, first_of = np.empty(width, np.float32), np.full(small_width + 1, width)
    scale = small_width / width
    for x in range(width - 1, -1, -1):
        small_x = min(max((x + 0.5) * scale - 0.5, 0.0), small_width - 1.0)
        left = int(small_x)
        beside[x] = np.float32(small_x - left)
        first_of[left] = x
    for left in range(small_width - 1, -1, -1):
        first_of[left] = min(first_of[left], first_of[left + 1])
    return beside, first_of


@njit(inline="always")
def _moved(offset: np.ndarray, y: int, x: int, height: int, width: int) -> int:
    """Where in the flat pixels an offset (x, y) leads to, inside the frame."""
    row = min(max(y + offset[1], 0), height - 1) + 2
    column = min(max(x + offset[0], 0), width - 1) + 2
    return (row * (width + 5) + column) * 4


@njit(nogil=True, cache=True, error_model="numpy")
def detail_rows(
    image: np.ndarray, channels: tuple[int, ...], detail: np.ndarray, square: np.ndarray
) -> None:
    """The finest detail of rows of an image, and the square of its luma.

    image: (H, W · C) uint8. detail: (H, W · C) float32, what a Gaussian of sigma 0.6 removes.
    square: (H, W) float32. Rows and columns beyond the edges repeat the outermost ones.
    """
    height, count = image.shape
    step = len(channels)
    blurred = np.empty(count + 2 * step, np.float32)
    for y in range(height):
        above, row, below = image[max(y - 1, 0)], image[y], image[min(y + 1, height - 1)]
        for k in range(count):
            outer = np.float32(above[k]) + np.float32(below[k])
            blurred[k + step] = _CENTER * np.float32(row[k]) + _BESIDE * outer
        for c in range(step):
            blurred[c] = blurred[step + c]
            blurred[count + step + c] = blurred[count + c]
        for k in range(count):
            outer = blurred[k] + blurred[k + 2 * step]
            detail[y, k] = np.float32(row[k]) - _CENTER * blurred[k + step] - _BESIDE * outer
        for x in range(square.shape[1]):
            luma = np.float32(0)
            for c in range(3):
                luma += _LUMA[c] * detail[y, x * step + c]
            square[y, x] = luma * luma


@njit(nogil=True, cache=True, error_model="numpy")
def sharpen_rows(
    image: np.ndarray,
    detail: np.ndarray,
    contrast: np.ndarray,
    target: np.ndarray,
    strength: np.ndarray,
    floor: float,
    max_gain: float,
    channels: tuple[int, ...],
    output: np.ndarray,
) -> None:
    """Amplify ``detail`` from ``contrast`` to ``target``, by ``strength``; alpha stays.

    image, output: (H, W · C) uint8. detail: (H, W · C) float32. The others: (H, W) float32.
    """
    step = len(channels)
    height, width = contrast.shape
    one, most = np.float32(1), np.float32(max_gain)
    gain = np.zeros(width * step, np.float32)
    for y in range(height):
        for x in range(width):
            ratio = (target[y, x] + np.float32(floor)) / (contrast[y, x] + np.float32(floor))
            excess = (min(np.sqrt(max(ratio, one)), most) - one) * strength[y, x]
            for c in range(3):
                gain[x * step + c] = excess
        for k in range(width * step):
            value = np.float32(image[y, k]) + gain[k] * detail[y, k]
            output[y, k] = np.uint8(
                min(max(value, np.float32(0)), np.float32(255)) + np.float32(0.5)
            )
