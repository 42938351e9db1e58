"""A writer that writes nothing, for runs whose finished frames are all that is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kadr.core.closing import Closing
from kadr.core.frames import Frame


class NoOutput(Closing):
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

    def close(self) -> None:
        """Nothing was opened."""
