"""Frames in, a folder of numbered images out, all of it or nothing."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from kadr.core.frames import Frame
from kadr.errors import KadrError, OutputError
from kadr.files import make_folder, publish, remove_empty, write_image
from kadr.video.base import FinishingMixin


class ImageWriter(FinishingMixin):
    """A ClipWriter that names each file by ``name(index)``.

    Files are written to a hidden folder on the same disk. A new folder appears whole at ``finish``;
    in a folder that exists the files are moved in then and other files are left alone.
    expected: indices that will be written, as far as known; their names are checked at once.
    Raises OutputError when a file exists and ``overwrite`` is off, or when the disk is full.
    """

    def __init__(
        self,
        folder: Path,
        name: Callable[[int], str],
        *,
        expected: Iterable[int] = (),
        overwrite: bool = False,
    ) -> None:
        self._folder = folder
        self._name = name
        self._overwrite = overwrite
        self._existed = folder.is_dir()
        if self._existed and not overwrite:
            self._refuse_existing(name(index) for index in expected)
        self._made = make_folder(folder if self._existed else folder.parent)
        parent = folder if self._existed else folder.parent
        try:
            self._temporary = Path(tempfile.mkdtemp(prefix=".kadr-", dir=parent))
        except OSError as error:
            raise OutputError(f"{folder}: cannot be written ({error.strerror})") from error
        self._names: dict[str, None] = {}
        self._finished = False

    @property
    def path(self) -> Path:
        """The folder."""
        return self._folder

    def write(self, frame: Frame) -> None:
        """Write one image under the hidden folder."""
        if self._finished:
            raise ValueError(f"{self._folder}: already finished")
        with self._guarded():
            name = self._name(frame.index)
            write_image(self._temporary / name, frame.image, frame.texts)
            self._names[name] = None

    def finish(self) -> Path:
        """Give every file its final name."""
        if self._finished:
            return self._folder
        with self._guarded():
            if not self._names:
                raise OutputError(f"{self._folder}: no frame was written; nothing was made")
            if self._existed:
                self._move_in()
            else:
                publish(self._temporary, self._folder)
        self._finished = True
        return self._folder

    def _move_in(self) -> None:
        if not self._overwrite:
            self._refuse_existing(self._names)
        moved: list[Path] = []
        try:
            for name in self._names:
                target = self._folder / name
                if not target.exists():
                    moved.append(target)
                (self._temporary / name).replace(target)
        except BaseException:
            for target in moved:  # only files that were not there before
                target.unlink(missing_ok=True)
            raise
        self._temporary.rmdir()

    def _refuse_existing(self, names: Iterable[str]) -> None:
        for name in names:
            if (self._folder / name).exists():
                raise OutputError(
                    f"{self._folder / name}: exists already; use --overwrite or another folder"
                )

    def abort(self) -> None:
        """Remove the hidden folder."""
        if self._finished:
            return
        self._finished = True
        shutil.rmtree(self._temporary, ignore_errors=True)
        remove_empty(self._made)

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self.abort()
            if isinstance(error, OutputError):
                # the hidden name tells nobody anything
                text = str(error).replace(str(self._temporary), str(self._folder))
                raise OutputError(text) from error
            if isinstance(error, OSError) and not isinstance(error, KadrError):
                raise OutputError(
                    f"{self._folder}: cannot be written ({error.strerror})"
                ) from error
            raise
