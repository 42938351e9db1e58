"""Sum of squared differences of two packed patches, in explicit SIMD.

Packed images are flat int16 arrays, channels interleaved and pre-multiplied by the square roots
of their weights, so the cost of a match is one sum of squares over ``patch_size`` contiguous runs.
The compiler turns a plain loop into multiply-adds for some channel counts only, so the runs are
written as LLVM vectors here. All rows are summed in the lanes of one vector, which is reduced to a
number only where the search can end early. Of all forms that were tested, this one compiles to
only loads, subtractions and multiply-adds (``vpmaddwd``, ``vpdpwssd``).

Channel count and patch size must be known at compile time. They are passed as tuples of that
length (``(None,) * 12``), so they are part of the signature: one module-level kernel is compiled
once for each pair and stored in Numba's disk cache, which does not work for kernels made by a
factory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

_I16 = ir.IntType(16)
_I32 = ir.IntType(32)
_I64 = ir.IntType(64)


def vector_chunks(length: int) -> tuple[int, list[tuple[int, int]]]:
    """Cover ``length`` values by vectors of one width; returns the width and each (first, skipped).

    The last vector overlaps the one before it; the overlapping lanes are skipped.
    """
    width = next(width for width in (32, 16, 8, 4, 2, 1) if width <= length)
    chunks = [(first, 0) for first in range(0, length - width + 1, width)]
    rest = length % width
    if rest:
        chunks.append((length - width, width - rest))
    return width, chunks


def _load(builder: Any, pointer: Any, first: int, width: int) -> Any:
    vector_type = ir.VectorType(_I16, width)
    address = builder.gep(pointer, [ir.Constant(_I64, first)])
    return builder.load(builder.bitcast(address, vector_type.as_pointer()), align=2)


def _modulated(builder: Any, difference: Any, factor: Any, width: int) -> Any:
    """difference + difference · factor, the factor in Q15 from −1 to 0: exact at both ends."""
    wide_type = ir.VectorType(_I32, width)
    twice = builder.add(difference, difference)
    product = builder.mul(builder.sext(twice, wide_type), builder.sext(factor, wide_type))
    high = builder.ashr(product, ir.Constant(wide_type, [16] * width))
    return builder.add(difference, builder.trunc(high, difference.type))


def _squares(builder: Any, difference: Any, width: int) -> Any:
    widened = builder.sext(difference, ir.VectorType(_I32, width))
    return builder.mul(widened, widened)


def _sum_lanes(builder: Any, vector: Any) -> Any:
    vector_type = vector.type
    name = f"llvm.vector.reduce.add.v{vector_type.count}i32"
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(_I32, [vector_type]), name
    )
    return builder.call(function, [vector])


def _make_rows_ssd(rows_of: Callable[[int], range]) -> Callable[..., Any]:
    """An intrinsic that sums the squared differences of some of a patch's rows."""

    def rows_ssd(
        typingctx: Any,
        a: Any,
        a_offset: Any,
        a_stride: Any,
        b: Any,
        b_offset: Any,
        b_stride: Any,
        factors: Any,
        channels: Any,
        patch: Any,
    ) -> Any:
        """Factors: None, or laid out as ``a``. Twice the difference must fit int16."""
        width, chunks = vector_chunks(channels.count * patch.count)
        modulate = not isinstance(factors, types.NoneType)

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            def row_of(index: int, row: int) -> Any:
                array = context.make_array(signature.args[index])(context, builder, args[index])
                base = 0 if index == 6 else index
                step = builder.mul(args[base + 2], ir.Constant(_I64, row))
                return builder.gep(array.data, [builder.add(args[base + 1], step)])

            total = ir.Constant(ir.VectorType(_I32, width), [0] * width)
            for row in rows_of(patch.count):
                left, right = row_of(0, row), row_of(3, row)
                for first, skipped in chunks:
                    difference = builder.sub(
                        _load(builder, left, first, width), _load(builder, right, first, width)
                    )
                    if modulate:
                        factor = _load(builder, row_of(6, row), first, width)
                        difference = _modulated(builder, difference, factor, width)
                    if skipped:
                        lanes = [0] * skipped + [-1] * (width - skipped)
                        difference = builder.and_(difference, ir.Constant(difference.type, lanes))
                    total = builder.add(total, _squares(builder, difference, width))
            return _sum_lanes(builder, total)

        signature = types.int32(
            a, types.intp, types.intp, b, types.intp, types.intp, factors, channels, patch
        )
        return signature, codegen

    compiled: Callable[..., Any] = intrinsic(rows_ssd)
    return compiled


_HEAD_ROWS = 2
"""Rows after which a comparison may end early: one row decides too rarely, all cost too much."""

_head_ssd = _make_rows_ssd(lambda count: range(min(_HEAD_ROWS, count)))
_tail_ssd = _make_rows_ssd(lambda count: range(min(_HEAD_ROWS, count), count))


@njit(inline="always")
def patch_ssd(
    target: np.ndarray,
    target_offset: int,
    target_stride: int,
    source: np.ndarray,
    source_offset: int,
    source_stride: int,
    modulation: np.ndarray | None,
    limit: int,
    channels: tuple[None, ...],
    patch: tuple[None, ...],
) -> int:
    """SSD of the patches whose top-left values lie at the offsets, or any value >= ``limit``.

    ``modulation`` has the layout of the target, or is None.
    """
    total = _head_ssd(
        target, target_offset, target_stride, source, source_offset, source_stride,
        modulation, channels, patch,
    )  # fmt: skip
    if total < limit:
        total += _tail_ssd(
            target, target_offset, target_stride, source, source_offset, source_stride,
            modulation, channels, patch,
        )  # fmt: skip
    return total
