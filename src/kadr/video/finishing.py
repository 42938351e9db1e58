"""Base classes of writers: a ``with`` block completes the output, or leaves nothing behind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from kadr.video.base import ClipWriter


class Finishing(ABC):
    """``with`` calls ``finish`` at the end of the block, and ``abort`` after any exception."""

    @abstractmethod
    def finish(self) -> Path:
        """Complete the output."""

    @abstractmethod
    def abort(self) -> None:
        """Leave nothing behind."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self.abort()
            return
        try:
            self.finish()
        except BaseException:
            self.abort()
            raise


class FilterWriter(Finishing):
    """A ClipWriter that changes frames on their way into another one, ``_writer``."""

    def __init__(self, writer: ClipWriter) -> None:
        self._writer = writer

    @property
    def path(self) -> Path:
        """Where the output appears."""
        return self._writer.path

    @property
    def notices(self) -> Sequence[str]:
        """Those of the writer."""
        return self._writer.notices

    def finish(self) -> Path:
        """Complete the output."""
        return self._writer.finish()

    def abort(self) -> None:
        """Leave nothing behind."""
        self._writer.abort()
