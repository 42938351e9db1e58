"""The protocols of clips and clip writers, which every backend implements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Protocol, Self

from kadr.core.frames import Frame

if TYPE_CHECKING:
    from kadr.video.file_watch import FileWatch

DEFAULT_FRAME_RATE = Fraction(24)
"""Frames a second of image sequences, which have no rate of their own."""


@dataclass(frozen=True)
class ClipInfo:
    """Facts of an open clip; sizes are those of upright frames."""

    path: Path
    kind: Literal["video", "images"]
    width: int
    height: int
    frame_count: int
    frame_rate: Fraction
    """Average, frames a second."""
    duration: Fraction
    """Seconds, the last frame's own duration included."""
    rotation: int = 0
    """Degrees clockwise by which stored frames are rotated to be upright: 0, 90, 180 or 270."""
    variable_frame_rate: bool = False
    has_audio: bool = False
    codec: str = ""
    pixel_format: str = ""
    """As stored; ``frame.image`` is always RGB or RGBA."""
    container: str = ""
    has_alpha: bool = False
    sample_aspect_ratio: Fraction = Fraction(1)
    """Width of one pixel over its height; images hold the stored pixels, without stretching."""
    bits: int = 8
    """Bits per channel as stored."""
    color_matrix: Literal["bt601", "bt709", "bt2020", "rgb"] = "rgb"
    full_range: bool = True
    color_transfer: Literal["sdr", "pq", "hlg"] = "sdr"
    first_time: Fraction = Fraction(0)
    """Seconds on the container's clock at which the first frame is shown."""
    time_base: Fraction = Fraction(1, 90000)
    """Seconds; every frame time is a multiple of it."""
    truncated: bool = False
    """Whether the file is damaged and the clip has only its good frames."""
    size_change: tuple[int, int, int] | None = None
    """Index, width and height of the first frame of another size: where the clip ends, unless it is
    ``resized``."""
    resized: bool = False
    """Whether frames of another size than the first are scaled to the size of the first."""
    deinterlaced: str = ""
    """Which frames are deinterlaced and how, in words, such as "all frames, top field first"; "" if
    none is."""
    rate_is_assumed: bool = False
    """Whether ``frame_rate`` is only the default of images, which have none of their own."""
    notices: tuple[str, ...] = ()
    """What of the input is not used or is unusual, one line each."""


class Clip(Protocol):
    """One opened input: frames by index, in presentation order.

    Iterators are independent of one another and of ``frame``; several may be alive at once, in
    different threads. Every method raises InputError naming the file if a frame cannot be read or
    the file was changed since: a frame that is returned is from what was opened.
    """

    @property
    def info(self) -> ClipInfo:
        """Size, rate and the rest."""
        ...

    @property
    def times(self) -> Sequence[Fraction]:
        """Presentation time of each frame in seconds from the first, strictly increasing."""
        ...

    @property
    def watch(self) -> FileWatch:
        """Its files, and whether they still hold what they held when it was opened."""
        ...

    def __len__(self) -> int: ...

    def frame(self, index: int) -> Frame:
        """The frame at ``index``, in [0, len)."""
        ...

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        """Frames ``[start, stop)`` forwards, one in memory at a time."""
        ...

    def frames_backward(self, start: int, stop: int) -> Iterator[Frame]:
        """Frames ``stop - 1`` down to ``start``, at most a small fixed number in memory."""
        ...

    def number(self, index: int) -> int:
        """The number that people know the frame by: in a sequence its own, in a video the index."""
        ...

    def index_of(self, number: int) -> int | None:
        """The index of the frame with this number, or None."""
        ...

    def name(self, index: int) -> str:
        """A file stem for the frame: in a sequence its own, in a video ``frame_00012``."""
        ...

    def close(self) -> None:
        """Free the files; iterators that are still alive end with an error."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class ClipWriter(Protocol):
    """Takes frames in presentation order; the output appears under its name at ``finish``.

    As a context manager it finishes on success and aborts on any exception.
    """

    @property
    def path(self) -> Path:
        """Where the output appears: a file, a folder, or a pattern of images in a folder."""
        ...

    @property
    def notices(self) -> Sequence[str]:
        """What of the clip this output does not keep or had to assume, one line each."""
        ...

    def write(self, frame: Frame) -> None:
        """Add one frame, (H, W, 3 or 4) uint8 (uint16 is reduced where the format has 8 bits)."""
        ...

    def finish(self) -> Path:
        """Complete the output and return its path. Raises OutputError if no frame was written."""
        ...

    def abort(self) -> None:
        """Leave nothing behind; safe to call twice and after ``finish``."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
