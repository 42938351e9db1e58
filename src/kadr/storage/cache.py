"""A clip and its output in, the folder out in which their work is kept between runs."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import platformdirs

VARIABLE = "KADR_CACHE"
"""The environment variable that names another place for work without a project."""

RUNS = "runs"
"""The folder of runs in it, one folder each."""

_UNSAFE = re.compile(r"[^\w.-]+")
_MOST_CHARACTERS = 40


def cache_root() -> Path:
    """The folder that holds the work of all runs without a project. It need not exist yet."""
    given = os.environ.get(VARIABLE)
    return Path(given) if given else Path(platformdirs.user_cache_dir("kadr", appauthor=False))


def cache_folder(clip: str | Path, output: str | Path) -> Path:
    """Where a run of ``clip`` into ``output`` keeps its work; the same again for the same two.

    Named by the clip's name, for people, and a hash of both full paths. It need not exist yet.
    """
    places = "\0".join(str(Path(path).resolve()) for path in (clip, output))
    digest = hashlib.sha256(places.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    name = _UNSAFE.sub("_", Path(clip).stem).strip("._")[:_MOST_CHARACTERS] or "clip"
    return cache_root() / RUNS / f"{name}-{digest}"


def surveys_folder() -> Path:
    """Where plans without a project keep what they know of clips. It need not exist yet."""
    return cache_root() / "surveys"
