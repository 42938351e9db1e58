"""Keep a folder of work files below a limit in bytes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path


class Budget:
    """A folder and the most bytes it may hold; None: no limit."""

    def __init__(self, folder: Path, limit: int | None) -> None:
        self._folder, self.limit = folder, limit

    def used(self) -> int:
        """Bytes of all files in the folder."""
        return folder_bytes(self._folder)

    @property
    def free(self) -> int | None:
        """Bytes that may still be written; None without a limit."""
        return None if self.limit is None else max(0, self.limit - self.used())

    def trim(self, removable: Iterable[Path]) -> int:
        """Delete files of ``removable``, in order, until the limit holds; returns bytes freed."""
        if self.limit is None:
            return 0
        over, freed = self.used() - self.limit, 0
        for path in removable:
            if freed >= over:
                break
            try:
                size = path.stat().st_size
                path.unlink()
            except OSError:
                continue  # deleted meanwhile, or not deletable
            freed += size
        return freed


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below a folder; 0 if there is none."""
    return sum(size for _, size in files_below(folder))


def files_below(folder: Path) -> Iterator[tuple[Path, int]]:
    """Every file below a folder with its size; links are not followed."""
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root, name)
            try:
                yield path, path.lstat().st_size
            except OSError:
                continue  # removed meanwhile
