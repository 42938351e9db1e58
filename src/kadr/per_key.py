"""Each key's own frames in, one folder of images a key out, for those who mix in an editor."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Frame
from kadr.errors import OutputError
from kadr.files import write_image
from kadr.video.base import Clip


class PerKeyWriter:
    """Writes ``FOLDER/key_00012/frame_00013.png`` …; with no folder it does nothing.

    Frames come in any order. They are gathered in a hidden folder beside and appear together at
    the end; on an exception nothing appears.
    """

    def __init__(self, folder: Path | None, clip: Clip, overwrite: bool) -> None:
        self._folder, self._clip, self._overwrite = folder, clip, overwrite
        self._temporary: Path | None = None

    def __enter__(self) -> Self:
        if self._folder is not None:
            if self._folder.exists() and not self._folder.is_dir():
                raise OutputError(f"{self._folder}: is a file; choose another folder for --per-key")
            if self._folder.is_dir() and any(self._folder.iterdir()) and not self._overwrite:
                raise OutputError(
                    f"{self._folder}: is not empty; use --overwrite or another folder"
                )
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._temporary = Path(tempfile.mkdtemp(prefix=".kadr-", dir=self._folder))
            except OSError as error:
                raise OutputError(
                    f"{self._folder}: cannot be made ({error.strerror})"
                ) from error
        return self

    def write(self, key: int, frame: Frame, image: NDArray[np.uint8]) -> None:
        """Take one frame of one key's pass."""
        if self._temporary is not None:
            folder = f"key_{self._clip.number(key):05d}"
            write_image(self._temporary / folder / f"{self._clip.name(frame.index)}.png", image)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._temporary is None or self._folder is None:
            return
        try:
            if kind is None:
                for image in sorted(self._temporary.rglob("*.png")):
                    target = self._folder / image.relative_to(self._temporary)
                    target.parent.mkdir(exist_ok=True)
                    image.replace(target)
        finally:
            shutil.rmtree(self._temporary, ignore_errors=True)
