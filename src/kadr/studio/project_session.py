"""One open project: what the page shows of it, kept up to date; and edits of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kadr.errors import KadrError
from kadr.studio.frame_files import FrameFiles
from kadr.studio.frame_table import FrameTable
from kadr.studio.job_runner import JobRunner
from kadr.studio.lanes import CallError, Lane
from kadr.studio.page_state import PageState
from kadr.studio.pictures import PictureStore, remove_others
from kadr.studio.refusals import CONFLICT, MISSING, READ_ONLY, Refusal
from kadr.studio.studio_lock import StudioLock
from kadr.studio.take_pictures import TakePictures
from kadr.studio.watch import FolderLook, find_holder, look_at

_WATCH_SECONDS, _HOLDER_LOOKS = 0.5, 2
"""Seconds between two looks at the folder; another kadr is looked for at every second one."""
_EDITED_PARTS = ("keys", "options", "layers")
"""Members whose change raises the revision."""


class Lanes:
    """The child processes of the studio, by what they do."""

    def __init__(self) -> None:
        self.project, self.pictures = Lane(), Lane()
        self.preview, self.run = Lane(), Lane(in_background=True)

    @property
    def all(self) -> tuple[Lane, ...]:
        """Each of them."""
        return self.project, self.pictures, self.preview, self.run

    @property
    def processes(self) -> frozenset[int]:
        """The numbers of their processes."""
        numbers = (lane.process_id for lane in self.all)
        return frozenset(number for number in numbers if number is not None)

    async def close(self) -> None:
        """End all processes; what they do stops at its next frame."""
        await asyncio.gather(*(lane.close() for lane in self.all))


class ProjectSession:
    """An open project. Make it, await ``start``, and in the end ``close``."""

    def __init__(
        self, root: Path, state: PageState, lanes: Lanes, *, is_local: bool, address: str = ""
    ) -> None:
        """is_local: whether pages are on this machine, so that it can show them folders.

        address: of the page, which another studio names to those who open the project there.
        """
        self.root, self._state, self._lanes = root, state, lanes
        self._is_local = is_local
        self.pictures: PictureStore | None = None
        self.frame_files: FrameFiles | None = None
        self.runner = JobRunner(root, state, lanes.preview, lanes.run, self)
        self.takes: TakePictures | None = None
        self._table: FrameTable | None = None
        self._frames_shown = False
        self._known_revision = -1
        self._edit_lock, self._refresh_lock = asyncio.Lock(), asyncio.Lock()
        self._look = FolderLook()
        self._key_problem: dict[str, Any] | None = None
        self._run_problem: dict[str, Any] | None = None
        self._clip_version: tuple[Any, ...] | None = None
        self._lock = StudioLock(root, address)
        self._tasks: list[asyncio.Task[None]] = []
        self._fill: asyncio.Task[None] | None = None
        self._states_wanted = asyncio.Event()

    async def start(self) -> None:
        """Show what is known at once, and begin to watch the folder.

        Raises InputError if another studio has the project open.
        """
        self._lock.acquire()
        self._state.set(project={"name": self.root.name, "path": str(self.root)})
        self.runner.start()
        await self.refresh()
        self._look = await self._look_again()
        self._tasks = [
            asyncio.create_task(self._watch()),
            asyncio.create_task(self._keep_states()),
        ]

    async def close(self) -> None:
        """Stop watching, and stop what works; the queue is kept."""
        tasks = [*self._tasks, *([self._fill] if self._fill else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.runner.close()
        self._lock.release()

    async def edit(
        self, call: str, arguments: Mapping[str, Any], revision: int, author: str | None
    ) -> Any:
        """Change the project's files with a call of the project lane.

        Raises Refusal if the page did not know the last change, or another kadr works here, and
        CallError with kadr's own line if it refuses the change.
        """
        async with self._edit_lock:
            self.check_writable()
            if revision != self._state.revision:
                raise Refusal(
                    CONFLICT,
                    "the project was changed meanwhile; look at it and try again",
                    revision=self._state.revision,
                )
            result = await self._lanes.project.call(call, {"root": str(self.root), **arguments})
            await self.refresh(author, is_edit=True)
            return result

    def set_failed(self, indices: Iterable[int], message: str | None) -> None:
        """Show frames as failed, or, with None, no longer."""
        if self._table is not None:
            for index in indices:
                if message is None:
                    self._table.failed.pop(index, None)
                else:
                    self._table.failed[index] = message

    def check_writable(self) -> None:
        """Raise Refusal if another kadr works in the project."""
        holder = self._state.parts["read_only"]
        if holder is not None:
            raise Refusal(READ_ONLY, holder["message"])

    async def refresh(self, author: str | None = None, *, is_edit: bool = False) -> None:
        """Read the project again, and tell pages what changed."""
        async with self._refresh_lock:
            facts = await self._lanes.project.call("describe", {"root": str(self.root)})
            facts["project"]["local"] = self._is_local
            names, size = facts.pop("names", None), facts.pop("proxy_size", None)
            source = facts.pop("source", {})
            self._key_problem = facts.pop("run_problem", None)
            facts["run_problem"] = self._key_problem or self._run_problem
            if names is not None:
                self._take_clip(facts["clip"], names, size, source)
            if not self._frames_shown:  # before the clip: nobody sees its frames as not made
                self._state.set(project=facts["project"])
                self._look = await self._look_again()
                await self.update_frames()
            self._add_take_pictures(facts["takes"])
            parts = self._state.parts
            changes_settings = any(
                name in facts and facts[name] != parts.get(name) for name in _EDITED_PARTS
            )
            if changes_settings or is_edit:
                names_of = _EDITED_PARTS if changes_settings else ()
                edited = {name: facts.pop(name) for name in names_of if name in facts}
                self._state.raise_revision(author, **edited)
            self._state.set(author, **facts)
            if changes_settings:
                self.runner.mark_outdated()
        self._states_wanted.set()

    def key(self, index: int, layer: str | None) -> dict[str, Any]:
        """The key of a frame, as in the snapshot. Raises Refusal."""
        for key in self._state.parts["keys"] or ():
            if key["index"] == index and (not layer or key["layer"] == layer):
                return dict(key)
        raise Refusal(MISSING, f"frame {index}: is no key")

    def _take_clip(
        self, clip: dict[str, Any], names: list[str], size: list[int], source: dict[str, Any]
    ) -> None:
        """Begin with the frames of a clip, if they are others than before."""
        version = (clip["version"], clip["first"], clip["last"], clip["count"], tuple(size))
        if version == self._clip_version:
            return
        self._clip_version = version
        self._table = FrameTable(clip["count"], clip["first"], clip["last"])
        self.frame_files = FrameFiles(self.root, names, self._table)
        self._frames_shown = False
        takes = self.root / "work" / "studio" / "takes"
        remove_others(takes, clip["version"])
        self.takes = TakePictures(takes / str(clip["version"]))
        if self._fill is not None:
            self._fill.cancel()
        self.pictures = PictureStore(
            self.root,
            {**clip, **source},
            (size[0], size[1]),
            self._lanes.pictures,
            self._show_pictures,
        )
        self._show_pictures()
        self._fill = asyncio.create_task(self.pictures.fill())

    def _show_pictures(self) -> None:
        if self.pictures is not None:
            self._state.set(pictures=self.pictures.facts())

    async def update_frames(self) -> None:
        """Look which frames exist, and tell pages how their states changed."""
        if self._table is None or self.frame_files is None or self.pictures is None:
            return
        project = self._state.parts["project"]
        files = await self.frame_files.look(project, self._look.settings_time)
        patch = self._table.patch(self.runner.work())
        if not self._frames_shown:
            self._frames_shown = True
            self._state.frames = self._table.facts
            self._state.publish_all_frames()
        elif patch is not None:
            self._state.publish_frames(patch)
        await self._keep_take_pictures()
        self.pictures.want_styled(files)
        if files and not self.runner.work().running:  # maybe changed by hand, which has to be told
            self._states_wanted.set()
        self.runner.count_frames(self._table.pending_count)

    async def _keep_take_pictures(self) -> None:
        """Keep pictures of frames for the current take, once it is known which are up to date."""
        take = next((take for take in self._state.parts["takes"] if take["current"]), None)
        if (
            take is None
            or self.takes is None
            or self.pictures is None
            or self._table is None
            or self._known_revision != self._state.revision
        ):
            return
        previews = {index: facts["version"] for index, facts in self._table.previews.items()}
        versions = {"preview": previews, "styled": self._table.current_versions}
        pictures = {
            index: path
            for kind, frames in versions.items()
            for index, version in frames.items()
            if (path := self.pictures.path(kind, index, version)) is not None
        }
        with contextlib.suppress(OSError):  # such as a full disk, or a picture that was replaced
            if await asyncio.to_thread(self.takes.keep, take["key"], pictures):
                takes = [dict(item) for item in self._state.parts["takes"]]
                self._add_take_pictures(takes)
                self._state.set(takes=takes)

    def _add_take_pictures(self, takes: list[dict[str, Any]]) -> None:
        if self.takes is not None:
            self.takes.forget_others(take["key"] for take in takes)
            for take in takes:
                take |= self.takes.facts(take["key"])

    async def _watch(self) -> None:
        """Follow what editors, other programs and runs do in the folder."""
        looks = 0
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            looks += 1
            with contextlib.suppress(KadrError, OSError):
                if looks % _HOLDER_LOOKS == 0:
                    await self._look_for_holder()
                await self._follow_changes()
                await self.update_frames()

    async def _follow_changes(self) -> None:
        before = self._look
        look = await self._look_again()
        if look == before:
            return
        await asyncio.sleep(_WATCH_SECONDS / 2)
        settled = await self._look_again()
        if replace(settled, results=look.results) != look:
            self._look = before  # a program still writes
            return
        if settled.painted != before.painted and self._state.parts["read_only"] is None:
            async with self._edit_lock:
                await self._import_painted()
        await self.refresh()
        # its own files are as it left them
        self._look = replace(await self._look_again(), results=settled.results)

    async def _import_painted(self) -> None:
        """Take exported frames that somebody painted on; each layer has its own."""
        for layer in self._state.parts["layers"] or [{"name": ""}]:
            arguments = {"root": str(self.root), "layer": layer["name"]}
            with contextlib.suppress(CallError):
                await self._lanes.project.call("import_painted", arguments)

    async def _look_again(self) -> FolderLook:
        project = self._state.parts["project"] or {}
        if "keys_path" not in project:
            self._look = await asyncio.to_thread(
                look_at, self.root, self.root / "keys", self.root, ()
            )
            return self._look
        results = [self.root / "work" / "run.json", self.root / "out" / "report.html"]
        self._look = await asyncio.to_thread(
            look_at,
            self.root,
            Path(project["keys_path"]),
            Path(project["paint_path"]),
            [*results, Path(project["output"])],
        )
        return self._look

    async def _look_for_holder(self) -> None:
        own = self._lanes.processes
        holder = await asyncio.to_thread(find_holder, self.root / "work", own)
        before = self._state.parts["read_only"]
        facts = None
        if holder is not None:
            process = f" (process {holder})" if holder else ""
            message = f"another kadr works in this project{process}; wait for it, or stop it there"
            facts = {"process": holder, "message": message}
        if facts == before:
            return
        self._state.set(read_only=facts)
        self.runner.set_holder(holder, 0 if self._table is None else self._table.pending_count)
        if facts is None:
            await self.refresh()

    async def _keep_states(self) -> None:
        """Find out what a run would make whenever something changed."""
        while True:
            await self._states_wanted.wait()
            await asyncio.sleep(0.2)
            self._states_wanted.clear()
            if self._table is None:
                continue
            await self.update_frames()
            revision = self._state.revision
            try:
                arguments = {"root": str(self.root)}
                predicted = await self._lanes.preview.call("states", arguments, priority=5)
            except CallError as error:
                self._table.set_pending(None, ())
                self._show_run_problem(None if self._state.parts["problem"] else error.facts)
                await self.update_frames()
                continue
            self._table.set_pending(predicted["pending"], predicted["edited"])
            if predicted["pending"] is not None:
                self._known_revision = revision
            self._show_run_problem(None)
            self._state.set(run_seconds=predicted["seconds"])
            await self.update_frames()

    def _show_run_problem(self, facts: dict[str, Any] | None) -> None:
        self._run_problem = facts
        self._state.set(run_problem=self._key_problem or facts)
