"""The path and options of a clip as a plain value that a task can send to another process."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Self

from kadr.core.locations import path_text, url_of
from kadr.errors import InputError
from kadr.options import RunOptions
from kadr.video.base import Clip
from kadr.video.clips import open_clip
from kadr.video.file_watch import changed_error
from kadr.video.sparse_clip import FrameChoice, SparseClip


@dataclass(frozen=True)
class ClipSource:
    """A clip's path and the options that it is opened with; plain values only.

    path: of a video, a folder or a pattern of images; or its URL. frame_rate: of an image sequence,
    as a fraction in text; None means the default. identity, state: the hash of its content and of
    the facts of its files, if it has to be one certain clip. deinterlace, allow_resize: as for
    ``open_clip``. choice: which of its frames, as FrameChoice writes it; "" for all of them. copy:
    where a clip at a URL was read to; a process that finds it there does not ask the server.
    """

    path: str
    allow_truncated: bool = False
    frame_rate: str | None = None
    identity: str | None = None
    state: str = ""
    deinterlace: str = "auto"
    allow_resize: bool = False
    choice: str = ""
    copy: str = ""

    @classmethod
    def of(cls, options: RunOptions) -> Self:
        """The clip of a run, under the path that the user wrote."""
        rate = options.frame_rate
        rate_text = None if rate is None else str(Fraction(rate).limit_denominator())
        return cls(
            path_text(options.clip),
            options.allow_truncated,
            rate_text,
            deinterlace=options.deinterlace,
            allow_resize=options.allow_resize,
        )

    def absolute(self) -> Self:
        """The same clip by its absolute path, for a process with another working directory."""
        if url_of(self.path) is not None:
            return self
        return replace(self, path=str(Path(self.path).absolute()))

    def pinned(self, clip: Clip) -> Self:
        """The same clip with the content of ``clip``, which was identified.

        Where nothing is deinterlaced, nobody has to look for that again.
        """
        deinterlace = self.deinterlace if clip.info.deinterlaced else "off"
        copy = "" if url_of(self.path) is None else str(clip.info.path.absolute())
        return replace(
            self,
            identity=clip.watch.identity,
            state=clip.watch.state,
            deinterlace=deinterlace,
            copy=copy,
        )

    def _has_copy(self) -> bool:
        copy = Path(self.copy)
        return bool(self.copy) and (copy.exists() or copy.parent.is_dir())

    def open(self) -> Clip:
        """Open the clip.

        Raises InputError if it cannot be used, or is another one than that which was pinned.
        """
        rate = None if self.frame_rate is None else Fraction(self.frame_rate)
        try:
            path = self.copy if self._has_copy() else self.path
            clip = open_clip(
                path,
                allow_truncated=self.allow_truncated,
                frame_rate=rate,
                deinterlace=self.deinterlace,
                allow_resize=self.allow_resize,
            )
        except InputError as error:
            if self.identity is None:
                raise
            # it could be opened before
            raise changed_error(Path(self.path)) from error
        if self.identity is not None:
            try:
                clip.watch.require(self.identity, self.state)
            except BaseException:
                clip.close()
                raise
        return SparseClip(clip, FrameChoice.parse(self.choice)) if self.choice else clip
