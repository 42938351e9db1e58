"""Jobs and their order, kept in the project's folder: they survive the end of the server."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from kadr.files import atomic_file

QUEUED, WORKING, PAUSED, STOPPING, DONE, FAILED, STOPPED = (
    "queued", "working", "paused", "stopping", "done", "failed", "stopped",
)  # fmt: skip
"""States of a job."""

ENDED = (DONE, FAILED, STOPPED)
KINDS = ("run", "preview", "plan", "stylize", "seeds", "export")
_MOST_ENDED = 20
"""Ended jobs that are kept."""
_MOST_NOTICES = 50


@dataclass
class Job:
    """One job, as the page shows it. arguments: of the call that does it, without paths."""

    id: int
    kind: str
    arguments: dict[str, Any] = field(default_factory=dict)
    author: str | None = None
    state: str = QUEUED
    source: str = "studio"
    created: float = field(default_factory=time.time)
    started: float | None = None
    ended: float | None = None
    step: str = ""
    index: int = 0
    total: int | None = None
    share: float | None = None
    seconds_left: float | None = None
    message: str = ""
    notices: list[str] = field(default_factory=list)
    error: dict[str, Any] | None = None
    frames: list[int] | None = None
    result: dict[str, Any] | None = None
    outdated: bool = False

    def facts(self) -> dict[str, Any]:
        """The job as JSON for the page."""
        return asdict(self)

    def take(self, event: dict[str, Any]) -> None:
        """Take what its call reports: progress or a notice."""
        if "notice" in event:
            self.message = str(event["notice"])
            self.notices = [*self.notices, self.message][-_MOST_NOTICES:]
        for name in ("step", "index", "total", "share", "seconds_left"):
            if name in event:
                setattr(self, name, event[name])

    def begin(self) -> None:
        """It works from now on."""
        self.state, self.started, self.ended = WORKING, time.time(), None
        self.step, self.index, self.total, self.share = "", 0, None, None
        self.seconds_left, self.error, self.message, self.notices = None, None, "", []
        self.outdated = False

    def finish(self, state: str, **facts: Any) -> None:
        """It ended, or waits again. facts: its ``result`` or ``error``."""
        self.state, self.seconds_left = state, None
        self.ended = time.time() if state in ENDED else None
        for name, value in facts.items():
            setattr(self, name, value)


class JobList:
    """The jobs of a project in the order in which they are done; ended ones follow."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.paused = False
        self._next = 1
        self._jobs: list[Job] = []
        self._read()

    def __iter__(self) -> Iterator[Job]:
        return iter(self._jobs)

    def facts(self) -> list[dict[str, Any]]:
        """All of them as JSON, those that wait first, then the newest ended ones."""
        waiting = [job for job in self._jobs if job.state not in ENDED]
        ended = sorted(
            (job for job in self._jobs if job.state in ENDED), key=lambda job: -(job.ended or 0)
        )
        return [job.facts() for job in (*waiting, *ended)]

    def find(self, number: int) -> Job | None:
        """The job with a number, or None."""
        return next((job for job in self._jobs if job.id == number), None)

    def add(self, kind: str, arguments: dict[str, Any], **settings: Any) -> Job:
        """Add a job at the end of the queue. Raises OutputError, and it is not added then."""
        job = Job(self._next, kind, arguments, **settings)
        self._jobs.append(job)
        self._next += 1
        try:
            self.save()
        except OSError:
            self._jobs.remove(job)
            raise
        return job

    def next(self, kinds: tuple[str, ...]) -> Job | None:
        """The first job of some kinds that waits, or None."""
        jobs = (job for job in self._jobs if job.state in (QUEUED, PAUSED) and job.kind in kinds)
        return next(jobs, None)

    def put_first(self, job: Job) -> None:
        """Move a job before all others."""
        self._jobs.remove(job)
        self._jobs.insert(0, job)
        self.save()

    def remove(self, job: Job) -> None:
        """Forget a job."""
        self._jobs.remove(job)

    def save(self) -> None:
        """Keep the list; only the newest ended jobs stay. Raises OutputError."""
        ended = [job for job in self._jobs if job.state in ENDED]
        ended.sort(key=lambda job: job.ended or 0)
        for job in ended[:-_MOST_ENDED]:
            self._jobs.remove(job)
        content = {
            "next": self._next,
            "paused": self.paused,
            "jobs": [asdict(job) for job in self._jobs],
        }
        with atomic_file(self._file) as temporary:
            temporary.write_text(json.dumps(content), encoding="utf-8")

    def _read(self) -> None:
        """What another server kept; what it was doing is to be done again, and goes on there."""
        names = {item.name for item in fields(Job)}
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            content = json.loads(self._file.read_text(encoding="utf-8"))
            jobs = [
                Job(**{name: value for name, value in item.items() if name in names})
                for item in content["jobs"]
                if item["kind"] in KINDS
            ]
            self._jobs = [_after_restart(job) for job in jobs]
            self._next, self.paused = int(content["next"]), bool(content["paused"])


def _after_restart(job: Job) -> Job:
    if job.state == WORKING:
        return replace(job, state=QUEUED, started=None, seconds_left=None)
    if job.state == STOPPING:
        return replace(job, state=STOPPED, ended=time.time(), seconds_left=None)
    return job
