"""Other values of a stylizer's options in some frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from kadr.core.frames import FrameRange
from kadr.errors import OptionsError
from kadr.option_fields import check_fields, option


@dataclass(frozen=True)
class StylizerRange:
    """Other values of the stylizer's options in some frames: a range, or a shot.

    name: as the user gave it, such as "120:180" or "shot 2". options: field → value.
    frames: indices; None for a shot. shot: its number from 1 among the shots of ``shots_of``, or of
    the frames of the run; None for a range.
    """

    name: str
    options: Mapping[str, Any]
    frames: FrameRange | None = None
    shot: int | None = option(None, "the number of the shot, as kadr plan shows it", low=1)
    shots_of: FrameRange | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        if (self.frames is None) == (self.shot is None):
            raise OptionsError(f"stylizer range {self.name}: give its frames or its shot")
        if not self.options:
            raise OptionsError(
                f"stylizer range {self.name}: sets nothing; give another prompt or seed"
            )


def check_overlaps(ranges: Sequence[tuple[str, FrameRange]]) -> None:
    """Raise OptionsError if two of these named ranges have a frame in common."""
    for (name, first), (other_name, second) in combinations(ranges, 2):
        if first.start < second.stop and second.start < first.stop:
            raise OptionsError(
                f"stylizer ranges {name} and {other_name}: have frames in common; a frame can "
                "have the values of one"
            )
