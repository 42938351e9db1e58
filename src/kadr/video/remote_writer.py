"""Write a clip to a URL: to a folder on this machine first, and then uploaded whole."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from kadr.core.frames import Frame
from kadr.core.locations import register_copy
from kadr.errors import KadrError, OutputError
from kadr.files import HIDDEN, make_folder
from kadr.remote.copies import copies_folder
from kadr.remote.upload import Upload
from kadr.video.base import ClipWriter
from kadr.video.finishing import Finishing


class RemoteWriter(Finishing):
    """A ClipWriter whose output appears at a URL.

    url: of a video, or of a folder or pattern of images. images: whether it is one of the latter.
    create: makes the writer for a path on this machine, as ``create_clip`` does.
    Raises OutputError at once if the output exists (unless ``overwrite``) or cannot be written.
    """

    def __init__(
        self, url: str, create: Callable[[str], ClipWriter], *, images: bool, overwrite: bool
    ) -> None:
        self._url = url
        folder_url, _, name = url.rstrip("/").rpartition("/")
        is_folder = images and not _is_pattern(url)
        self._upload = Upload(
            folder_url if images and not is_folder else url, folder=images, overwrite=overwrite
        )
        parent = copies_folder()
        make_folder(parent)
        try:
            self._folder = Path(tempfile.mkdtemp(prefix=HIDDEN, dir=parent))
        except OSError as error:
            raise OutputError(f"{parent}: cannot be written ({error.strerror})") from error
        register_copy(self._folder, folder_url)
        try:
            self._inner = create(f"{self._folder / name}{'/' if is_folder else ''}")
        except BaseException:
            self._remove()
            raise
        self._finished = False

    @property
    def path(self) -> Path:
        """The URL of the output."""
        return Path(self._url)

    @property
    def notices(self) -> Sequence[str]:
        """What of the clip this output does not keep or had to assume, one line each."""
        return self._inner.notices

    def write(self, frame: Frame) -> None:
        """Add one frame."""
        try:
            self._inner.write(frame)
        except BaseException:
            self.abort()
            raise

    def finish(self) -> Path:
        """Complete the output on this machine, and upload it."""
        if self._finished:
            return self.path
        try:
            path = self._inner.finish()
            folder = path if path.is_dir() else path.parent
            self._upload.send([path] if path.is_file() else sorted(folder.iterdir()))
        except OSError as error:
            if isinstance(error, KadrError):
                raise
            raise OutputError(f"{self._url}: cannot be written ({error.strerror})") from error
        finally:
            self._remove()
        self._finished = True
        return self.path

    def abort(self) -> None:
        """Leave nothing behind; what was uploaded whole stays."""
        if not self._finished:
            self._finished = True
            self._inner.abort()
            self._remove()

    def _remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def _is_pattern(url: str) -> bool:
    from kadr.video.sequence import sequence_pattern

    return not url.endswith("/") and sequence_pattern(url.rpartition("/")[2]) is not None
