"""The kernel that samples an image between its pixels, bicubic, in explicit SIMD.

A pixel has four bytes, so four neighbours are one vector of sixteen: four rows of it are weighted
and summed, then its four pixels. OpenCV's ``remap`` takes nearly twice as long, and rounds
positions to 1/32 of a pixel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

_I8, _I32, _I64 = (ir.IntType(bits) for bits in (8, 32, 64))
_FLOAT = ir.FloatType()
_TAPS = 4


def _shuffle(builder: Any, vector: Any, lanes: list[int]) -> Any:
    mask = ir.Constant(ir.VectorType(_I32, len(lanes)), lanes)
    return builder.shuffle_vector(vector, vector, mask)


@intrinsic
def _weighted_pixel(
    typingctx: Any, pixels: Any, offset: Any, stride: Any, weights: Any, column: Any, row: Any
) -> Any:
    """The bytes of one pixel: the sum of 4×4 pixels at ``offset`` by weights, flat, at two places.

    pixels: flat uint8, four bytes a pixel, rows ``stride`` bytes apart. weights: flat float32.
    """
    signature = types.uint32(pixels, types.intp, types.intp, weights, types.intp, types.intp)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def data(index: int) -> Any:
            return context.make_array(signature.args[index])(context, builder, args[index]).data

        def load(pointer: Any, item: Any, count: int, size: int) -> Any:
            place = builder.bitcast(pointer, ir.VectorType(item, count).as_pointer())
            return builder.load(place, align=size)

        by_column = load(builder.gep(data(3), [args[4]]), _FLOAT, _TAPS, 4)
        by_row = load(builder.gep(data(3), [args[5]]), _FLOAT, _TAPS, 4)
        floats = ir.VectorType(_FLOAT, 16)
        total = ir.Constant(floats, [0.0] * 16)
        start = builder.gep(data(0), [args[1]])
        for tap in range(_TAPS):
            place = builder.gep(start, [builder.mul(args[2], ir.Constant(_I64, tap))])
            levels = builder.zext(load(place, _I8, 16, 1), ir.VectorType(_I32, 16))
            weight = _shuffle(builder, by_row, [tap] * 16)
            total = builder.fadd(total, builder.fmul(builder.sitofp(levels, floats), weight))
        each = [lane // _TAPS for lane in range(16)]
        total = builder.fmul(total, _shuffle(builder, by_column, each))
        for count in (8, 4):
            low = _shuffle(builder, total, list(range(count)))
            total = builder.fadd(low, _shuffle(builder, total, list(range(count, 2 * count))))
        four = ir.VectorType(_FLOAT, 4)
        for limit, is_beyond in ((0.0, "<"), (255.0, ">")):
            most = ir.Constant(four, [limit] * 4)
            total = builder.select(builder.fcmp_ordered(is_beyond, total, most), most, total)
        rounded = builder.fadd(total, ir.Constant(four, [0.5] * 4))
        whole = builder.fptosi(rounded, ir.VectorType(_I32, 4))
        return builder.bitcast(builder.trunc(whole, ir.VectorType(_I8, 4)), _I32)

    return signature, codegen


@njit(nogil=True, cache=True, error_model="numpy")
def sample_rows(
    pixels: np.ndarray,
    weights: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    share: np.ndarray,
    channels: tuple[int, ...],
    rows: np.ndarray,
) -> None:
    """Write the image at positions (x, y) into rows (N, W, C) uint8, where the share is not 0.

    pixels: (H + 5, W + 5, 4) uint8, the image with its edges repeated, two pixels before it and
    three after it. weights: (S + 1, 4) float32 of the taps, for fractions in steps of 1 / S.
    x, y, share: (N, W) float32. channels: the numbers 0 to C - 1; C is 4 at most.
    """
    height, width = pixels.shape[0] - 5, pixels.shape[1] - 5
    stride, steps = pixels.shape[1] * 4, np.float32(weights.shape[0] - 1)
    flat, taps = pixels.reshape(-1), weights.reshape(-1)
    one, half = np.float32(1), np.float32(0.5)
    for j in range(x.shape[0]):
        for i in range(x.shape[1]):
            if share[j, i] <= 0:
                continue
            # shifted by one, so that rounding towards 0 rounds down
            right = min(max(x[j, i] + one, np.float32(0)), np.float32(width + 1))
            below = min(max(y[j, i] + one, np.float32(0)), np.float32(height + 1))
            column, row = np.intp(right), np.intp(below)
            across = np.intp((right - np.float32(column)) * steps + half)
            down = np.intp((below - np.float32(row)) * steps + half)
            pixel = _weighted_pixel(
                flat, row * stride + column * 4, stride, taps, across * 4, down * 4
            )
            for c in range(len(channels)):
                rows[j, i, c] = np.uint8((pixel >> np.uint32(8 * c)) & np.uint32(255))
