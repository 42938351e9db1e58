"""Frame indices in, runs of neighbours out, as pages and calls take them."""

from __future__ import annotations

from collections.abc import Iterable


def index_runs(indices: Iterable[int]) -> list[list[int]]:
    """``[first, last]`` of each run of consecutive indices, in order."""
    runs: list[list[int]] = []
    for index in sorted(indices):
        if runs and runs[-1][1] == index - 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return runs
