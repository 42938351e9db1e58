"""A stylizer and other options for ranges of frames in, one stylizer for all frames out."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from itertools import groupby
from typing import Any

from kadr.core.frames import FrameRange
from kadr.stylize.base import StyledFrame, StylizeContext, StylizeJob, Stylizer
from kadr.stylize.registry import create_stylizer

_RANGE_OPTIONS = frozenset(
    {
        # diffusion, in kadr and on servers
        "prompt",
        "negative_prompt",
        "seed",
        "denoising_strength",
        "cfg_scale",
        "steps",
        "sampler",
        "scheduler",
        "exact_steps",
        "clip_skip",
        "noise_multiplier",
        "eta_noise_seed_delta",
        "original_prompt",
        "original_negative_prompt",
        "decode_cfg_scale",
        "decode_steps",
        "randomness",
        "refinements",
        "color_correction",
        "mask_blur",
        # paint, ink, watercolour and pencil
        "radius",
        "strokes",
        "sharpness",
        "anisotropy",
        "saturation",
        "relief",
        "line_width",
        "detail",
        "blacks",
        "colour",
        "shades",
        "grain",
        "washes",
        "edges",
        "wobble",
        "flow",
        "stroke_width",
        "stroke_length",
        "angle",
        "cross",
        "tone",
        "lines",
        # onnx
        "style",
        "style_image",
        "strength",
        "keep_colors",
    }
)
"""Options of any stylizer that each frame may have for itself.

Not those of models and other files, of devices and servers, of sizes, of frames that depend on each
other.
"""


def range_options(kind: type[Any]) -> tuple[str, ...]:
    """The names of the options in an options dataclass that may differ from frame to frame."""
    return tuple(item.name for item in fields(kind) if item.name in _RANGE_OPTIONS)


class RangeStylizer:
    """A stylizer whose options have other values in ranges of frames.

    ranges: frames that do not overlap, and the options that differ there. A joint stylizer makes
    the frames of one shot and one section jointly.
    Raises OptionsError for options that the stylizer refuses.
    """

    def __init__(
        self,
        name: str,
        options: Mapping[str, Any],
        ranges: Sequence[tuple[FrameRange, Mapping[str, Any]]],
    ) -> None:
        self._options, self._ranges = dict(options), ranges
        self._edges = sorted({edge for frames, _ in ranges for edge in (frames.start, frames.stop)})
        self._base = create_stylizer(name, **options)
        self._others = [self._variant(name, changes) for _, changes in ranges]
        self.VERSION, self.name = self._base.VERSION, name
        self.joint, self.sequential = self._base.joint, self._base.sequential
        self.max_batch = self._base.max_batch

    def _variant(self, name: str, changes: Mapping[str, Any]) -> Stylizer:
        """The stylizer with other options; it shares what is large, such as a model, if it can."""
        share = getattr(self._base, "with_options", None)
        if share is not None:
            variant: Stylizer = share(**changes)
            return variant
        return create_stylizer(name, **{**self._options, **changes})

    def options_at(self, index: int) -> dict[str, Any]:
        """The options that a frame is stylized with."""
        position = self._position(index)
        changes = {} if position is None else self._ranges[position][1]
        return {**self._options, **changes}

    def section(self, index: int) -> int:
        """The number of the section that holds a frame: a range, or what lies between two."""
        return bisect.bisect_right(self._edges, index)

    def _position(self, index: int) -> int | None:
        """The position of the range that holds a frame; None if none does."""
        for position, (frames, _) in enumerate(self._ranges):
            if index in frames:
                return position
        return None

    def missing_parts(self) -> str:
        """What the stylizer needs and is not on this machine; "" if it is, or if it cannot tell."""
        for stylizer in (self._base, *self._others):
            check = getattr(stylizer, "missing_parts", None)
            if check is not None and (missing := str(check())):
                return missing
        return ""

    def stylize(
        self, jobs: Iterable[StylizeJob], context: StylizeContext
    ) -> Iterator[list[StyledFrame]]:
        """See Stylizer; the jobs of a section go to its stylizer together.

        Sections, not ranges: which jobs come between two others must make no difference.
        """

        def place(job: StylizeJob) -> tuple[int, int | None]:
            return self.section(job.index), self._position(job.index)

        for (_, position), members in groupby(jobs, place):
            stylizer = self._base if position is None else self._others[position]
            yield from stylizer.stylize(members, context)
