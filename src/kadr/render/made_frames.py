"""The options of a run that makes one frame of several in, the clip of these frames out."""

from __future__ import annotations

from dataclasses import replace

from kadr.core.frames import FrameRange, Span
from kadr.errors import OptionsError
from kadr.options import RunOptions
from kadr.stylize.external import find_keys
from kadr.video.base import Clip
from kadr.video.sparse_clip import FrameChoice, SparseClip


def choose_frames(options: RunOptions, clip: Clip, frames: FrameRange) -> FrameChoice | None:
    """The frames that a run makes; None: all of them.

    One of ``made_step`` from the first frame on. Keys that were painted between them are made too,
    as they carry their paint to the frames around them, but not shown.
    Raises InputError for keys that do not fit the clip.
    """
    if options.made_step == 1:
        return None
    choice = FrameChoice(frames.start, frames.stop, options.made_step)
    if not options.keys:
        return choice
    keys = {key.index for key in find_keys(options.keys, clip, options.key_offset)}
    others = keys.intersection(range(frames.start, frames.stop)) - set(choice.indices)
    return replace(choice, others=tuple(sorted(others)))


def with_positions(options: RunOptions, clip: SparseClip) -> RunOptions:
    """The options with ranges in the indices of ``clip`` in place of those of the whole clip.

    Raises OptionsError for a range whose key is not made.
    """
    spans = tuple(_span(span, clip) for span in options.ranges)
    ranges = []
    for item in options.stylizer_ranges:
        shots_of = None if item.shots_of is None else clip.positions(item.shots_of)
        frames = None if item.frames is None else clip.positions(item.frames)
        if item.frames is None or frames is not None:
            ranges.append(replace(item, frames=frames, shots_of=shots_of))
    return replace(options, ranges=spans, stylizer_ranges=tuple(ranges), frames=None)


def _span(span: Span, clip: SparseClip) -> Span:
    key, frames = clip.position(span.key), clip.positions(span.range)
    if key is None or frames is None:
        number = clip.whole.number
        raise OptionsError(
            f"range {number(span.start)}:{number(span.key)}:{number(span.stop - 1)}: its key is "
            "none of the frames of the run; take it out, or use other frames"
        )
    return Span(key, frames.start, frames.stop)


def made_notices(options: RunOptions, clip: Clip, total: int) -> list[str]:
    """What to tell people about a run that makes one frame of several. total: of its part."""
    if not isinstance(clip, SparseClip) or options.frames_only:
        return []
    step, hold = options.made_step, options.hold
    count = len(range(0, total, step))
    rate = clip.whole.info.frame_rate * hold / step
    repeated = f", each of them shown {hold} times" if hold > 1 else ""
    notices = [
        f"makes {count} of {total} frames{repeated}; {options.output} has {float(rate):.6g} "
        "frames a second and the speed of the clip"
    ]
    if clip.choice.others:
        numbers = ", ".join(str(clip.whole.number(index)) for index in clip.choice.others[:5])
        more = f" and {len(clip.choice.others) - 5} more" if len(clip.choice.others) > 5 else ""
        notices.append(
            f"keys of frames between those that are made carry their paint, but are not shown: "
            f"{numbers}{more}"
        )
    return notices
