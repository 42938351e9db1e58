"""A frame and a stylizer in, the same frame made with many seeds and settings out."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, fields, replace
from typing import Any

from kadr.core.events import CancelToken, Event
from kadr.core.frames import Frame, Image
from kadr.errors import OptionsError
from kadr.stylize.base import StylizeContext, StylizeJob
from kadr.stylize.infotext import PARAMETERS
from kadr.stylize.registry import create_stylizer, stylizer_options
from kadr.video.contact_sheet import labelled_sheet

STEP = "seeds"

_SHORT = {"cfg_scale": "cfg", "denoising_strength": "strength"}
"""Of options, for labels."""

_COMPANY = frozenset(
    {
        "joint",
        "joint_size",
        "carry_noise",
        "previous_start",
        "previous_blend",
        "cross_frame",
        "anchor_every",
    }
)
"""Options of frames that are made with others; here each frame stands alone."""


@dataclass(frozen=True, eq=False)
class SeedTrial:
    """One way in which the frame was made.

    settings: numbers that were set beside the seed, by option. parameters: what its image file is
    to carry.
    """

    seed: int
    settings: Mapping[str, Any]
    image: Image
    parameters: str

    @property
    def label(self) -> str:
        """Short, for a sheet."""
        parts = [f"{_SHORT.get(name, name)} {value:g}" for name, value in self.settings.items()]
        return "  ".join([f"seed {self.seed}", *parts])


def make_seed_grid(
    frame: Frame,
    seeds: Sequence[int],
    stylizer: str,
    options: Mapping[str, Any],
    axes: Mapping[str, Sequence[Any]] | None = None,
    cancel: CancelToken | None = None,
) -> Generator[Event, None, list[SeedTrial]]:
    """Make ``frame`` with each seed, under each combination of the values in ``axes``.

    The trials come combination by combination, the last axis changing first, in each of them the
    seeds in order. A picture is the one that a run with that seed makes of the frame alone.
    Raises OptionsError for a stylizer without a seed or an option it does not have.
    """
    cancel, axes = cancel or CancelToken(), axes or {}
    base = _each_its_own(stylizer, options)
    trials: list[SeedTrial] = []
    total = len(seeds)
    for values in axes.values():
        total *= len(values)
    yield Event(STEP, 0, total)
    for values in itertools.product(*axes.values()):
        settings = dict(zip(axes, values, strict=True))
        made = create_stylizer(stylizer, **{**base, **settings})
        # each a frame of its own, in a group of its own: none is to look at another
        jobs = (StylizeJob(replace(frame, index=at), at, seed) for at, seed in enumerate(seeds))
        found: dict[int, SeedTrial] = {}
        context = StylizeContext(cancel=cancel)
        with closing(made.stylize(jobs, context)) as batches:  # type: ignore[type-var]
            for styled in itertools.chain.from_iterable(batches):
                seed = seeds[styled.index]
                text = styled.info.get(PARAMETERS, "")
                found[styled.index] = SeedTrial(seed, settings, styled.image, text)
                image = styled.image[..., :3]
                yield Event(STEP, len(trials) + len(found), total, image)
        trials += [found[at] for at in range(len(seeds))]
    return trials


def _each_its_own(stylizer: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options with which a stylizer takes each job's own seed."""
    known = {item.name for item in fields(stylizer_options(stylizer))}
    own = {name: value for name, value in options.items() if name not in _COMPANY}
    if "seed_each" in known:
        return own | {"seed": None, "seed_each": True}
    if "seed" in known:
        return own | {"seed": None}
    raise OptionsError(f"stylizer {stylizer}: has no seed to choose; use one such as diffusion")


def seed_grid_image(filmed: Image, trials: Sequence[SeedTrial], cell_width: int = 320) -> Image:
    """The frame as filmed and all trials on one labelled sheet, (H, W, 3) uint8.

    Of several settings a row shows one of them with all seeds; of one seed, the values of an axis.
    """
    cells = [(trial.image, trial.label) for trial in trials]
    settings = [trial.settings for trial in trials]
    seeds = len({trial.seed for trial in trials})
    if len(trials) == seeds:
        columns = next(n for n in range(1, seeds + 1) if n * n >= seeds)
    elif seeds > 1:
        columns = seeds
    else:
        last = list(settings[0])[-1]
        columns = len({setting[last] for setting in settings})
    first = [(filmed, "as filmed")]
    return labelled_sheet(first, cells, columns=columns, cell_width=cell_width)
