"""Folders and files that a user gave in, one line out for each kind of file that is passed over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kadr.core.locations import url_of
from kadr.files import list_folder
from kadr.image_files import IMAGE_SUFFIXES

_OTHER_SUFFIXES = frozenset({
    ".avif", ".heic", ".heif", ".jxl", ".jp2", ".j2k", ".jfif", ".exr", ".hdr", ".dpx",
    ".cin", ".tga", ".gif", ".apng", ".svg", ".pdf", ".eps", ".psd", ".psb", ".kra", ".ora",
    ".xcf", ".clip", ".procreate", ".afphoto", ".sai", ".sai2", ".mdp", ".pdn", ".ai", ".ico",
    ".ppm", ".pgm", ".pbm", ".pnm", ".pcx", ".sgi", ".dng", ".cr2", ".cr3", ".nef", ".arw",
    ".raf", ".orf", ".rw2", ".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg",
    ".zip", ".rar", ".7z",
})  # fmt: skip
"""Types of images, of paint programs, of videos and of archives that are not read as images."""

_MOST_NAMES = 3


def unused_file_notices(paths: Sequence[Path]) -> list[str]:
    """What is passed over in folders of images, and among the files given beside them.

    Named are files of other image types, unless an image of the same name lies beside them (as a
    paint program's own file does), and subfolders. Hidden files and files of systems are not.
    """
    notices = []
    files = [
        path for path in paths if not path.is_dir() and not _is_image(path) and url_of(path) is None
    ]
    if files:
        notices.append(f"{list_names(files, whole=True)}: not used, no type of image that is read")
    for folder in (path for path in paths if path.is_dir()):
        entries = [entry for entry in list_folder(folder) if not entry.name.startswith(".")]
        stems = {entry.stem for entry in entries if _is_image(entry)}
        others = [
            entry
            for entry in entries
            if entry.suffix.lower() in _OTHER_SUFFIXES - IMAGE_SUFFIXES
            and entry.stem not in stems
            and entry.is_file()
        ]
        if others:
            notices.append(f"{folder}: not used, no type that is read: {list_names(others)}")
        folders = [entry for entry in entries if entry.is_dir() and entry.name != "__MACOSX"]
        if folders:
            notices.append(f"{folder}: subfolders are not read: {list_names(folders)}")
    return notices


def list_names(paths: Sequence[Path], *, whole: bool = False) -> str:
    """The first names and how many more there are; whole: with their folders."""
    names = [str(path) if whole else path.name for path in paths[:_MOST_NAMES]]
    more = len(paths) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES
