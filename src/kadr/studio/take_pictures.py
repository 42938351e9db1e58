"""Pictures of finished frames, kept for each take: so takes can be compared over the whole clip.

They are links to the proxies of finished frames, which are replaced when frames are made again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kadr.studio.index_runs import index_runs


class TakePictures:
    """The pictures of all takes of a project, in a folder for each."""

    def __init__(self, folder: Path) -> None:
        """folder: of one content of the clip."""
        self._folder = folder
        self._files: dict[str, dict[int, str]] = {}
        if folder.is_dir():
            for path in folder.iterdir():
                names = (file.name for file in path.glob("*.jpg"))
                self._files[path.name] = {int(name.partition("-")[0]): name for name in names}

    def keep(self, take: str, pictures: Mapping[int, Path]) -> bool:
        """Link the pictures that the take does not have; returns whether there were any.

        take: its name, which stands for its settings too. pictures: by frame index.
        """
        kept = self._files.setdefault(take, {})
        new = {index: path for index, path in pictures.items() if kept.get(index) != path.name}
        for index, path in new.items():
            folder = self._folder / take
            folder.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                _link(path, folder / path.name)
            if index in kept:
                (folder / kept[index]).unlink(missing_ok=True)
            kept[index] = path.name
        return bool(new)

    def forget_others(self, takes: Iterable[str]) -> None:
        """Delete the pictures of all other takes."""
        for take in self._files.keys() - set(takes):
            shutil.rmtree(self._folder / take, ignore_errors=True)
            del self._files[take]

    def facts(self, take: str) -> dict[str, Any]:
        """``frames``: runs of frames with a picture; ``version``: of all of them."""
        kept = self._files.get(take, {})
        names = "".join(kept[index] for index in sorted(kept))
        return {"frames": index_runs(kept), "version": f"{zlib.crc32(names.encode()):08x}"}

    def path(self, take: str, index: int) -> Path | None:
        """The picture of a frame; None if there is none."""
        name = self._files.get(take, {}).get(index)
        return None if name is None else self._folder / take / name


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        shutil.copyfile(source, target)
