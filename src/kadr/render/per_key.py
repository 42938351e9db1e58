"""Write the frames of each key and their blend weights into folders, for mixing in an editor."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from kadr.errors import OutputError
from kadr.files import Sync, make_folder, publish, remove_empty, sync_folder
from kadr.image_files import write_image
from kadr.render.key_layers import KeyLayer
from kadr.video.base import Clip


class PerKeyWriter:
    """Writes ``FOLDER/key_00012/frame_00013.png`` …; with no folder it does nothing.

    The weights of that frame are ``FOLDER/weights_00012/frame_00013.png``, gray, 16 bits. Frames
    come in any order. They are collected in a hidden folder and appear together at the end; on an
    exception none appears. Every method raises OutputError, naming the folder, when it cannot be
    written.
    """

    def __init__(self, folder: Path | None, clip: Clip, overwrite: bool) -> None:
        self._folder, self._clip, self._overwrite = folder, clip, overwrite
        self._temporary: Path | None = None
        self._created_folders: list[Path] = []

    def __enter__(self) -> Self:
        if self._folder is not None:
            if self._folder.exists() and not self._folder.is_dir():
                raise OutputError(f"{self._folder}: is a file; choose another folder for --per-key")
            if self._folder.is_dir() and any(self._folder.iterdir()) and not self._overwrite:
                raise OutputError(
                    f"{self._folder}: is not empty; use --overwrite or another folder"
                )
            self._created_folders = make_folder(self._folder)
            try:
                self._temporary = Path(tempfile.mkdtemp(prefix=".kadr-", dir=self._folder))
            except OSError as error:
                remove_empty(self._created_folders)
                raise self._failed(error) from error
        return self

    def write_all(self, layers: Iterable[KeyLayer]) -> None:
        """Write all frames of all keys."""
        for layer in layers:
            self.write(layer)

    def write(self, layer: KeyLayer) -> None:
        """Write one frame of one key, and its weights."""
        if self._temporary is None:
            return
        number, name = self._clip.number(layer.key), self._clip.name(layer.index)
        self._write_image(self._temporary, f"key_{number:05d}/{name}.png", layer.image)
        self._write_image(self._temporary, f"weights_{number:05d}/{name}.png", layer.weights)

    def _write_image(
        self, folder: Path, name: str, image: NDArray[np.uint8] | NDArray[np.uint16]
    ) -> None:
        try:
            write_image(folder / name, image, sync=Sync.NOTHING)
        except OutputError as error:  # the user does not know the hidden name
            text = str(error).replace(str(folder), str(self._folder))
            raise OutputError(text) from error

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
                self._move_in(self._temporary, self._folder)
        except OSError as failure:
            raise self._failed(failure) from failure
        finally:
            shutil.rmtree(self._temporary, ignore_errors=True)
            remove_empty(self._created_folders)

    @staticmethod
    def _move_in(temporary: Path, folder: Path) -> None:
        filled = {folder: None}
        for image in sorted(temporary.rglob("*.png")):
            target = folder / image.relative_to(temporary)
            target.parent.mkdir(exist_ok=True)
            publish(image, target, Sync.CONTENT)
            filled[target.parent] = None
        for each in filled:
            sync_folder(each)

    def _failed(self, error: OSError) -> OutputError:
        return OutputError(f"{self._folder}: cannot be written ({error.strerror})")
