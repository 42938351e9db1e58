from __future__ import annotations

import os
import platform
from pathlib import Path

import numpy as np
import pytest

from kadr.core.heap import limit_arenas, release_free_heap

MIB = 1 << 20


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc holds memory back")
def test_what_is_free_between_blocks_in_use_goes_back_to_the_system() -> None:
    before = resident()
    blocks = [np.ones(64 << 10, np.uint8) for _ in range(1600)]
    last = blocks[-1].copy()  # above them, so that the heap cannot shrink from its end
    blocks.clear()
    held_back = resident() - before
    release_free_heap()
    assert held_back > 60 * MIB
    assert resident() - before < 20 * MIB
    assert last.all()


def test_both_may_be_called_at_any_time_and_again() -> None:
    for _ in range(2):
        limit_arenas()
        release_free_heap()
