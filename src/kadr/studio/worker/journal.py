"""Undo and redo: what files of a project were before each edit, kept in the project's folder."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock

from kadr.errors import OutputError
from kadr.files import Sync, atomic_file, file_digest, make_folder

_MOST = 100
"""Edits that can be undone."""


def studio_folder(root: Path) -> Path:
    """Where the studio keeps what cannot be made again: undo, the queue, takes."""
    return root / "studio"


class Journal:
    """The edits of a project, oldest first; ``edit`` records one, ``step`` undoes or redoes one."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = studio_folder(root) / "undo"
        self._file = self._folder / "journal.json"
        self._content = self._read()

    def _read(self) -> dict[str, Any]:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            content = json.loads(self._file.read_text(encoding="utf-8"))
            return {
                "next": int(content["next"]),
                "undo": list(content["undo"]),
                "redo": list(content["redo"]),
            }
        return {"next": 1, "undo": [], "redo": []}

    def label(self, stack: str) -> dict[str, str] | None:
        """What the next undo ("undo") or redo ("redo") is about, or None."""
        entries = self._content[stack]
        return {"label": entries[-1]["label"]} if entries else None

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Read the journal again, and keep other processes of the studio from writing it."""
        make_folder(self._folder)
        with FileLock(self._folder / "lock"):
            self._content = self._read()
            yield

    @contextlib.contextmanager
    def edit(self, label: str, *paths: Path) -> Iterator[None]:
        """Record what the block changes in ``paths``; a block that fails changes nothing."""
        with self._locked():
            yield from self._edit(label, paths)

    def _edit(self, label: str, paths: tuple[Path, ...]) -> Iterator[None]:
        changes = [self._keep(path) for path in paths]
        entry = {"label": label, "changes": changes}
        try:
            yield
        except BaseException:
            for change in changes:
                self._put_back(change)
            raise
        for change in changes:
            change["after"] = self._digest(change)
        for stale in self._content["redo"]:
            self._forget(stale)
        self._content["redo"] = []
        self._content["undo"].append(entry)
        for stale in self._content["undo"][:-_MOST]:
            self._forget(stale)
        self._content["undo"] = self._content["undo"][-_MOST:]
        self._write()

    def step(self, source: str) -> str:
        """Undo ("undo") or redo ("redo") the newest entry; returns its label.

        Raises OutputError if there is none, or if another program changed a file since.
        """
        with self._locked():
            return self._step(source)

    def _step(self, source: str) -> str:
        if not self._content[source]:
            raise OutputError(f"{self._root}: there is nothing to {source}")
        entry = self._content[source][-1]
        for change in entry["changes"]:
            if self._digest(change) != change["after"]:
                raise OutputError(
                    f"{self._root / change['path']}: was changed by another program since; "
                    f"to keep that, {source} is refused"
                )
        changes = [self._keep(self._root / change["path"]) for change in entry["changes"]]
        for change in entry["changes"]:
            self._put_back(change)
        for change in changes:
            change["after"] = self._digest(change)
        self._content[source].pop()
        self._content["redo" if source == "undo" else "undo"].append(
            {"label": entry["label"], "changes": changes}
        )
        self._write()
        return str(entry["label"])

    def _keep(self, path: Path) -> dict[str, Any]:
        """Copy a file as it is now; note if there is none."""
        relative = path.relative_to(self._root).as_posix()
        change: dict[str, Any] = {"path": relative, "copy": None, "after": None}
        if path.is_file():
            change["copy"] = f"{self._content['next']:06d}"
            self._content["next"] += 1
            with atomic_file(self._folder / change["copy"], Sync.CONTENT) as temporary:
                shutil.copyfile(path, temporary)
        return change

    def _put_back(self, change: dict[str, Any]) -> None:
        path = self._root / change["path"]
        if change["copy"] is None:
            path.unlink(missing_ok=True)
            return
        with atomic_file(path) as temporary:
            shutil.copyfile(self._folder / change["copy"], temporary)
        (self._folder / change["copy"]).unlink(missing_ok=True)

    def _digest(self, change: dict[str, Any]) -> str | None:
        path = self._root / change["path"]
        return file_digest(path) if path.is_file() else None

    def _forget(self, entry: dict[str, Any]) -> None:
        for change in entry["changes"]:
            if change["copy"] is not None:
                (self._folder / change["copy"]).unlink(missing_ok=True)

    def _write(self) -> None:
        with atomic_file(self._file) as temporary:
            temporary.write_text(json.dumps(self._content), encoding="utf-8")
