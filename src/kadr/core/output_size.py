"""The size that people ask for in, the size of frames that were another size out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kadr.core.formatting import shorten
from kadr.errors import OptionsError

_LARGEST = 16384
_FORM = re.compile(r"(\d{1,5})?\s*[x×]\s*(\d{1,5})?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class OutputSize:
    """Width and height in pixels; one of them may be None and then follows from the aspect."""

    width: int | None
    height: int | None

    def of(self, size: tuple[int, int]) -> tuple[int, int]:
        """(width, height) of frames that are ``size`` now; a side that follows becomes even.

        Video players need even sides; a side that was asked for stays as it is.
        """
        width, height = self.width, self.height
        if width is None and height is not None:
            width = _side(height * size[0] / size[1])
        elif height is None and width is not None:
            height = _side(width * size[1] / size[0])
        assert width is not None, "at least one of the sides is set"
        assert height is not None, "at least one of the sides is set"
        return width, height

    def stretch(self, size: tuple[int, int]) -> float:
        """How much wider frames of a size become than they become higher; 1 keeps the shape."""
        width, height = self.of(size)
        return (width * size[1]) / (height * size[0])


def _side(length: float) -> int:
    """The even side nearest to a length, in pixels."""
    return min(_LARGEST, max(2, 2 * round(length / 2)))


def parse_output_size(text: str, name: str = "size") -> OutputSize:
    """``1280x720``; ``1280x`` or ``x720``, where the other side follows from the frames.

    Raises OptionsError for any other text.
    """
    match = _FORM.fullmatch(text.strip()) if len(text) <= 40 else None
    texts = (None, None) if match is None else match.groups()
    sides = [int(side) if side else None for side in texts]
    requested = [side for side in sides if side is not None]
    if not requested or not all(1 <= side <= _LARGEST for side in requested):
        raise OptionsError(
            f"{name} {shorten(repr(text))}: expected WIDTHxHEIGHT, such as 1280x720, or one side, "
            f"1280x or x720, of 1 to {_LARGEST} pixels"
        )
    return OutputSize(*sides)
