"""A writer that writes nothing, for runs whose finished frames are all that is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from kadr.core.frames import Frame


class NoOutput:
    """A ClipWriter whose frames are in a folder already."""

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self.notices: Sequence[str] = ()

    def write(self, frame: Frame) -> None:
        """The frame is in the folder."""

    def finish(self) -> Path:
        """The folder."""
        return self.path

    def abort(self) -> None:
        """Nothing was written."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None
