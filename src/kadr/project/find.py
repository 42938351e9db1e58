"""What a clip was in, where it lies now out: by its size, then by its content."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from kadr.errors import InputError
from kadr.video.identity import clip_identity, clip_size

_MOST_ENTRIES = 20_000
"""How many names are looked at in one place: a clip is sought near by, not on a whole disk."""

_log = logging.getLogger(__name__)


def find_clip(
    old: Path, size: int, sha256: str, places: Sequence[Path], cache: Path | None = None
) -> Path | None:
    """The clip that held ``sha256`` when it lay at ``old``, from some folders and those in them.

    size: its bytes in all, so that only files that may be it are read. None if it is not found.
    """
    seen: set[Path] = set()
    for candidate in itertools.chain.from_iterable(_candidates(old, place) for place in places):
        where = candidate.absolute()
        if where in seen:
            continue
        seen.add(where)
        try:
            if clip_size(candidate) == size and clip_identity(candidate, cache) == sha256:
                return candidate
        except (InputError, OSError) as error:
            _log.debug("%s: passed over (%s)", candidate, error)
    return None


def _candidates(old: Path, place: Path) -> Iterator[Path]:
    """What might be the clip in a place: its old name first, then all else of its kind."""
    if place.is_file():
        yield place
        return
    folders = [place, *_children(place, folders=True)]
    yield from (folder / old.name for folder in folders)
    if old.suffix and "#" not in old.name and "%" not in old.name:
        files = itertools.chain.from_iterable(_children(folder) for folder in folders)
        yield from (file for file in files if file.suffix.lower() == old.suffix.lower())
    else:
        yield from folders


def _children(folder: Path, *, folders: bool = False) -> Iterable[Path]:
    try:
        entries = list(itertools.islice(folder.iterdir(), _MOST_ENTRIES))
    except OSError:
        return []
    return sorted(entry for entry in entries if entry.is_dir() == folders)
