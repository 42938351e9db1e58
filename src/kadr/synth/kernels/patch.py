"""The squared difference of two packed patches, in explicit SIMD.

Packed images are flat int16 arrays, channels interleaved and pre-multiplied by the square roots
of their weights, so the cost of a match is one sum of squares over ``patch_size`` contiguous runs.
Left to itself the compiler turns that loop into multiply-adds only for some channel counts; the
runs are therefore written as LLVM vectors here, which every back end maps to its own instructions
(``vpmaddwd`` on x86, ``smlal`` on Arm).

Channel count and patch size must be known at compile time. They travel as tuples of that length
(``(None,) * 12``): a part of the signature, so one module-level kernel serves every pair, is
compiled once for each and kept by Numba's disk cache, which kernels made by factories never are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

_I16 = ir.IntType(16)
_I32 = ir.IntType(32)


def _row_pointer(context: Any, builder: Any, array_type: Any, array: Any, offset: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [offset])


def _load(builder: Any, pointer: Any, first: int, width: int) -> Any:
    kind = ir.VectorType(_I16, width)
    address = builder.gep(pointer, [ir.Constant(ir.IntType(64), first)])
    address = builder.bitcast(address, kind.as_pointer())
    return builder.load(address, align=2)


def _squares(builder: Any, difference: Any, width: int) -> Any:
    wide = builder.sext(difference, ir.VectorType(_I32, width))
    return builder.mul(wide, wide)


def _reduce(builder: Any, vector: Any, width: int) -> Any:
    kind = ir.VectorType(_I32, width)
    function = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(_I32, [kind]),
        f"llvm.vector.reduce.add.v{width}i32",
    )
    return builder.call(function, [vector])


def _chunks(length: int) -> list[tuple[int, int]]:
    """(first, width) of the vectors that cover ``length`` values: 16s, then 8, 4, 2, 1."""
    chunks, first = [], 0
    for width in (16, 8, 4, 2, 1):
        while length - first >= width:
            chunks.append((first, width))
            first += width
    return chunks


def _sum_chunks(builder: Any, squares: list[tuple[Any, int]]) -> Any:
    """Sum of all lanes: equal widths are added as vectors first, then each width is reduced."""
    total = ir.Constant(_I32, 0)
    by_width: dict[int, Any] = {}
    for vector, width in squares:
        by_width[width] = builder.add(by_width[width], vector) if width in by_width else vector
    for width, vector in by_width.items():
        if width == 1:
            total = builder.add(total, builder.extract_element(vector, ir.Constant(_I32, 0)))
        else:
            total = builder.add(total, _reduce(builder, vector, width))
    return total


@intrinsic
def row_ssd(
    typingctx: Any, a: Any, a_offset: Any, b: Any, b_offset: Any, channels: Any, patch: Any
) -> Any:
    """Sum of squared differences of one patch row; the differences must fit int16."""
    count = channels.count * patch.count

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        left = _row_pointer(context, builder, signature.args[0], args[0], args[1])
        right = _row_pointer(context, builder, signature.args[2], args[2], args[3])
        squares = []
        for first, width in _chunks(count):
            difference = builder.sub(
                _load(builder, left, first, width), _load(builder, right, first, width)
            )
            squares.append((_squares(builder, difference, width), width))
        return _sum_chunks(builder, squares)

    return types.int32(a, types.intp, b, types.intp, channels, patch), codegen


@intrinsic
def row_ssd_modulated(
    typingctx: Any,
    a: Any,
    a_offset: Any,
    b: Any,
    b_offset: Any,
    m: Any,
    channels: Any,
    patch: Any,
) -> Any:
    """As row_ssd, each difference first times ``m / 32768`` (m at a's offset, int16, >= 0)."""
    count = channels.count * patch.count

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        left = _row_pointer(context, builder, signature.args[0], args[0], args[1])
        right = _row_pointer(context, builder, signature.args[2], args[2], args[3])
        factor = _row_pointer(context, builder, signature.args[4], args[4], args[1])
        squares = []
        for first, width in _chunks(count):
            difference = builder.sub(
                _load(builder, left, first, width), _load(builder, right, first, width)
            )
            wide = ir.VectorType(_I32, width)
            product = builder.mul(
                builder.sext(difference, wide),
                builder.sext(_load(builder, factor, first, width), wide),
            )
            shift = ir.Constant(wide, [15] * width)
            scaled = builder.trunc(builder.ashr(product, shift), difference.type)
            squares.append((_squares(builder, scaled, width), width))
        return _sum_chunks(builder, squares)

    return types.int32(a, types.intp, b, types.intp, m, channels, patch), codegen


@njit(inline="always")
def patch_ssd(
    target: np.ndarray,
    target_offset: int,
    target_stride: int,
    source: np.ndarray,
    source_offset: int,
    source_stride: int,
    modulation: np.ndarray,
    limit: int,
    channels: tuple[None, ...],
    patch: tuple[None, ...],
) -> int:
    """SSD of the patches whose top-left values lie at the offsets, or anything >= ``limit``.

    ``modulation`` has the target's layout, or is empty.
    """
    total = np.int32(0)
    for row in range(len(patch)):
        a = np.intp(target_offset + row * target_stride)
        b = np.intp(source_offset + row * source_stride)
        if modulation.size == 0:
            total += row_ssd(target, a, source, b, channels, patch)
        else:
            total += row_ssd_modulated(target, a, source, b, modulation, channels, patch)
        if total >= limit:
            break
    return total
