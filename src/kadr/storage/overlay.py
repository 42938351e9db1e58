"""A store that reads from files and writes to memory: for previews and dry runs."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from numpy.typing import NDArray

from kadr.storage.store import Arrays, FolderStore, MemoryStore


class OverlayStore(FolderStore):
    """Reads what a FolderStore holds; new entries stay in memory."""

    def __init__(self, files: FolderStore) -> None:
        super().__init__(files.folder)
        self._memory = MemoryStore()

    def put(self, fingerprint: str, arrays: Arrays) -> None:
        """Keep it until the end of the process."""
        self._memory.put(fingerprint, arrays)

    def get(
        self, fingerprint: str, only: Collection[str] | None = None
    ) -> dict[str, NDArray[Any]] | None:
        """The entry in memory, else the one in a file."""
        arrays = self._memory.get(fingerprint, only)
        return super().get(fingerprint, only) if arrays is None else arrays

    def has(self, fingerprint: str) -> bool:
        """Whether it is in memory or in a file."""
        return self._memory.has(fingerprint) or super().has(fingerprint)

    def intact(self, fingerprint: str) -> bool:
        """Whether it is in memory or in a file that is whole."""
        return self._memory.has(fingerprint) or super().intact(fingerprint)

    def discard(self, fingerprint: str) -> None:
        """Remove the entry from memory; files stay."""
        self._memory.discard(fingerprint)
