"""Options with a mask in, its masks out, looked at and ready to be read."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from kadr.cli.session import Session
from kadr.core.frames import FrameRange
from kadr.options import RunOptions

if TYPE_CHECKING:
    from kadr.render.masks import FrameMasks
    from kadr.video.base import Clip

_TILE = 16
"""Side in pixels of the tiles that are looked at; a run has those of its work size."""


def open_masks(
    options: RunOptions,
    clip: Clip,
    frames: FrameRange,
    work: Path,
    session: Session,
    stack: ExitStack,
) -> FrameMasks | None:
    """The masks of some frames; None without a mask. ``stack`` closes them.

    work: a work folder, which keeps what was seen. Raises InputError for masks that cannot be used.
    """
    if options.mask is None:
        return None
    from kadr.render.masks import FrameMasks
    from kadr.storage.layout import WorkLayout
    from kadr.storage.ownership import adopt_folder

    adopt_folder(work)
    masks = stack.enter_context(FrameMasks(options, clip, frames))
    session.follow(masks.survey(WorkLayout(work), _TILE, session.cancel))
    return masks
