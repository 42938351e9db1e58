"""Entries in, each run by a process of its own, in order or side by side; a row for each out."""

from __future__ import annotations

import contextlib
import queue
import time
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from kadr.batch.child import Child, ChildEvent
from kadr.batch.entries import BatchEntry
from kadr.batch.history import BatchHistory, history_folder, input_state
from kadr.core.events import CancelToken, Event
from kadr.core.row_bands import default_threads
from kadr.storage.lock import lock_folder

BATCH = "batch"
"""The step that counts runs; the steps of runs follow the names of their entries."""

FINISHED, FINISHED_BEFORE, PLANNED = "finished", "finished before", "planned"
FAILED, STOPPED, NOT_RUN = "failed", "stopped", "not run"

_STOPPED_CODE = 130
_PATIENCE = 0.2
"""Seconds between two looks at the cancel token."""


@dataclass(frozen=True)
class BatchRow:
    """What became of one entry. state: one of the words above. error: its line, if it failed.

    facts: of the result of the run, or of its dry run, as ``kadr run --json`` prints them.
    """

    entry: BatchEntry
    state: str = NOT_RUN
    seconds: float = 0.0
    error: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass
class _Running:
    child: Child
    start: float
    inputs: str | None
    error: str = ""
    facts: dict[str, Any] | None = None


class _Batch:
    """The state of a batch that runs."""

    def __init__(
        self,
        entries: Sequence[BatchEntry],
        history: BatchHistory,
        *,
        jobs: int,
        dry_run: bool,
        overwrite: bool,
    ) -> None:
        self.rows = {entry: BatchRow(entry) for entry in entries}
        self.waiting = deque(entries)
        self.running: dict[BatchEntry, _Running] = {}
        self.events: queue.Queue[tuple[BatchEntry, ChildEvent]] = queue.Queue()
        self._history, self._dry_run, self._overwrite = history, dry_run, overwrite
        self._jobs = min(jobs, len(entries))

    def start_next(self) -> None:
        """Start runs while there is room for them."""
        while self.waiting and len(self.running) < self._jobs:
            entry = self.waiting.popleft()
            inputs = None if self._dry_run else input_state(entry)
            child = Child(self._words(entry), partial(self._put, entry))
            self.running[entry] = _Running(child, time.monotonic(), inputs)

    def _put(self, entry: BatchEntry, event: ChildEvent) -> None:
        self.events.put((entry, event))

    def _words(self, entry: BatchEntry) -> list[str]:
        words = ["run", entry.target, *entry.words, "--json"]
        if self._jobs > 1 and not any(word.startswith("--threads") for word in entry.words):
            words.append(f"--threads={max(1, default_threads() // self._jobs)}")
        if self._dry_run:
            words.append("--dry-run")
        elif self._overwrite or self._history.may_replace(entry):
            words.append("--overwrite")
        return words

    def take(self, entry: BatchEntry, event: ChildEvent) -> Event | None:
        """Take what a run printed; the event that tells people about it."""
        run = self.running[entry]
        match event.get("event"):
            case "progress":
                total, message = event.get("total"), event.get("message") or ""
                step = f"{entry.name}: {event.get('step')}"
                text = f"{entry.name}: {message}" if message else ""
                return Event(step, int(event.get("index") or 0), total, message=text)
            case "notice":
                return self._count(f"{entry.name}: {event.get('message')}")
            case "error":
                run.error = str(event.get("message"))
            case "result":
                run.facts = {name: value for name, value in event.items() if name != "event"}
            case "exit":
                return self._end(entry, run, int(event["code"]))
        return None

    def _end(self, entry: BatchEntry, run: _Running, code: int) -> Event:
        del self.running[entry]
        run.child.close()
        seconds = time.monotonic() - run.start
        facts = run.facts or {}
        if code == 0 and run.facts is not None:
            state = PLANNED if self._dry_run else FINISHED
            self.rows[entry] = BatchRow(entry, state, seconds, "", facts)
            if not self._dry_run:
                self._history.record(entry, run.inputs, str(facts.get("output", "")))
        elif code == _STOPPED_CODE:
            self.rows[entry] = BatchRow(entry, STOPPED, seconds)
        else:
            cause = f"ended by signal {-code}" if code < 0 else f"ended with code {code}"
            error = run.error or f"{entry.target}: its process {cause}, without a message"
            self.rows[entry] = BatchRow(entry, FAILED, seconds, error)
        row = self.rows[entry]
        return self._count(f"{entry.name}: {row.state}" + (f": {row.error}" if row.error else ""))

    def _count(self, text: str) -> Event:
        done = len(self.rows) - len(self.waiting) - len(self.running)
        return Event(BATCH, done, len(self.rows), message=text)

    def close(self) -> None:
        """End the runs that are still under way."""
        for run in self.running.values():
            run.child.close()

    def skip_finished(self) -> None:
        """Take entries out that need no run."""
        for entry in list(self.waiting):
            if self._history.is_finished(entry):
                self.waiting.remove(entry)
                facts = {"output": self._history.output(entry)}
                self.rows[entry] = BatchRow(entry, FINISHED_BEFORE, facts=facts)


def run_batch(
    batch: Path,
    entries: Sequence[BatchEntry],
    cancel: CancelToken,
    *,
    jobs: int = 1,
    dry_run: bool = False,
    again: bool = False,
    overwrite: bool = False,
) -> Generator[Event, None, tuple[BatchRow, ...]]:
    """Run all entries, at most ``jobs`` at a time; one that fails does not stop the others.

    batch: the file or folder that they are from, under which it is noted what is finished. again:
    run what is finished too. Once ``cancel`` is set, running ones stop at their next frame and
    no other starts. Returns a row for each entry, in order. Raises FolderInUseError if another
    process runs this batch.
    """
    folder = history_folder(batch)
    with lock_folder(folder, str(batch)), contextlib.ExitStack() as stack:
        history = BatchHistory(folder)
        state = _Batch(entries, history, jobs=jobs, dry_run=dry_run, overwrite=overwrite)
        if not again and not overwrite:
            state.skip_finished()
        stack.callback(state.close)
        yield Event(BATCH, len(entries) - len(state.waiting), len(entries))
        stopped = False
        while state.waiting or state.running:
            if cancel.cancelled and not stopped:
                stopped = True
                state.waiting.clear()
                for run in state.running.values():
                    run.child.stop()
                continue
            state.start_next()
            try:
                entry, content = state.events.get(timeout=_PATIENCE)
            except queue.Empty:
                continue
            event = state.take(entry, content)
            if event is not None:
                yield event
        return tuple(state.rows[entry] for entry in entries)
