"""A folder or pattern of images in, the image of each frame out, by the numbers in the names."""

from __future__ import annotations

from pathlib import Path

from kadr.stylize.external import find_keys
from kadr.video.base import Clip
from kadr.video.sequence import find_sequence, is_glob, sequence_pattern


def find_numbered_files(path: Path, clip: Clip, kind: str) -> dict[int, Path] | None:
    """Frame index → file; None if the path is neither a folder nor a pattern.

    kind: what errors call the images. Raises InputError for names that do not fit the clip.
    """
    is_pattern = not path.exists() and (sequence_pattern(path.name) or is_glob(path.name))
    if not path.is_dir() and not is_pattern:
        return None
    files = (path,) if path.is_dir() else find_sequence(path).files
    return {file.index: file.path for file in find_keys(files, clip, kind=kind)}
