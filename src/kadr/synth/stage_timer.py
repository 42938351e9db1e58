"""Measure the wall-clock time of named stages, and count them as stages of the run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from kadr.core.stage_times import stage


class StageTimer:
    """Adds up wall-clock seconds by stage name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of the block to stage ``name``."""
        start = time.perf_counter()
        try:
            with stage(name):
                yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
