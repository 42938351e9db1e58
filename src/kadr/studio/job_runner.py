"""Carry out jobs: previews at once, everything else one after the other."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kadr.errors import KadrError, OutputError
from kadr.studio.frame_table import Work
from kadr.studio.jobs import (
    DONE,
    ENDED,
    FAILED,
    PAUSED,
    QUEUED,
    STOPPED,
    STOPPING,
    WORKING,
    Job,
    JobList,
)
from kadr.studio.lanes import CallError, Lane, LaneCall
from kadr.studio.page_state import PageState
from kadr.studio.refusals import CONFLICT, MISSING, Refusal

if TYPE_CHECKING:
    from kadr.studio.project_session import ProjectSession

_PREVIEW = ("preview",)
_QUEUED = ("run", "plan", "stylize", "seeds", "export")
_FRAME_KINDS = ("preview", "stylize")
"""Jobs that make pictures of certain frames."""
_SHOW_SECONDS = 0.1
"""Between two looks of pages at progress."""
_WAIT_FOR_OTHER = 1.0
_CHANGED = "was changed while"
"""In the error of a run whose input somebody changed: it is done again with what is there now."""

_log = logging.getLogger(__name__)


class JobRunner:
    """The jobs of an open project and what carries them out."""

    def __init__(
        self, root: Path, state: PageState, preview: Lane, run: Lane, session: ProjectSession
    ) -> None:
        self._root, self._state, self._session = root, state, session
        self._preview_lane, self._run_lane = preview, run
        self._jobs = JobList(root / "studio" / "queue.json")
        self._calls: dict[int, LaneCall] = {}
        self._pausing: set[int] = set()
        self._frames_done: dict[int, set[int]] = {}
        self._making: dict[int, frozenset[int]] = {}
        self._terminal: Job | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._wake = asyncio.Event()
        self._show_later: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Go on with what is queued."""
        self._show()
        self._tasks = [
            asyncio.create_task(self._drive(self._preview_lane, _PREVIEW)),
            asyncio.create_task(self._drive(self._run_lane, _QUEUED)),
        ]

    async def close(self) -> None:
        """Stop; what works is done again when the project is opened."""
        calls = list(self._calls.items())
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for number, call in calls:
            job = self._jobs.find(number)
            lane = self._run_lane if job is None or job.kind in _QUEUED else self._preview_lane
            lane.cancel(call)
        if self._show_later is not None:
            self._show_later.cancel()

    def add(self, kind: str, arguments: dict[str, Any], author: str | None) -> Job:
        """Queue a job; a preview goes before all, and replaces one that still waits.

        Raises OutputError if the queue cannot be kept.
        """
        if kind == "run":
            waiting = self._jobs.next(("run",))
            if waiting is not None:
                raise Refusal(CONFLICT, "a run is queued already", job=waiting.facts())
        frames = None
        if "first" in arguments:
            frames = [arguments["first"], arguments["last"]]
        job = self._jobs.add(kind, arguments, author=author, frames=frames)
        if kind == "preview":
            for other in list(self._jobs):
                if other.kind == kind and other.state == QUEUED and other is not job:
                    self._jobs.remove(other)
            self._jobs.put_first(job)
        self._changed()
        return job

    def find(self, number: int) -> Job:
        """The job with a number. Raises Refusal."""
        job = self._jobs.find(number)
        if job is None:
            raise Refusal(MISSING, f"job {number}: there is no such job")
        return job

    def stop(self, number: int) -> None:
        """Stop a job, drop one that waits, forget one that ended. Raises Refusal."""
        if number == 0 and self._terminal is not None:
            raise Refusal(CONFLICT, "the run was started elsewhere; stop it there")
        self._stop(self.find(number))
        self._changed()

    def stop_all(self) -> None:
        """Stop everything; ended jobs stay in the list."""
        for job in list(self._jobs):
            if job.state not in ENDED:
                self._stop(job)
        self._changed()

    def _stop(self, job: Job) -> None:
        if job.state in ENDED:
            self._jobs.remove(job)
        elif job.id in self._calls:
            job.state = STOPPING
            self._cancel(job)
        else:
            job.finish(STOPPED)

    def put_first(self, number: int) -> None:
        """Move a waiting job to the head of the queue. Raises Refusal."""
        self._jobs.put_first(self.find(number))
        self._changed()

    def pause(self, paused: bool) -> None:
        """Stop working on the queue at the next frame, or go on with it."""
        self._jobs.paused = paused
        for job in self._jobs:
            if paused and job.state == WORKING and job.kind in _QUEUED and job.id in self._calls:
                self._pausing.add(job.id)
                self._cancel(job)
            elif not paused and job.state == PAUSED:
                job.state = QUEUED
        self._changed()

    def mark_outdated(self) -> None:
        """Keys or options changed: what a run makes now is not what it would make then."""
        for job in self._jobs:
            if job.kind == "run" and job.state == WORKING:
                job.outdated = True
        self._show()

    def set_holder(self, process: int | None, pending: int) -> None:
        """Another kadr works in the project, or none does any more."""
        if process is None:
            self._terminal = None
        else:
            self._terminal = Job(
                0, "run", state=WORKING, source="terminal", started=time.time(), total=pending
            )
        self._wake.set()
        self._show()

    def count_frames(self, pending: int) -> None:
        """How many frames are still to be made, for a run that was started elsewhere."""
        job = self._terminal
        if job is None or not job.total or job.started is None:
            return
        done = max(0, job.total - pending)
        if done == job.index:
            return
        job.index, job.step, job.share = done, "frames", done / job.total
        speed = done / max(0.1, time.time() - job.started)
        job.seconds_left = round(pending / speed, 1)
        self._show()

    def work(self) -> Work:
        """What jobs do with frames at the moment."""
        running, working, queued = self._terminal is not None, set[int](), set[int]()
        for job in self._jobs:
            if job.state in ENDED:
                continue
            running = running or job.kind == "run"
            if job.kind in _FRAME_KINDS:
                left = _frames_of(job) - self._frames_done.get(job.id, set())
                (working if job.state == WORKING else queued).update(left)
        making = frozenset[int]().union(*self._making.values())
        return Work(running, frozenset(working), frozenset(queued), making)

    def _cancel(self, job: Job) -> None:
        lane = self._preview_lane if job.kind in _PREVIEW else self._run_lane
        lane.cancel(self._calls[job.id])

    def _may_start(self, kinds: tuple[str, ...]) -> bool:
        return self._terminal is None and (kinds == _PREVIEW or not self._jobs.paused)

    async def _drive(self, lane: Lane, kinds: tuple[str, ...]) -> None:
        """Do the jobs of some kinds, one at a time."""
        while True:
            job = self._jobs.next(kinds) if self._may_start(kinds) else None
            if job is None:
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), _WAIT_FOR_OTHER)
                continue
            try:
                await self._do(job, lane)
            except Exception:
                _log.exception("job %s", job.kind)
                job.finish(FAILED, error=_fault(job))
            self._changed()

    async def _do(self, job: Job, lane: Lane) -> None:
        job.begin()
        self._frames_done[job.id] = set()
        self._session.set_failed(_frames_of(job), None)
        arguments = {"root": str(self._root), **job.arguments, **self._folders(job)}
        call = lane.start(job.kind, arguments, on_event=lambda event: self._take(job, event))
        self._calls[job.id] = call
        self._changed()
        await self._session.update_frames()
        result, error = None, None
        try:
            result = await call.result
        except CallError as refused:
            error = refused
        finally:
            self._calls.pop(job.id, None)
            self._making.pop(job.id, None)
        # what it changed is told first, so that nobody looks at a job that is done and sees the old
        with contextlib.suppress(KadrError):
            await self._session.refresh()
        if error is not None:
            self._take_error(job, error)
        else:
            job.finish(DONE, result=result, share=1.0)
            self._take_result(job, result)
        self._pausing.discard(job.id)
        self._frames_done.pop(job.id, None)
        if self._show_later is not None:
            self._show_later.cancel()
            self._show_later = None
        await self._session.update_frames()
        self._changed()
        if job.state == QUEUED:
            await asyncio.sleep(_WAIT_FOR_OTHER)

    def _folders(self, job: Job) -> dict[str, str]:
        """Where the pictures and files of a job go."""
        if job.kind == "seeds":
            return {"folder": str(self.seeds_folder(job.id))}
        return {"folder": str(self.export_folder)} if job.kind == "export" else {}

    @property
    def export_folder(self) -> Path:
        """Where exports go."""
        return self._root / "out" / "export"

    def seeds_folder(self, number: int) -> Path:
        """Where the pictures of a seed grid are."""
        return self._root / "work" / "studio" / "seeds" / str(number)

    def _take(self, job: Job, event: dict[str, Any]) -> None:
        job.take(event)
        if "working" in event:
            self._making[job.id] = frozenset(event["working"])
        if "frame" in event:
            index = int(event["frame"])
            self._frames_done.setdefault(job.id, set()).add(index)
            if self._session.frame_files is not None and job.kind == "preview":
                self._session.frame_files.note_preview([index], exact=False)
        if self._show_later is None:
            loop = asyncio.get_running_loop()
            self._show_later = loop.call_later(_SHOW_SECONDS, self._show)

    def _take_result(self, job: Job, result: Any) -> None:
        files = self._session.frame_files
        if job.kind == "preview" and files is not None:
            files.note_preview(sorted(_frames_of(job)), exact=bool(result["exact"]))

    def _take_error(self, job: Job, error: CallError) -> None:
        facts = error.facts
        if error.is_cancelled:
            job.finish(PAUSED if job.id in self._pausing else STOPPED)
        elif facts["kind"] == "FolderInUseError":
            job.finish(QUEUED)  # such as the process of a server that was killed: it ends soon
        elif job.outdated and _CHANGED in facts["message"]:
            job.finish(QUEUED)
        else:
            job.finish(FAILED, error=facts)
            left = _frames_of(job) - self._frames_done.get(job.id, set())
            self._session.set_failed(left, facts["message"])

    def _changed(self) -> None:
        """Keep the list, show it, and look for work."""
        try:
            self._jobs.save()
        except OutputError as error:
            _log.warning("%s", error)
        self._wake.set()
        self._show()

    def _show(self) -> None:
        self._show_later = None
        jobs = self._jobs.facts()
        if self._terminal is not None:
            jobs.insert(0, self._terminal.facts())
        self._state.set(jobs=jobs, queue={"paused": self._jobs.paused})


def _frames_of(job: Job) -> set[int]:
    if job.frames is not None:
        return set(range(job.frames[0], job.frames[1] + 1))
    return set(map(int, job.arguments.get("frames", ())))


def _fault(job: Job) -> dict[str, Any]:
    message = f"the job {job.kind} failed in the studio itself; see its log"
    return {"kind": "Fault", "message": message, "remedy": None}
