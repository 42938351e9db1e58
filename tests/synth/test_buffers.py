"""Buffers: zeros of the asked shape, used again, never by two at a time."""

from __future__ import annotations

import numpy as np

from kadr.synth.buffers import Buffers


def test_a_buffer_is_used_again_and_cleared() -> None:
    buffers = Buffers()
    first = buffers.take((3, 4, 2))
    assert (first.dtype, first.any()) == (np.int16, False)
    first[:] = 7
    buffers.give(first)
    again = buffers.take((3, 4, 2))
    assert again is first
    assert not again.any()


def test_a_buffer_in_use_is_not_handed_out_nor_one_of_another_shape() -> None:
    buffers = Buffers()
    first = buffers.take((3, 4, 2))
    assert not np.shares_memory(first, buffers.take((3, 4, 2)))
    buffers.give(first)
    assert buffers.take((4, 3, 2)).shape == (4, 3, 2)


def test_few_are_kept() -> None:
    buffers = Buffers()
    arrays = [buffers.take((2, 2, index)) for index in range(1, 9)]
    for array in arrays:
        buffers.give(array)
    assert buffers.take((2, 2, 8)) is arrays[-1]
    assert buffers.take((2, 2, 1)) is not arrays[0]
