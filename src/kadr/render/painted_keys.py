"""Options and a clip in, the painted keys of a run and notices on what is not used out."""

from __future__ import annotations

from dataclasses import replace

from kadr.core.frames import FrameRange
from kadr.errors import InputError, OptionsError
from kadr.options import RunOptions
from kadr.stylize.external import KeyFile, find_keys
from kadr.unused_files import list_names, unused_file_notices
from kadr.video.base import Clip
from kadr.video.sparse_clip import SparseClip, whole_clip


def painted_keys(
    options: RunOptions, clip: Clip, frames: FrameRange
) -> tuple[list[KeyFile], list[str]]:
    """The painted keys of a run that lie in its frames, and notices on other files and keys.

    Other stylizers have none. Raises InputError if keys do not fit the clip, or if none lies in the
    frames.
    """
    if not options.keys:
        return [], []
    if options.rotate_keys and not clip.info.rotation:
        raise OptionsError(
            f"rotate-keys: is for a clip that is stored rotated, and {options.clip} is not; "
            "leave it out"
        )
    keys = find_keys(options.keys, whole_clip(clip), options.key_offset)
    places = [(key, _index(key, clip)) for key in keys]
    files = [
        replace(key, index=index) for key, index in places if index is not None and index in frames
    ]
    asked = f"{clip.number(frames.start)}–{clip.number(frames.stop - 1)}"
    if not files:
        raise InputError(
            f"{options.keys[0]}: no key lies in the frames {asked} that were asked for"
        )
    notices = unused_file_notices(options.keys)
    outside = [key.path for key, index in places if index not in frames]
    if outside:
        notices.append(
            f"{options.keys[0]}: not used, outside of frames {asked}: {list_names(outside)}"
        )
    return files, notices


def _index(key: KeyFile, clip: Clip) -> int | None:
    """The index in ``clip`` of a key of the whole clip; None if its frame is not made."""
    return clip.position(key.index) if isinstance(clip, SparseClip) else key.index
