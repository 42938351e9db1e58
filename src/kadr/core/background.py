"""What lies behind styled images: parse the text that the user gives."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from kadr.core.formatting import shorten
from kadr.core.parsing import expand_home
from kadr.errors import OptionsError

FILM, TRANSPARENT = "film", "transparent"

_COLOURS = {
    "black": (0, 0, 0), "silver": (192, 192, 192), "gray": (128, 128, 128),
    "white": (255, 255, 255), "maroon": (128, 0, 0), "red": (255, 0, 0), "purple": (128, 0, 128),
    "fuchsia": (255, 0, 255), "green": (0, 128, 0), "lime": (0, 255, 0), "olive": (128, 128, 0),
    "yellow": (255, 255, 0), "navy": (0, 0, 128), "blue": (0, 0, 255), "teal": (0, 128, 128),
    "aqua": (0, 255, 255), "grey": (128, 128, 128),
}  # fmt: skip
"""The sixteen names of CSS 1, and the other spelling of gray."""

_HEX = re.compile(r"#([0-9a-f]{3}|[0-9a-f]{6})", re.IGNORECASE)


@dataclass(frozen=True)
class Background:
    """Film, nothing, a colour (RGB, 0–255), or the path of an image or a clip: one of them is set.

    Nothing set is the film.
    """

    transparent: bool = False
    colour: tuple[int, int, int] | None = None
    path: Path | None = None

    @property
    def is_film(self) -> bool:
        """Whether the filmed frame lies behind."""
        return self == Background()


def parse_background(text: str) -> Background:
    """``film``, ``transparent``, ``#204080``, ``#fff``, a colour's name, or a path.

    Raises OptionsError for what is none of these; whether a path exists is not checked.
    """
    name = text.strip().lower()
    if name == FILM:
        return Background()
    if name == TRANSPARENT:
        return Background(transparent=True)
    if name in _COLOURS:
        return Background(colour=_COLOURS[name])
    if _HEX.fullmatch(name):
        digits = name[1:] if len(name) == 7 else "".join(2 * digit for digit in name[1:])
        red, green, blue = bytes.fromhex(digits)
        return Background(colour=(red, green, blue))
    if not name or name.startswith("#") or not any(mark in text for mark in "./\\"):
        raise OptionsError(
            f"background {shorten(text)!r}: expected film, transparent, a colour such as #204080 "
            "or white, or the path of an image or a clip"
        )
    return Background(path=Path(expand_home(text)))
