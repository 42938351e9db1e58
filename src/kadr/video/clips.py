"""A path in, an open Clip out; a path and a clip to resemble in, a ClipWriter out."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from kadr.errors import InputError
from kadr.files import IMAGE_SUFFIXES
from kadr.video.base import Clip
from kadr.video.sequence import is_glob, sequence_pattern

_ANIMATED_SUFFIXES = frozenset({".gif", ".webp", ".png", ".apng"})


def open_clip(
    path: str | Path, *, allow_truncated: bool = False, frame_rate: Fraction | None = None
) -> Clip:
    """Open a video file, an animated image, or a folder, pattern or glob of numbered images.

    allow_truncated: use the good frames of a damaged file instead of refusing it.
    frame_rate: of an image sequence; 24 by default. Video files keep their own.
    Raises InputError naming the file and the remedy.
    """
    path = Path(path)
    if path.is_dir() or _names_many(path):
        from kadr.video.images import open_images

        return open_images(path, frame_rate=frame_rate)
    if not path.exists():
        raise InputError(f"{path}: no such file; check the path")
    if path.suffix.lower() in _ANIMATED_SUFFIXES:
        from kadr.video.animated import is_animated, open_animated

        if is_animated(path):
            return open_animated(path, allow_truncated=allow_truncated)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise InputError(
            f"{path}: a single image; give its folder or a pattern such as frame_%05d.png"
        )
    from kadr.video.pyav import open_video

    return open_video(path, allow_truncated=allow_truncated)


def _names_many(path: Path) -> bool:
    """Whether the name is a pattern or glob of images, and not simply a file called so."""
    if path.exists():
        return False
    return sequence_pattern(path.name) is not None or is_glob(path.name)
