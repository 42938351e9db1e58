"""What the page shows: the members of the snapshot, and their changes as events."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from kadr.studio.events import EventLog

_NO_PROJECT: dict[str, Any] = {
    "project": None,
    "read_only": None,
    "problem": None,
    "run_problem": None,
    "clip": None,
    "pictures": None,
    "frames": None,
    "keys": None,
    "suggestions": None,
    "curves": None,
    "options": None,
    "jobs": [],
    "queue": {"paused": False},
    "undo": None,
    "redo": None,
    "takes": [],
    "layers": [],
    "start": None,
}


class PageState:
    """The members of the snapshot. With each project a new ``boot`` begins."""

    def __init__(self, version: str) -> None:
        self._version = version
        self.revision = 0
        self.parts: dict[str, Any] = {}
        self.log = EventLog("")
        self.frames: Callable[[], dict[str, Any] | None] = lambda: None
        """Gives the member ``frames``, which is too large to be kept twice."""
        self.restart()

    def restart(self) -> None:
        """Begin again without a project: pages take a new snapshot."""
        old, self.log = self.log, EventLog(secrets.token_hex(4))
        self.revision, self.parts = 0, dict(_NO_PROJECT)
        self.frames = lambda: None
        old.wake()

    def set(self, author: str | None = None, **parts: Any) -> bool:
        """Replace members; returns whether any of them changed. author: who caused it."""
        changed = {
            name: value
            for name, value in parts.items()
            if name not in self.parts or self.parts[name] != value
        }
        self.parts |= changed
        if changed:
            self.log.publish(author, set=changed)
        return bool(changed)

    def raise_revision(self, author: str | None = None, **parts: Any) -> None:
        """Replace members that edits depend on."""
        self.revision += 1
        self.parts |= parts
        self.log.publish(author, set={"revision": self.revision, **parts})

    def publish_frames(self, patch: dict[str, Any]) -> None:
        """Tell pages how frames changed."""
        self.log.publish(frames=patch)

    def publish_all_frames(self) -> None:
        """Tell pages that the frames are others."""
        self.log.publish(set={"frames": self.frames()})

    def snapshot(self) -> dict[str, Any]:
        """All of it."""
        return {
            "boot": self.log.boot,
            "event": self.log.number,
            "revision": self.revision,
            "version": self._version,
            **self.parts,
            "frames": self.frames(),
        }
