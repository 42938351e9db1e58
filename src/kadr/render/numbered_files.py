"""A folder or pattern of images in, the image of each frame out, by the numbers in the names."""

from __future__ import annotations

from pathlib import Path

from kadr.stylize.external import find_keys
from kadr.video.base import Clip
from kadr.video.sequence import find_sequence, is_glob, sequence_pattern
from kadr.video.sparse_clip import SparseClip, whole_clip


def find_numbered_files(path: Path, clip: Clip, kind: str) -> dict[int, Path] | None:
    """Frame index → file; None if the path is neither a folder nor a pattern.

    Of a SparseClip only its frames; the files of the others may be there or not. kind: what errors
    call the images. Raises InputError for names that do not fit the clip.
    """
    is_pattern = not path.exists() and (sequence_pattern(path.name) or is_glob(path.name))
    if not path.is_dir() and not is_pattern:
        return None
    files = (path,) if path.is_dir() else find_sequence(path).files
    numbered = find_keys(files, whole_clip(clip), kind=kind)
    if not isinstance(clip, SparseClip):
        return {file.index: file.path for file in numbered}
    positions = ((clip.position(file.index), file.path) for file in numbered)
    return {position: path for position, path in positions if position is not None}
