"""Restyle a clip with a stylizer of your own: own_stylizer.py CLIP KEYS_FOLDER OUTPUT"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import kadr
from kadr.stylize.base import StyledFrame, StylizeContext, StylizeJob


class Posterize:
    """Few flat colours, as on a poster. See Stylizer in kadr.stylize.base for each name."""

    VERSION, name, joint, sequential, max_batch = 1, "posterize", False, False, 1

    def stylize(
        self, jobs: Iterable[StylizeJob], context: StylizeContext
    ) -> Iterator[list[StyledFrame]]:
        """Yield each frame with three levels per channel."""
        for job in jobs:
            context.cancel.check()
            yield [StyledFrame(job.index, job.frame.image[..., :3] // 86 * 127)]


path, folder, output = (Path(name) for name in sys.argv[1:])
with kadr.open_clip(path) as clip:
    frames = (clip.frame(index) for index in range(0, len(clip), 24))
    jobs = (StylizeJob(frame, group=0, seed=0) for frame in frames)
    for batch in Posterize().stylize(jobs, StylizeContext()):
        for styled in batch:
            kadr.write_image(folder / f"{clip.name(styled.index)}.png", styled.image)

kadr.restyle(kadr.RunOptions(clip=path, keys=(folder,), output=output))
