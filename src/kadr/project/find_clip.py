"""Find a clip that was moved, by its size and then by its content."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from kadr.errors import InputError
from kadr.video.identity import clip_identity, clip_size

_MAX_ENTRIES = 20_000
"""Names that are read in one folder: the search covers nearby folders, not a whole disk."""

_log = logging.getLogger(__name__)


def find_clip(
    old_path: Path, size: int, sha256: str, folders: Sequence[Path], cache: Path | None = None
) -> Path | None:
    """Search ``folders`` and their subfolders for the clip that was at ``old_path``.

    folders: may also hold files, which are candidates themselves. sha256, size: the content of the
    clip and its total size in bytes, so that only files of this size are read. None if it is not
    found.
    """
    checked: set[Path] = set()
    candidates = (_candidates(old_path, folder) for folder in folders)
    for candidate in itertools.chain.from_iterable(candidates):
        path = candidate.absolute()
        if path in checked:
            continue
        checked.add(path)
        try:
            if clip_size(candidate) == size and clip_identity(candidate, cache) == sha256:
                return candidate
        except (InputError, OSError) as error:
            _log.debug("%s: skipped (%s)", candidate, error)
    return None


def _candidates(old_path: Path, folder: Path) -> Iterator[Path]:
    """Paths that may be the clip: those with its old name first, then all others of its kind."""
    if folder.is_file():
        yield folder
        return
    folders = [folder, *_children(folder, folders=True)]
    yield from (parent / old_path.name for parent in folders)
    if old_path.suffix and "#" not in old_path.name and "%" not in old_path.name:
        files = itertools.chain.from_iterable(_children(parent) for parent in folders)
        yield from (file for file in files if file.suffix.lower() == old_path.suffix.lower())
    else:
        yield from folders


def _children(folder: Path, *, folders: bool = False) -> Iterable[Path]:
    """The files in a folder, or its subfolders."""
    try:
        entries = list(itertools.islice(folder.iterdir(), _MAX_ENTRIES))
    except OSError:
        return []
    return sorted(entry for entry in entries if entry.is_dir() == folders)
