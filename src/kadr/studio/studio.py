"""The studio: the open project or the start page, and what opens and makes projects."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import platformdirs

from kadr.errors import InputError, KadrError
from kadr.studio.lanes import CallError
from kadr.studio.page_state import PageState
from kadr.studio.project_session import Lanes, ProjectSession
from kadr.studio.recent import note_opened, recent_projects
from kadr.studio.refusals import CONFLICT, Refusal

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".gif")
UPLOAD_LIMIT = 16 << 30
"""Bytes of an uploaded clip."""
_MOST_LISTED = 200


class Studio:
    """What the server serves. folder: where it was started. address: of its page, for people."""

    def __init__(
        self, version: str, folder: Path, *, is_local: bool = True, address: str = ""
    ) -> None:
        self.state = PageState(version)
        self.session: ProjectSession | None = None
        self.is_local, self._address = is_local, address
        self._folder = folder
        self._lanes = Lanes()
        self._lock = asyncio.Lock()
        self._busy: str | None = None
        self._opening: asyncio.Task[None] | None = None

    async def begin(self, project: Path | None, *, sample: bool = False) -> None:
        """Begin to open a project or the sample, or show the start page."""
        self._show_start()
        if project is not None:
            self._opening = asyncio.create_task(self._begin_with(self.open(str(project))))
        elif sample:
            self._opening = asyncio.create_task(self._begin_with(self.open_sample()))

    async def _begin_with(self, opening: Coroutine[Any, Any, Path]) -> None:
        try:
            await opening
        except KadrError as error:
            from kadr.studio.error_facts import error_facts

            facts = error.facts if isinstance(error, CallError) else error_facts(error)
            self.state.set(problem=facts)

    async def end(self) -> None:
        """Close the project, and end all child processes."""
        if self._opening is not None:
            self._opening.cancel()
        if self.session is not None:
            await self.session.close()
        await self._lanes.close()

    @property
    def project(self) -> ProjectSession:
        """The open project. Raises Refusal if there is none."""
        if self.session is None:
            raise Refusal(CONFLICT, "no project is open")
        return self.session

    @property
    def project_facts(self) -> dict[str, Any]:
        """The member ``project`` of the snapshot. Raises Refusal if no project is open."""
        assert self.project.root
        return dict(self.state.parts["project"])

    async def open(self, text: str) -> Path:
        """Open a project by its path, or a clip, of which a project is made beside it.

        Returns the project's folder. Raises InputError if there is neither.
        """
        async with self._lock:
            path = Path(text).expanduser()
            if not path.is_absolute():
                path = self._folder / path
            if path.name == "project.toml":
                path = path.parent
            if not (path / "project.toml").is_file():
                path = await self._project_of_clip(path)
            await self._open_folder(path.resolve())
            return path

    async def take_upload(self, file: Path, name: str) -> Path:
        """Make a project of an uploaded clip, which is moved beside it, and open it."""
        async with self._lock:
            folder = self.projects_folder
            clip = _unused(folder / Path(name).name)
            await asyncio.to_thread(shutil.move, file, clip)
            try:
                root = await self._create(clip, folder)
            except BaseException:
                clip.unlink(missing_ok=True)
                raise
            await self._open_folder(root)
            return root

    async def open_sample(self) -> Path:
        """Open the sample project; at its first use the clip is drawn."""
        async with self._lock:
            root = self.projects_folder / "Sample.kadr"
            if not (root / "project.toml").is_file():
                root.parent.mkdir(parents=True, exist_ok=True)
                root = _unused(root)
                self._say("Drawing the sample clip")
                try:
                    await self._lanes.run.call("sample", {"root": str(root)})
                finally:
                    self._say(None)
            await self._open_folder(root.resolve())
            return root

    async def close_project(self) -> None:
        """Go back to the start page; the queue of the project is kept."""
        async with self._lock:
            await self._close()
            self._show_start()

    @property
    def projects_folder(self) -> Path:
        """Where projects of uploaded clips and the sample go: the folder that was given to start
        with, or ``kadr`` among the user's documents."""
        if self._folder != Path.home() and _is_writable(self._folder):
            return self._folder
        folder = platformdirs.user_documents_path() / "kadr"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    async def _close(self) -> None:
        if self.session is not None:
            session, self.session = self.session, None
            await session.close()
        self.state.restart()

    async def _open_folder(self, root: Path) -> None:
        await self._close()
        session = ProjectSession(
            root, self.state, self._lanes, is_local=self.is_local, address=self._address
        )
        self.session = session
        try:
            await session.start()
        except BaseException:
            self.session = None
            await session.close()
            self.state.restart()
            self._show_start()
            raise
        note_opened(root)

    async def _project_of_clip(self, path: Path) -> Path:
        if not path.exists():
            raise InputError(f"{path}: no such clip or project; check the path")
        if path.is_dir() and path.suffix == ".kadr":
            raise InputError(f"{path}: not a kadr project, it has no project.toml")
        existing = path.parent / f"{_stem(path)}.kadr"
        if (existing / "project.toml").is_file():
            return existing
        folder = path.parent if _is_writable(path.parent) else self.projects_folder
        return await self._create(path, folder)

    async def _create(self, clip: Path, folder: Path) -> Path:
        root = _unused(folder / f"{_stem(clip)}.kadr")
        self._say(f"Opening {clip.name}")
        try:
            await self._lanes.project.call("check_clip", {"path": str(clip)})
            arguments = {"clip": str(clip), "root": str(root)}
            await self._lanes.project.call("create", arguments)
        finally:
            self._say(None)
        return root

    def _say(self, text: str | None) -> None:
        self._busy = text
        if self.session is None:
            self._show_start()

    def _show_start(self) -> None:
        self.state.set(
            start={
                "recent": recent_projects(),
                "folder": self._folder_facts(),
                "upload_limit": UPLOAD_LIMIT,
                "local": self.is_local,
                "busy": self._busy,
            }
        )

    def _folder_facts(self) -> dict[str, Any]:
        projects, clips = [], []
        try:
            entries = sorted(self._folder.iterdir())
        except OSError:
            entries = []
        for path in entries:
            if path.name.startswith("."):
                continue
            if (path / "project.toml").is_file():
                name = path.name.removesuffix(".kadr")
                projects.append({"path": str(path), "name": name})
            elif path.suffix.lower() in VIDEO_SUFFIXES and path.is_file():
                clips.append({"path": str(path), "name": path.name})
        return {
            "path": str(self._folder),
            "projects": projects[:_MOST_LISTED],
            "clips": clips[:_MOST_LISTED],
        }


def _stem(path: Path) -> str:
    return path.name if path.is_dir() else path.stem


def _is_writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK | os.X_OK)


def _unused(path: Path) -> Path:
    """The path, or one with a number if there is something already."""
    number, result = 2, path
    while result.exists() or result.is_symlink():
        result = path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
    return result
