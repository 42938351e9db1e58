"""Projects that were opened lately, newest first, in a file of the user."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

import platformdirs

from kadr.errors import OutputError
from kadr.files import Sync, atomic_file
from kadr.storage.cache import VARIABLE

_MOST = 20


def _file() -> Path:
    folder = os.environ.get(VARIABLE) or platformdirs.user_config_dir("kadr", appauthor=False)
    return Path(folder) / "studio-recent.json"


def recent_projects() -> list[dict[str, Any]]:
    """``path``, ``name`` and ``opened`` of projects that still exist."""
    listed = []
    for item in _read():
        path = Path(item["path"])
        with contextlib.suppress(OSError):
            if (path / "project.toml").is_file():
                name = path.name.removesuffix(".kadr")
                listed.append({"path": str(path), "name": name, "opened": item["opened"]})
    return listed


def note_opened(path: Path) -> None:
    """Put a project at the head of the list; a list that cannot be kept is not missed."""
    others = [item for item in _read() if item["path"] != str(path)]
    items = [{"path": str(path), "opened": round(time.time(), 1)}, *others][:_MOST]
    with contextlib.suppress(OutputError), atomic_file(_file(), Sync.NOTHING) as temporary:
        temporary.write_text(json.dumps(items), encoding="utf-8")


def _read() -> list[dict[str, Any]]:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        items = json.loads(_file().read_text(encoding="utf-8"))
        return [{"path": str(item["path"]), "opened": float(item["opened"])} for item in items]
    return []
