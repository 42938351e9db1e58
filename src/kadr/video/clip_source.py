"""The path and options of a clip as a plain value that a task can send to another process."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Self

from kadr.options import RunOptions
from kadr.video.base import Clip
from kadr.video.clips import open_clip


@dataclass(frozen=True)
class ClipSource:
    """A clip's path and the options that it is opened with; plain values only.

    path: of a video, a folder or a pattern of images. frame_rate: of an image sequence, as a
    fraction in text; None means the default.
    """

    path: str
    allow_truncated: bool = False
    frame_rate: str | None = None

    @classmethod
    def of(cls, options: RunOptions) -> Self:
        """The clip of a run, under the path that the user wrote."""
        rate = options.frame_rate
        rate_text = None if rate is None else str(Fraction(rate).limit_denominator())
        return cls(str(options.clip), options.allow_truncated, rate_text)

    def absolute(self) -> Self:
        """The same clip by its absolute path, for a process with another working directory."""
        return replace(self, path=str(Path(self.path).absolute()))

    def open(self) -> Clip:
        """Open the clip. Raises InputError if it cannot be used or does not exist any more."""
        rate = None if self.frame_rate is None else Fraction(self.frame_rate)
        return open_clip(self.path, allow_truncated=self.allow_truncated, frame_rate=rate)
