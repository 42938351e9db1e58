"""Files of frames and what a run would make in, the state of each frame out, as changes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kadr.studio.file_versions import stat_version

NOT_MADE, QUEUED, WORKING, CURRENT, STALE, EDITED, FAILED, OUTSIDE = (
    "not-made", "queued", "working", "current", "stale", "edited", "failed", "outside",
)  # fmt: skip
"""States of a frame."""


@dataclass(frozen=True)
class FrameFile:
    """The picture of a frame. written: ns, the time of its last change."""

    version: str
    written: int


@dataclass(frozen=True)
class Work:
    """What jobs do at the moment. running: a run makes the pending frames; indices by state.

    making: what a run has at work; frames of it that are not pending are only on its way.
    """

    running: bool = False
    working: frozenset[int] = frozenset()
    queued: frozenset[int] = frozenset()
    making: frozenset[int] = frozenset()


def scan_frames(folder: Path, indices: Mapping[str, int]) -> dict[int, FrameFile]:
    """The PNG files of frames in a folder. indices: file stem → frame index."""
    files: dict[int, FrameFile] = {}
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            index = indices.get(entry.name[:-4]) if entry.name.endswith(".png") else None
            if index is None:
                continue
            with contextlib.suppress(OSError):
                stat = entry.stat(follow_symlinks=False)
                files[index] = FrameFile(stat_version(stat), stat.st_mtime_ns)
    return files


@dataclass
class FrameTable:
    """The frames of the open project; ``patch`` returns what changed since it was called last."""

    count: int
    first: int
    last: int
    finished: dict[int, FrameFile] = field(default_factory=dict)
    previews: dict[int, dict[str, Any]] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)
    _pending: frozenset[int] | None = None
    _edited: frozenset[int] = frozenset()
    _pending_versions: dict[int, str] = field(default_factory=dict)
    _states: list[str] = field(default_factory=list)
    _versions: list[str | None] = field(default_factory=list)
    _previews: dict[int, dict[str, Any]] = field(default_factory=dict)
    _failed: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._states, self._versions = self._find_states(Work()), self._find_versions()

    @property
    def pending_count(self) -> int:
        """Frames that a run would still make, as far as that is known."""
        return sum(map(self._is_pending, range(self.first, self.last + 1)))

    def set_pending(self, pending: Iterable[Sequence[int]] | None, edited: Any) -> None:
        """What a dry run found, as runs of frames: to be made, and changed by hand."""
        self._pending = None if pending is None else _members(pending)
        self._edited = _members(edited)
        self._pending_versions = {index: file.version for index, file in self.finished.items()}

    def patch(self, work: Work) -> dict[str, Any] | None:
        """What changed since the last call, as the page takes it; None for nothing."""
        states, versions = self._find_states(work), self._find_versions()
        changed = [index for index in range(self.count) if states[index] != self._states[index]]
        patch: dict[str, Any] = {}
        if changed:
            patch["states"] = state_runs(states, changed)
        new_versions = {
            str(index): versions[index]
            for index in range(self.count)
            if versions[index] != self._versions[index]
        }
        if new_versions:
            patch["versions"] = new_versions
        for name, new, old in (
            ("previews", self.previews, self._previews),
            ("failed", self.failed, self._failed),
        ):
            difference = _difference(new, old)
            if difference:
                patch[name] = difference
        self._states, self._versions = states, versions
        self._previews, self._failed = dict(self.previews), dict(self.failed)
        return patch or None

    @property
    def current_versions(self) -> dict[int, str]:
        """Index → version of the frames that are as the present settings make them."""
        return {
            index: file.version
            for index, file in self.finished.items()
            if index < self.count and self._states[index] in (CURRENT, EDITED)
        }

    def facts(self) -> dict[str, Any]:
        """All of it, for a snapshot; as of the last ``patch``."""
        return {
            "states": state_runs(self._states, range(self.count)),
            "versions": self._versions,
            "previews": {str(index): facts for index, facts in self._previews.items()},
            "failed": {str(index): text for index, text in self._failed.items()},
        }

    def _find_versions(self) -> list[str | None]:
        versions: list[str | None] = [None] * self.count
        for index, file in self.finished.items():
            versions[index] = file.version
        return versions

    def _is_pending(self, index: int) -> bool:
        if self._pending is None:
            return index not in self.finished
        if index not in self.finished:
            return True
        if index not in self._pending:
            return False
        return self._pending_versions.get(index) == self.finished[index].version

    def _find_states(self, work: Work) -> list[str]:
        states = [OUTSIDE] * self.count
        for index in range(max(0, self.first), min(self.last, self.count - 1) + 1):
            states[index] = self._state(index, work)
        return states

    def _state(self, index: int, work: Work) -> str:
        if index in work.working:
            return WORKING
        if index in self.failed:
            return FAILED
        is_pending = self._is_pending(index)
        if is_pending and index in work.making:
            return WORKING
        if index in work.queued or (work.running and is_pending):
            return QUEUED
        if is_pending:
            return STALE if index in self.finished else NOT_MADE
        return EDITED if index in self._edited else CURRENT


def state_runs(states: Sequence[str], indices: Iterable[int]) -> list[list[Any]]:
    """``[state, first, last]`` of each run of consecutive indices with one state."""
    runs: list[list[Any]] = []
    for index in indices:
        if runs and runs[-1][2] == index - 1 and runs[-1][0] == states[index]:
            runs[-1][2] = index
        else:
            runs.append([states[index], index, index])
    return runs


def _members(runs: Iterable[Sequence[int]]) -> frozenset[int]:
    return frozenset(index for first, last in runs for index in range(first, last + 1))


def _difference(new: Mapping[int, Any], old: Mapping[int, Any]) -> dict[str, Any]:
    """Index → new value, or None where one went."""
    gone: Collection[int] = old.keys() - new.keys()
    changed = {str(index): value for index, value in new.items() if old.get(index) != value}
    return changed | {str(index): None for index in gone}
