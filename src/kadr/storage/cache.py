"""The cache folder: where runs without a project keep their work."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import platformdirs

VARIABLE = "KADR_CACHE"
"""The environment variable that names another cache folder."""

RUNS = "runs"
"""The folder in it that holds a work folder for each run."""

_UNSAFE = re.compile(r"[^\w.-]+")
_MOST_CHARACTERS = 40


def cache_root() -> Path:
    """The cache folder itself. It need not exist yet."""
    folder = os.environ.get(VARIABLE)
    return Path(folder) if folder else Path(platformdirs.user_cache_dir("kadr", appauthor=False))


def log_folder() -> Path:
    """Where reports of faults of kadr go. It need not exist yet. Raises OSError without a home."""
    folder = os.environ.get(VARIABLE)
    if folder:
        return Path(folder) / "logs"
    return _absolute(Path(platformdirs.user_log_dir("kadr", appauthor=False)))


def _absolute(folder: Path) -> Path:
    """The folder itself. Raises OSError for one below a home that nobody knows, ``~``."""
    if not folder.is_absolute():
        raise FileNotFoundError(f"{folder}: there is no home folder")
    return folder


def cache_folder(clip: str | Path, output: str | Path) -> Path:
    """The work folder of a run of ``clip`` into ``output``; the same paths give the same folder.

    Its name is the clip's name, for people, and a hash of both full paths. It need not exist yet.
    """
    paths = "\0".join(str(Path(path).resolve()) for path in (clip, output))
    digest = hashlib.sha256(paths.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    name = _UNSAFE.sub("_", Path(clip).stem).strip("._")[:_MOST_CHARACTERS] or "clip"
    return cache_root() / RUNS / f"{name}-{digest}"


def surveys_folder() -> Path:
    """Where plans without a project keep surveys of clips. It need not exist yet."""
    return cache_root() / "surveys"
