"""A store of files in, a store over it out that writes nothing: for trying things."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from numpy.typing import NDArray

from kadr.storage.store import Arrays, FolderStore, MemoryStore


class OverlayStore(FolderStore):
    """A store of files that is read; what is put stays in memory."""

    def __init__(self, below: FolderStore) -> None:
        super().__init__(below.folder)
        self._above = MemoryStore()

    def put(self, fingerprint: str, arrays: Arrays) -> None:
        """Keep it until the end of the process."""
        self._above.put(fingerprint, arrays)

    def get(
        self, fingerprint: str, only: Collection[str] | None = None
    ) -> dict[str, NDArray[Any]] | None:
        """What was put here, else what the files hold."""
        found = self._above.get(fingerprint, only)
        return super().get(fingerprint, only) if found is None else found

    def has(self, fingerprint: str) -> bool:
        """Whether it is in memory or in a file."""
        return self._above.has(fingerprint) or super().has(fingerprint)

    def intact(self, fingerprint: str) -> bool:
        """Whether it is in memory or in a file that is whole."""
        return self._above.has(fingerprint) or super().intact(fingerprint)

    def discard(self, fingerprint: str) -> None:
        """Forget what was put here; files stay."""
        self._above.discard(fingerprint)
