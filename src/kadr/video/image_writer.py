"""Write frames as a folder of numbered images, all of them or none."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from kadr.core.frames import DeepImage, Frame, to_8_bits, to_16_bits
from kadr.errors import OutputError
from kadr.files import HIDDEN, Sync, publish, sync_folder
from kadr.image_files import write_image
from kadr.video.base_writer import BaseWriter


class ImageWriter(BaseWriter):
    """A ClipWriter that names each file by ``name(index)``.

    Files are written to a hidden folder on the same disk. A new folder appears whole at ``finish``;
    in a folder that exists by then the files are moved and other files are left alone.
    expected: indices that will be written, as far as known; their names are checked at once.
    pattern: the name of all files together, such as f_%04d.png; then ``path`` ends in it.
    depth: bits of a channel, 8 or 16; None: those of the frames.
    Raises OutputError when a file exists and ``overwrite`` is off, or when the disk is full.
    """

    def __init__(
        self,
        folder: Path,
        name: Callable[[int], str],
        *,
        expected: Iterable[int] = (),
        overwrite: bool = False,
        pattern: str = "",
        depth: int | None = None,
    ) -> None:
        self._name, self._pattern, self._depth = name, pattern, depth
        self._overwrite = overwrite
        exists = folder.is_dir()
        if exists and not overwrite:
            _refuse_existing(folder, (name(index) for index in expected))
        parent = folder if exists else folder.parent
        super().__init__(folder, parent)
        with self._guarded():
            self._hidden = Path(tempfile.mkdtemp(prefix=HIDDEN, dir=parent))
            self._temporary.append(self._hidden)
        self._names: dict[str, None] = {}

    @property
    def path(self) -> Path:
        """The folder of the images, or their pattern in it."""
        return self._path / self._pattern

    def _add(self, frame: Frame) -> None:
        name = self._name(frame.index)
        try:
            image = _with_depth(frame.image, self._depth)
            write_image(self._hidden / name, image, frame.texts, Sync.NOTHING)
        except OutputError as error:
            # people do not know the hidden folder
            text = str(error).replace(str(self._hidden), str(self._path))
            raise OutputError(text) from error
        self._names[name] = None

    def _end(self) -> None:
        if self._path.is_dir():  # perhaps made since the start, for other files of the run
            self._move_in()
        else:
            self._publish(self._hidden)

    def _move_in(self) -> None:
        if not self._overwrite:
            _refuse_existing(self._path, self._names)
        new_files: list[Path] = []
        try:
            for name in self._names:
                target = self._path / name
                if not target.exists():
                    new_files.append(target)
                publish(self._hidden / name, target, Sync.CONTENT)
            sync_folder(self._path)
        except BaseException:
            for target in new_files:
                target.unlink(missing_ok=True)
            raise
        self._hidden.rmdir()


def _with_depth(image: DeepImage, depth: int | None) -> DeepImage:
    """An image with 8 or 16 bits a channel; None: as it is."""
    if depth == 8:
        return to_8_bits(image)
    return to_16_bits(image) if depth == 16 else image


def _refuse_existing(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        if (folder / name).exists():
            raise OutputError(f"{folder / name}: exists already; use --overwrite or another folder")
