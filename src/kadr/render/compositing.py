"""How a run composites its frames, and what to tell people about it."""

from __future__ import annotations

from collections.abc import Iterator

from kadr.core.background import parse_background
from kadr.render.compositor import CompositeWork
from kadr.render.run_context import RunContext


def composite_work(run: RunContext, channels: int) -> CompositeWork | None:
    """How finished frames are composited; None if the styled ones cover all of each frame.

    channels: 3 or 4, of all stylized keys together.
    """
    if run.masks is None and channels == 3:
        return None
    area = run.work_area
    assert run.backdrop is not None, "an open run has a background"
    return CompositeWork(
        run.size,
        None if area is None else area.without_tiles(),
        run.backdrop,
        None if run.masks is None else run.masks.source(),
    )


def background_notices(run: RunContext, channels: int) -> Iterator[str]:
    """What to tell people about the background, once the keys are stylized."""
    options, has_alpha = run.options, channels == 4
    background = parse_background(options.background)
    if not has_alpha and run.masks is None and not background.is_film and not options.frames_only:
        yield (
            f"background {options.background}: shows nowhere: there is no mask, and no key is "
            "transparent"
        )
    if background.transparent and str(options.output).lower().endswith(".gif"):
        yield f"{options.output}: GIF has no soft alpha; edges of the matte become hard"
    if has_alpha and background.is_film and not run.clip.info.has_alpha:
        yield (
            "where keys are transparent the film shows; --background transparent keeps their alpha"
        )
