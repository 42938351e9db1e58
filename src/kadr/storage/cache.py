"""The cache folder: where runs without a project keep their work."""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import re
import stat
import tempfile
from pathlib import Path

import platformdirs

from kadr.core.locations import url_of
from kadr.errors import OutputError
from kadr.storage.ownership import is_marked

VARIABLE = "KADR_CACHE"
"""The environment variable that names another cache folder."""

RUNS = "runs"
"""The folder in it that holds a work folder for each run."""

_UNSAFE = re.compile(r"[^\w.-]+")
_MOST_CHARACTERS = 40

_log = logging.getLogger(__name__)


def cache_root() -> Path:
    """The cache folder itself. It need not exist yet.

    Without a home folder, or with one that cannot be written, it is a folder among temporary files,
    which a warning names. Raises OutputError if there is none either.
    """
    folder = os.environ.get(VARIABLE)
    if folder:
        return Path(folder).expanduser()
    usual = Path(platformdirs.user_cache_dir("kadr", appauthor=False))
    return usual if is_writable(usual) else _temporary_root(usual)


def is_writable(folder: Path) -> bool:
    """Whether a folder can be written, or made if it is missing."""
    if not folder.is_absolute():  # there is no home folder: ``~`` stands for none
        return False
    try:
        existing = next(path for path in (folder, *folder.parents) if path.exists())
    except OSError:
        return False
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)


@functools.cache
def _temporary_root(usual: Path) -> Path:
    """A folder of this user alone among temporary files; the same one in each run."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    remedy = f"set {VARIABLE} to a folder that you may write"
    try:
        folder = Path(tempfile.gettempdir()) / f"kadr-{user}"
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        raise OutputError(f"{usual}: no work files can be written; {remedy}") from error
    # somebody else may have made one by this name, to read what is put there or to change it
    if not stat.S_ISDIR(status.st_mode) or (hasattr(os, "getuid") and status.st_uid != user):
        raise OutputError(f"{folder}: belongs to somebody else; {remedy}")
    _log.warning("%s: is no folder that can be written; %s is used: %s", usual, folder, remedy)
    return folder


def log_folder() -> Path:
    """Where reports of faults of kadr go. It need not exist yet. Raises OutputError."""
    folder = os.environ.get(VARIABLE)
    if folder:
        return Path(folder).expanduser() / "logs"
    usual = Path(platformdirs.user_log_dir("kadr", appauthor=False))
    return usual if is_writable(usual) else _temporary_root(usual) / "logs"


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
    paths = "\0".join(url_of(path) or str(Path(path).resolve()) for path in names)
    digest = hashlib.sha256(paths.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    name = _UNSAFE.sub("_", Path(clip).stem).strip("._")[:_MOST_CHARACTERS] or "clip"
    return cache_root() / RUNS / f"{name}-{digest}"


def surveys_folder() -> Path:
    """Where plans without a project keep surveys of clips. It need not exist yet."""
    return cache_root() / "surveys"


def server_folder(address: str) -> Path:
    """Where runs note what they change on the server at an address. It need not exist yet."""
    digest = hashlib.sha256(address.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return cache_root() / "servers" / digest
