"""How a video file is read: the choices of the user that change its frames."""

from __future__ import annotations

from dataclasses import dataclass

from kadr.options import check_deinterlace


@dataclass(frozen=True)
class ReadOptions:
    """What is done about frames that cannot be used as they are stored.

    allow_truncated: use the good frames of a damaged file instead of refusing it.
    deinterlace: "auto": where frames are interlaced; "on": all frames; "off": none.
    allow_resize: scale frames of another size than the first to the size of the first, instead of
    ending the clip before them.
    """

    allow_truncated: bool = False
    deinterlace: str = "auto"
    allow_resize: bool = False

    def __post_init__(self) -> None:
        check_deinterlace(self.deinterlace)
