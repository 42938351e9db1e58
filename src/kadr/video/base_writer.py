"""What all clip writers share: order of calls, one frame size, and outputs that appear whole."""

from __future__ import annotations

import contextlib
import shutil
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from kadr.core.frames import Frame
from kadr.errors import InputError, KadrError, OutputError
from kadr.files import make_folder, publish, remove_empty, temporary_beside
from kadr.video.finishing import Finishing


class BaseWriter(Finishing):
    """A ClipWriter whose backend encodes in ``_add`` and completes its temporary file in ``_end``.

    path: where the output appears at ``finish``. folder: is made if it is missing.
    After any exception nothing is left behind. Errors of the system become OutputError.
    """

    _library_errors: ClassVar[tuple[type[Exception], ...]] = ()
    """Errors of the backend's library that mean that the output cannot be written."""

    def __init__(self, path: Path, folder: Path) -> None:
        self._path = path
        self._new_folders = make_folder(folder)
        self._temporary: list[Path] = []
        self._size: tuple[int, int] | None = None
        self._frame_count = 0
        self._finished = False
        self._notices: list[str] = []

    @property
    def notices(self) -> Sequence[str]:
        """What of the clip this output does not keep or had to assume, one line each."""
        return self._notices

    @property
    def path(self) -> Path:
        """Where the output appears."""
        return self._path

    def write(self, frame: Frame) -> None:
        """Add one frame."""
        if self._finished:
            raise ValueError(f"{self._path}: already finished")
        with self._guarded():
            self._add(frame)
            self._frame_count += 1

    def finish(self) -> Path:
        """Complete the output under its final name."""
        if not self._finished:
            with self._guarded():
                if self._frame_count == 0:
                    raise OutputError(f"{self._path}: no frame was written; nothing was made")
                self._end()
            self._finished = True
        return self.path

    def abort(self) -> None:
        """Remove what was written so far."""
        if self._finished:
            return
        self._finished = True
        self._close()
        for temporary in self._temporary:
            if temporary.is_dir():
                shutil.rmtree(temporary, ignore_errors=True)
            else:
                temporary.unlink(missing_ok=True)
        remove_empty(self._new_folders)

    @abstractmethod
    def _add(self, frame: Frame) -> None: ...

    @abstractmethod
    def _end(self) -> None:
        """Encode what is still missing and publish the temporary file."""

    def _close(self) -> None:
        """Close open files without an error, before they are removed."""

    def _check_size(self, frame: Frame) -> None:
        """Raise InputError unless the frame has the size of the first."""
        self._size = self._size or frame.size
        if frame.size != self._size:
            raise InputError(
                f"frame {frame.index} is {frame.size[0]}x{frame.size[1]} but the first was "
                f"{self._size[0]}x{self._size[1]}; all frames of a video must have one size"
            )

    def _new_temporary(self) -> Path:
        """An empty file beside the output; ``abort`` removes it."""
        temporary = temporary_beside(self._path)
        self._temporary.append(temporary)
        return temporary

    def _publish(self, temporary: Path) -> None:
        """Give a complete temporary file or folder the output's name."""
        publish(temporary, self._path)
        self._temporary.remove(temporary)

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Abort on any exception; errors of the system and the library become OutputError."""
        try:
            yield
        except BaseException as error:
            self.abort()
            if isinstance(error, (OSError, *self._library_errors)) and not isinstance(
                error, KadrError
            ):
                reason = getattr(error, "strerror", None) or error
                raise OutputError(f"{self._path}: cannot be written ({reason})") from error
            raise
