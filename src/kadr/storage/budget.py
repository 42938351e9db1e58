"""Keep the store of a work folder below a limit in bytes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from kadr.storage.layout import STORED, WorkLayout, file_kind
from kadr.storage.ownership import holds_file, is_marked


class Budget:
    """The store of a work folder and the most bytes it may hold; None: no limit."""

    def __init__(self, layout: WorkLayout, limit: int | None) -> None:
        self._layout, self.limit = layout, limit

    def used(self) -> int:
        """Bytes of all files in the store."""
        return folder_bytes(self._layout.store)

    @property
    def free(self) -> int | None:
        """Bytes that may still be written; None without a limit."""
        return None if self.limit is None else max(0, self.limit - self.used())

    def trim(self, removable: Iterable[Path]) -> int:
        """Delete files of ``removable``, in order, until the limit holds; returns bytes freed.

        Only entries of the store are deleted, in a folder that kadr made, never through a link.
        """
        if self.limit is None or not is_marked(self._layout.folder):
            return 0
        over, freed = self.used() - self.limit, 0
        for path in removable:
            if freed >= over:
                break
            if not self._is_entry(path):
                continue
            try:
                size = path.stat().st_size
                path.unlink()
            except OSError:
                continue  # deleted meanwhile, or not deletable
            freed += size
        return freed

    def _is_entry(self, path: Path) -> bool:
        folder = self._layout.folder
        return holds_file(folder, path) and file_kind(path.relative_to(folder)) == STORED


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
