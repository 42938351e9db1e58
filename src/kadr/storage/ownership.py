"""Mark a folder as one of kadr's work folders, and tell kadr's files from those of other people.

Work files are deleted by kadr, so it must know that they are its own: each work folder holds a
marker file with an id, which kadr writes only into a folder that it found missing or empty. The
work folder itself may be a link, as its marker tells whose it is; no link below it is followed.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path

from kadr.errors import OutputError
from kadr.files import make_folder
from kadr.storage.layout import WorkLayout

_TEXT = "Work files of kadr, which kadr deletes when they are old. Keep no other files here.\nid "
_MARKER = re.compile(re.escape(_TEXT) + r"[0-9a-f]{32}\n")
_NEVER_A_LINK = getattr(os, "O_NOFOLLOW", 0)  # Windows has no such flag


def adopt_folder(folder: Path) -> None:
    """Make a folder kadr's: one that is missing or empty gets the marker.

    Raises OutputError for a folder without the marker that holds files, and if the folder cannot
    be made or written.
    """
    make_folder(folder)
    marker = WorkLayout(folder).marker
    try:
        stranger = next((path for path in sorted(folder.iterdir()) if path != marker), None)
        # asked last: another kadr may have made the folder its own meanwhile
        if is_marked(folder):
            return
        if stranger is not None or not _is_unfinished(marker):
            raise OutputError(
                f"{folder}: holds files that kadr did not make ({(stranger or marker).name}); "
                "kadr deletes work files, so give it a new or an empty folder"
            )
        flags = os.O_WRONLY | os.O_CREAT | _NEVER_A_LINK
        with os.fdopen(os.open(marker, flags, 0o666), "w", encoding="ascii") as file:
            file.write(f"{_TEXT}{uuid.uuid4().hex}\n")
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(
            f"{folder}: cannot be written ({error.strerror}); work in a folder that you may write"
        ) from error


def is_marked(folder: Path) -> bool:
    """Whether a folder holds the marker of a work folder."""
    marker = WorkLayout(folder).marker
    try:
        if not stat.S_ISREG(marker.lstat().st_mode):
            return False
        with marker.open("rb") as file:
            text = file.read(2 * len(_TEXT)).decode("ascii", "replace")
    except OSError:
        return False
    return _MARKER.fullmatch(text.replace("\r\n", "\n")) is not None


def _is_unfinished(marker: Path) -> bool:
    """Whether there is no marker yet, or the empty one of a kadr that was killed."""
    if marker.is_symlink():
        return False
    return not marker.exists() or (marker.is_file() and marker.stat().st_size == 0)


def holds_file(folder: Path, path: Path) -> bool:
    """Whether ``path`` is a regular file below ``folder``, with no link on the way from there."""
    try:
        refuse_links(folder, path)
        return stat.S_ISREG(path.lstat().st_mode)
    except (OSError, ValueError):  # a link, no such file, or not below the folder
        return False


def refuse_links(folder: Path, path: Path) -> None:
    """Raise OutputError if ``path`` or a folder on the way to it from ``folder`` is a link.

    What does not exist yet is no link. ``folder`` itself may be one.
    """
    for part in _way(folder, path):
        if part.is_symlink():
            raise OutputError(
                f"{part}: is a link; delete it, or give the folder that it leads to as the folder "
                "for work files: kadr follows no links below that"
            )


def _way(folder: Path, path: Path) -> Iterator[Path]:
    """The paths from ``folder``, without it, to ``path``; an error if that is not below it."""
    relative = path.relative_to(folder)
    if ".." in relative.parts:
        raise OutputError(f"{path}: is not in {folder}; give a path without ..")
    for name in relative.parts:
        folder = folder / name
        yield folder


def remove_marker(folder: Path) -> None:
    """Remove the marker of a folder that holds no work files any more."""
    if is_marked(folder):
        with contextlib.suppress(OSError):
            WorkLayout(folder).marker.unlink()
