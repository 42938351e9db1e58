"""What all clips share: facts, frame numbers, checks of indices and closing."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import TypeVar

from kadr.core.closing import Closing
from kadr.core.frames import Frame
from kadr.errors import InputError
from kadr.video.base import ClipInfo
from kadr.video.file_watch import FileWatch

BACKWARD_CHUNK = 16
"""Decoded frames that a backward read keeps, whatever the distance between intra frames."""

Item = TypeVar("Item")


class BaseClip(Closing):
    """A Clip whose backend reads frames in ``_read``, ``_read_forward`` and ``_read_backward``.

    watch: of its files, begun before anything was read. first_number: the number of frame 0. The
    indices that the backend receives are checked, and after each frame the files.
    """

    def __init__(
        self,
        info: ClipInfo,
        times: Sequence[Fraction],
        watch: FileWatch,
        first_number: int = 0,
    ) -> None:
        watch.hold()
        self._watch = watch
        self._info = info
        self._times = times
        self._first_number = first_number
        self._closed = False

    @property
    def info(self) -> ClipInfo:
        """Size, rate and the rest."""
        return self._info

    @property
    def times(self) -> Sequence[Fraction]:
        """Seconds from the first frame, one per frame."""
        return self._times

    @property
    def watch(self) -> FileWatch:
        """Its files, and whether they still hold what they held when it was opened."""
        return self._watch

    def __len__(self) -> int:
        return len(self._times)

    def number(self, index: int) -> int:
        """The number that people know the frame by."""
        self._check_index(index)
        return self._first_number + index

    def index_of(self, number: int) -> int | None:
        """The index of the frame with this number, or None."""
        index = number - self._first_number
        return index if 0 <= index < len(self) else None

    def name(self, index: int) -> str:
        """``frame_00012``."""
        return f"frame_{self.number(index):05d}"

    def frame(self, index: int) -> Frame:
        """The frame at ``index``, in [0, len)."""
        self._check_index(index)
        return next(self._checked(map(self._read, (index,))))

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        """Frames ``[start, stop)`` forwards; ``stop`` None is the end of the clip."""
        stop = len(self) if stop is None else stop
        self._check_range(start, stop)
        return self._checked(self._read_forward(start, stop))

    def frames_backward(self, start: int, stop: int) -> Iterator[Frame]:
        """Frames ``stop - 1`` down to ``start``."""
        self._check_range(start, stop)
        return self._checked(self._read_backward(start, stop))

    def _checked(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Pass frames on; none that was read from a file which was changed before."""
        try:
            for frame in frames:
                self._watch.check()
                yield frame
        except InputError:
            self._watch.check()  # a file that was replaced looks damaged
            raise

    @abstractmethod
    def _read(self, index: int) -> Frame: ...

    @abstractmethod
    def _read_forward(self, start: int, stop: int) -> Iterator[Frame]: ...

    def _read_backward(self, start: int, stop: int) -> Iterator[Frame]:
        return reverse_in_chunks(self._read_forward, start, stop)

    def _check_index(self, index: int) -> None:
        if not 0 <= index < len(self):
            raise IndexError(f"{self._info.path}: frame {index} of a clip that has {len(self)}")

    def _check_range(self, start: int, stop: int) -> None:
        if not 0 <= start <= stop <= len(self):
            raise IndexError(
                f"{self._info.path}: frames [{start}, {stop}) of a clip that has {len(self)}"
            )

    def close(self) -> None:
        """Free the files."""
        self._closed = True
        self._watch.close()


def reverse_in_chunks(
    read_forward: Callable[[int, int], Iterator[Item]], start: int, stop: int
) -> Iterator[Item]:
    """Items of ``[start, stop)`` from the last to the first, at most ``BACKWARD_CHUNK`` in memory.

    read_forward: (start, stop) → the items of that range in order.
    """
    for chunk_stop in range(stop, start, -BACKWARD_CHUNK):
        chunk = list(read_forward(max(start, chunk_stop - BACKWARD_CHUNK), chunk_stop))
        while chunk:
            yield chunk.pop()
