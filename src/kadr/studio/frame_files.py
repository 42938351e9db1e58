"""The folders of finished frames and previews in, their files into the table of frames."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kadr.files import read_json_object, write_json_object
from kadr.studio.frame_table import FrameFile, FrameTable, scan_frames


class FrameFiles:
    """Where the pictures of frames lie. names: the file stem of each frame."""

    def __init__(self, root: Path, names: Sequence[str], table: FrameTable) -> None:
        self._names, self._table = names, table
        self._indices = {name: index for index, name in enumerate(names)}
        self._exact_file = root / "work" / "studio" / "previews.json"
        self._exact: dict[str, Any] = read_json_object(self._exact_file)
        self._folders: tuple[Path, Path] = (root / "out" / "frames", root / "out" / "preview")

    def finished(self, index: int) -> tuple[str, Path] | None:
        """The version and the file of a finished frame."""
        file = self._table.finished.get(index)
        return None if file is None else (file.version, self._path(0, index))

    def preview(self, index: int) -> tuple[str, Path] | None:
        """The version and the file of a frame's preview."""
        facts = self._table.previews.get(index)
        return None if facts is None else (facts["version"], self._path(1, index))

    def note_preview(self, indices: Sequence[int], *, exact: bool) -> None:
        """Remember whether previews are what a run makes."""
        self._exact |= {str(index): exact for index in indices}
        write_json_object(self._exact_file, self._exact)

    async def look(
        self, project: Mapping[str, Any], settings_time: int
    ) -> dict[int, tuple[str, Path]]:
        """Take the files as they are now; returns those of finished frames that are new.

        settings_time: ns, when keys or options changed last: older previews do not count.
        """
        if "frames_path" in project:
            self._folders = Path(project["frames_path"]), Path(project["previews_path"])
        finished, previews = await asyncio.gather(
            *(asyncio.to_thread(scan_frames, folder, self._indices) for folder in self._folders)
        )
        before = self._table.finished
        self._table.finished = finished
        self._table.previews = {
            index: {"version": file.version, "exact": bool(self._exact.get(str(index), False))}
            for index, file in previews.items()
            if self._is_newest(file, finished.get(index), settings_time)
        }
        return {
            index: (file.version, self._path(0, index))
            for index, file in finished.items()
            if before.get(index) != file
        }

    def _is_newest(self, file: FrameFile, finished: FrameFile | None, settings_time: int) -> bool:
        newest = settings_time if finished is None else max(settings_time, finished.written)
        return file.written >= newest

    def _path(self, kind: int, index: int) -> Path:
        return self._folders[kind] / f"{self._names[index]}.png"
