"""Pictures for the page: where they lie, and which are still to be made, by the pictures lane."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kadr.errors import KadrError
from kadr.storage.ownership import adopt_folder, is_marked
from kadr.studio.index_runs import index_runs
from kadr.studio.lanes import CallError, Lane

SHEET_FRAMES, SHEET_COLUMNS, SHEET_WIDTH = 100, 10, 160
"""Frames of a sheet, frames in a row of it, and pixels of a thumbnail's width."""

_SLICE = 16
"""Proxies that are made in one call, so that a picture that is asked for waits shortly."""
_NOW, _SOON, _LATER = 0, 4, 8
"""Priorities of calls."""
_MOST_FULL = 60
"""Pictures of full size that are kept."""
_NAME = re.compile(r"(\d{6,})-([0-9a-z]+)\.jpg")


class PictureStore:
    """The pictures of one project's clip."""

    def __init__(
        self,
        root: Path,
        clip: dict[str, Any],
        size: tuple[int, int],
        lane: Lane,
        on_ready: Callable[[], None],
    ) -> None:
        """clip: as in the snapshot, and ``reading``, how it is opened. size: of proxies."""
        self._work: Path = root / "work"
        self._clip, self._lane = clip, lane
        self._folder = self._work / "studio"
        self._size, self._on_ready = size, on_ready
        self._inputs: Path = self._folder / "input" / str(clip["version"])
        self._sheets: Path = self._folder / "sheets" / str(clip["version"])
        self._ready = _numbers(self._inputs)
        self._sheets_ready = _numbers(self._sheets)
        self._skipped: set[int] = set()
        self._wanted: dict[int, tuple[str, Path]] = {}
        self._changed = asyncio.Event()
        self._stored = {kind: _versions(self._folder / kind) for kind in ("styled", "preview")}

    def facts(self) -> dict[str, Any]:
        """The member ``pictures`` of the snapshot."""
        width, height = self._size
        return {
            "width": width,
            "height": height,
            "ready": index_runs(self._ready),
            "sheet": {
                "frames": SHEET_FRAMES,
                "columns": SHEET_COLUMNS,
                "width": SHEET_WIDTH,
                "height": max(1, round(SHEET_WIDTH * height / width)),
                "ready": sorted(self._sheets_ready),
            },
        }

    async def input(self, index: int, *, full: bool = False) -> Path:
        """The picture of a filmed frame. Raises CallError."""
        if full:
            path = self._folder / "full" / f"input-{index:06d}-{self._clip['version']}.jpg"
            if not path.is_file():
                self._trim_full()
                pattern = str(path).replace(f"{index:06d}", "{index:06d}", 1)
                await self._make_inputs(index, index, pattern, _NOW, full=True)
            return path
        path = self._inputs / f"{index:06d}.jpg"
        if not path.is_file():
            await self._make_inputs(index, index, self._pattern, _NOW)
        return path

    async def of_file(
        self, kind: str, index: int, version: str, file: Path, *, full: bool = False
    ) -> Path:
        """The picture of an image file: ``kind`` styled, preview or keys. Raises CallError."""
        folder = self._folder / ("full" if full else kind)
        name = f"{index:06d}-{version}.jpg"
        path = folder / (f"{kind}-{name}" if full else name)
        if not path.is_file():
            if full:
                self._trim_full()
            await self._make_picture(kind, index, path, file, _NOW, full=full)
        return path

    async def sheet(self, number: int) -> Path:
        """A sheet of thumbnails. Raises CallError."""
        path = self._sheets / f"{number:06d}.jpg"
        if not path.is_file():
            first, last = self._sheet_frames(number)
            missing = [index for index in range(first, last + 1) if index not in self._ready]
            for start in range(0, len(missing), _SLICE):
                part = missing[start : start + _SLICE]
                await self._make_inputs(part[0], part[-1], self._pattern, _SOON)
            await self._make_sheet(number, _SOON)
        return path

    def path(self, kind: str, index: int, version: str) -> Path | None:
        """The picture of a finished frame ("styled") or of a "preview", if it is made."""
        path = self._stored[kind].get(index)
        return path if path is not None and path.name.endswith(f"-{version}.jpg") else None

    def want_styled(self, files: dict[int, tuple[str, Path]]) -> None:
        """Make pictures of finished frames as soon as there is time. files: version and file."""
        self._wanted |= files
        self._changed.set()

    async def fill(self) -> None:
        """Make all pictures, finished frames first; runs until it is cancelled."""
        for folder in (self._folder / "input", self._folder / "sheets"):
            remove_others(folder, self._clip["version"])
        while True:
            try:
                if not await self._make_some():
                    self._changed.clear()
                    if not self._wanted:
                        await self._changed.wait()
            except (KadrError, OSError):  # such as a full disk: go on later
                await asyncio.sleep(5)
                self._ready = await asyncio.to_thread(_numbers, self._inputs)

    async def _make_some(self) -> bool:
        if self._wanted:
            index, (version, file) = next(iter(self._wanted.items()))
            del self._wanted[index]
            path = self._folder / "styled" / f"{index:06d}-{version}.jpg"
            if not path.is_file():
                with contextlib.suppress(KadrError):  # replaced meanwhile: it will come again
                    await self._make_picture("styled", index, path, file, _SOON)
            return True
        count = self._clip["count"]
        for number in range(-(-count // SHEET_FRAMES)):
            first, last = self._sheet_frames(number)
            frames = range(first, last + 1)
            missing = [i for i in frames if i not in self._ready and i not in self._skipped]
            if missing:
                part = [i for i in missing if i < missing[0] + _SLICE]
                await self._make_part(part[0], part[-1])
                return True
            if number not in self._sheets_ready and not self._skipped.intersection(frames):
                await self._make_sheet(number, _LATER)
                return True
        return False

    async def _make_part(self, first: int, last: int) -> None:
        try:
            await self._make_inputs(first, last, self._pattern, _LATER)
        except CallError:  # a frame that cannot be decoded: leave the part out
            self._skipped |= set(range(first, last + 1))
            raise

    @property
    def _pattern(self) -> str:
        return str(self._inputs / "{index:06d}.jpg")

    def _sheet_frames(self, number: int) -> tuple[int, int]:
        first = number * SHEET_FRAMES
        return first, min(first + SHEET_FRAMES, self._clip["count"]) - 1

    async def _make_inputs(
        self, first: int, last: int, pattern: str, priority: int, *, full: bool = False
    ) -> None:
        facts = await self._call(
            "inputs",
            priority,
            clip=self._clip["path"],
            reading=self._clip["reading"],
            first=first,
            last=last,
            path=pattern,
            full=full,
        )
        if not full:
            self._ready |= set(facts["ready"])
            self._on_ready()

    async def _make_sheet(self, number: int, priority: int) -> None:
        first, last = self._sheet_frames(number)
        facts = self.facts()["sheet"]
        await self._call(
            "sheet",
            priority,
            first=first,
            last=last,
            proxy=self._pattern,
            path=str(self._sheets / f"{number:06d}.jpg"),
            size=[facts["width"], facts["height"]],
        )
        self._sheets_ready.add(number)
        self._on_ready()

    async def _make_picture(
        self, kind: str, index: int, path: Path, file: Path, priority: int, *, full: bool = False
    ) -> None:
        await self._call("picture", priority, file=str(file), path=str(path), full=full)
        stored = self._stored.get(kind)
        if stored is not None and not full:
            old = stored.get(index)
            if old is not None and old != path:
                old.unlink(missing_ok=True)
            stored[index] = path

    async def _call(self, name: str, priority: int, **arguments: Any) -> Any:
        if not is_marked(self._work):
            adopt_folder(self._work)
        return await self._lane.call(name, arguments, priority=priority)

    def _trim_full(self) -> None:
        folder = self._folder / "full"
        if not folder.is_dir():
            return
        files = sorted(folder.glob("*.jpg"), key=lambda path: path.stat().st_mtime)
        for path in files[: max(0, len(files) - _MOST_FULL)]:
            path.unlink(missing_ok=True)


def _numbers(folder: Path) -> set[int]:
    """The numbers of the pictures in a folder."""
    if not folder.is_dir():
        return set()
    return {int(path.stem) for path in folder.glob("*.jpg") if path.stem.isdecimal()}


def _versions(folder: Path) -> dict[int, Path]:
    stored: dict[int, Path] = {}
    if folder.is_dir():
        for path in folder.glob("*.jpg"):
            match = _NAME.fullmatch(path.name)
            if match is not None:
                stored[int(match[1])] = path
    return stored


def remove_others(folder: Path, version: str) -> None:
    """Remove the folders of pictures of other contents of the clip."""
    if folder.is_dir() and not folder.is_symlink():
        for path in folder.iterdir():
            if path.name != version and path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
