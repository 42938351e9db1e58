"""A range of frames and a budget in, the keyframes to stylize out."""

from __future__ import annotations

from kadr.core.frames import FrameRange


def space_keyframes(frames: FrameRange, budget: int) -> list[int]:
    """Up to ``budget`` keyframes, spread evenly, first and last frame included.

    One key alone goes to the middle, where no frame is far from it.
    """
    count = min(budget, len(frames))
    if count == 1:
        return [frames.start + (len(frames) - 1) // 2]
    step = (len(frames) - 1) / (count - 1)
    return [frames.start + round(i * step) for i in range(count)]
