"""Pictures and jobs for the tests of stylizers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from kadr.core.frames import Frame, Image
from kadr.core.seeds import derive_seed
from kadr.stylize.base import StyledFrame, StylizeContext, StylizeJob, Stylizer, batches


def picture(height: int = 48, width: int = 64, *, seed: int = 0, alpha: bool = False) -> Image:
    """A disc on a slope with some grain, so that there are edges, flats and texture."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    disc = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (height / 3) ** 2
    image = np.stack([3 * x, 4 * y, 255 - 2 * x - y], axis=2)
    image[disc] = (190, 120, 90)
    image += np.random.default_rng(seed).normal(0, 4, image.shape)
    image = np.clip(image, 0, 255).astype(np.uint8)
    if alpha:
        image = np.concatenate([image, np.full((height, width, 1), 200, np.uint8)], axis=2)
    return image


def jobs(indices: Sequence[int], *, per_group: int = 2, seed: int = 7) -> Iterator[StylizeJob]:
    """Jobs for frames of a made-up clip, ``per_group`` to a shot."""
    for position, index in enumerate(indices):
        frame = Frame(index, picture(seed=index))
        yield StylizeJob(frame, position // per_group, derive_seed(seed, "stylize", index))


class Echo:
    """A stylizer that gives frames back, with whatever batching a test asks for."""

    VERSION = 1
    name = "echo"

    def __init__(
        self, *, joint: bool = False, sequential: bool = False, max_batch: int = 1
    ) -> None:
        self.joint, self.sequential, self.max_batch = joint, sequential, max_batch

    def stylize(
        self, jobs: Iterator[StylizeJob], context: StylizeContext
    ) -> Iterator[list[StyledFrame]]:
        """Each frame as it is."""
        stylizer: Stylizer = self
        for batch in batches(jobs, stylizer):
            context.cancel.check()
            yield [StyledFrame(job.index, job.frame.image) for job in batch]


class NumberedFrames:
    """A clip as far as its numbering: ``count`` frames numbered from ``first``.

    name: of a frame's file, to be filled with its number.
    """

    def __init__(self, count: int, first: int = 0, name: str = "frame_{:05d}") -> None:
        self._numbers, self._name = range(first, first + count), name

    def __len__(self) -> int:
        return len(self._numbers)

    def number(self, index: int) -> int:
        """The number of a frame."""
        return self._numbers[index]

    def index_of(self, number: int) -> int | None:
        """The frame of a number."""
        return self._numbers.index(number) if number in self._numbers else None

    def name(self, index: int) -> str:
        """The file stem of a frame."""
        return self._name.format(self._numbers[index])
