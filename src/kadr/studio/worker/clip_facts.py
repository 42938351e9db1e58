"""The clip of a project in, its size, times and frame names out, kept while the clip stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from kadr.options import RunOptions
from kadr.project.folder import LocatedClip, ProjectFolder
from kadr.storage.layout import WorkLayout
from kadr.video.base import Clip
from kadr.video.clip_source import ClipSource
from kadr.video.identity import frames_identity

PROXY_SIDE = 960
"""The longest side in pixels of the pictures that the page shows while scrubbing."""

STUDIO_WORK = "studio"
"""The folder of pictures for the page, in the work folder."""


@dataclass(frozen=True)
class ClipFacts:
    """What a clip tells when it is opened; numbers its frames as the clip does.

    names: the file stem of each frame. numbers: its number; None: its index. uneven_times: seconds
    from the first frame; None: index / rate. times, duration: the same exactly, and to the end.
    notices: what was found when it was opened, under its name. rotation: degrees clockwise by which
    stored frames are turned.
    """

    path: str
    version: str
    width: int
    height: int
    rate: float
    names: tuple[str, ...]
    numbers: tuple[int, ...] | None
    uneven_times: tuple[float, ...] | None
    times: tuple[Fraction, ...] = field(repr=False)
    duration: Fraction
    notices: tuple[str, ...] = ()
    rotation: int = 0

    @property
    def info(self) -> ClipFacts:
        """Itself: it tells the duration, as the info of a clip does."""
        return self

    def __len__(self) -> int:
        return len(self.names)

    def number(self, index: int) -> int:
        """The number of a frame that people see."""
        return index if self.numbers is None else self.numbers[index]

    def index_of(self, number: int) -> int | None:
        """The index of the frame with a number, or None."""
        if self.numbers is None:
            return number if 0 <= number < len(self.names) else None
        return self.numbers.index(number) if number in self.numbers else None

    def name(self, index: int) -> str:
        """The file stem of a frame."""
        return self.names[index]

    @property
    def proxy_size(self) -> tuple[int, int]:
        """Width and height of proxies."""
        scale = min(1.0, PROXY_SIDE / max(self.width, self.height))
        return max(1, round(self.width * scale)), max(1, round(self.height * scale))


_facts: dict[tuple[Any, ...], ClipFacts] = {}


def clip_source(project: ProjectFolder, located: LocatedClip) -> ClipSource:
    """How the clip of a project is opened."""
    run = project.settings.run or {}
    options = RunOptions(
        clip=located.path,
        output="out",
        stylizer="paint",
        frame_rate=project.settings.frame_rate,
        allow_truncated=run.get("allow_truncated", False),
        deinterlace=run.get("deinterlace", "auto"),
        allow_resize=run.get("allow_resize", False),
    )
    return ClipSource.of(options)


def clip_facts(project: ProjectFolder, located: LocatedClip) -> ClipFacts:
    """The facts of a project's clip. Raises InputError if it cannot be opened."""
    source = clip_source(project, located)
    key = (source, located.identity)
    if key not in _facts:
        with source.open() as clip:
            _facts.clear()
            _facts[key] = _read(clip, located)
    return _facts[key]


def _read(clip: Clip, located: LocatedClip) -> ClipFacts:
    info, count = clip.info, len(clip)
    numbers = tuple(map(clip.number, range(count)))
    return ClipFacts(
        path=str(located.path.absolute()),
        version=frames_identity(located.identity, info)[:12],
        width=info.width,
        height=info.height,
        rate=float(info.frame_rate),
        names=tuple(map(clip.name, range(count))),
        numbers=None if numbers == tuple(range(count)) else numbers,
        times=tuple(clip.times),
        duration=info.duration,
        uneven_times=_uneven_times(clip.times, float(info.frame_rate)),
        notices=tuple(text.replace(f"{info.path}:", f"{info.path.name}:") for text in info.notices),
        rotation=info.rotation,
    )


def _uneven_times(times: Sequence[Any], rate: float) -> tuple[float, ...] | None:
    seconds = tuple(round(float(time), 4) for time in times)
    even = all(abs(second - index / rate) < 0.6 / rate for index, second in enumerate(seconds))
    return None if even else seconds


def pictures_folder(root: Path) -> Path:
    """Where pictures for the page lie: work files, which can be made again."""
    return WorkLayout(root / "work").folder / STUDIO_WORK
