"""How far and over how many frames flicker is removed."""

from __future__ import annotations

from dataclasses import dataclass

from kadr.option_fields import check_fields, option


@dataclass(frozen=True)
class DeflickerOptions:
    """Options of ``deflicker``; the defaults suit clips of 24 to 30 frames a second."""

    strength: float = option(
        1.0, "how far colours and strokes are steadied; 0: not at all", low=0, high=1
    )
    window: int = option(
        30, "frames over which colours are averaged and strokes change; larger ones are steadier "
        "and use more memory", low=2, high=240,
    )  # fmt: skip

    def __post_init__(self) -> None:
        check_fields(self)
