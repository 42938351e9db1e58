"""The cache folder: where runs without a project keep their work."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import platformdirs

from kadr.storage.ownership import is_marked

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


def cache_folders(clip: str | Path, output: str | Path) -> tuple[Path, Path]:
    """The work folders for a run of ``clip`` into ``output``, in the order to try them.

    All runs of a clip share a folder, so that another output of it need not be made anew. While one
    run works there, another uses the folder of its own output; what is begun there goes on there.
    """
    shared, own = cache_folder(clip), cache_folder(clip, output)
    return (own, shared) if is_marked(own) else (shared, own)


def cache_folder(clip: str | Path, output: str | Path | None = None) -> Path:
    """A work folder for runs of ``clip``, or for those into ``output`` only.

    Its name is the clip's name, for people, and a hash of the full paths. It need not exist yet.
    """
    names = (clip,) if output is None else (clip, output)
    paths = "\0".join(str(Path(path).resolve()) for path in names)
    digest = hashlib.sha256(paths.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    name = _UNSAFE.sub("_", Path(clip).stem).strip("._")[:_MOST_CHARACTERS] or "clip"
    return cache_root() / RUNS / f"{name}-{digest}"


def surveys_folder() -> Path:
    """Where plans without a project keep surveys of clips. It need not exist yet."""
    return cache_root() / "surveys"
