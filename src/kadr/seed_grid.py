"""A frame and a stylizer in, the frame stylized with many seeds and settings out."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, fields, replace
from typing import Any

from kadr.core.events import CancelToken, Event
from kadr.core.frames import Frame, Image
from kadr.errors import OptionsError
from kadr.option_fields import single_frame_options
from kadr.render.styled_check import StyledCheck
from kadr.stylize.base import StylizeContext, StylizeJob
from kadr.stylize.infotext import PARAMETERS
from kadr.stylize.registry import create_stylizer, stylizer_options
from kadr.video.contact_sheet import labelled_sheet

STEP = "seeds"

_SHORT_NAMES = {"cfg_scale": "cfg", "denoising_strength": "strength"}
"""Short names of options, for labels."""


@dataclass(frozen=True, eq=False)
class SeedTrial:
    """The frame stylized with one seed and one combination of settings.

    settings: the values of the axes, by option. parameters: text to store in the image file.
    """

    seed: int
    settings: Mapping[str, Any]
    image: Image
    parameters: str

    @property
    def label(self) -> str:
        """A short text for the sheet."""
        parts = [
            f"{_SHORT_NAMES.get(name, name)} {value:g}" for name, value in self.settings.items()
        ]
        return "  ".join([f"seed {self.seed}", *parts])


def make_seed_grid(
    frame: Frame,
    seeds: Sequence[int],
    stylizer: str,
    options: Mapping[str, Any],
    axes: Mapping[str, Sequence[Any]] | None = None,
    cancel: CancelToken | None = None,
) -> Generator[Event, None, list[SeedTrial]]:
    """Stylize ``frame`` with each seed, for each combination of the values in ``axes``.

    The trials come combination by combination, with the last axis changing first; for each
    combination the seeds come in order. An image is the one that a run with that seed makes of the
    frame alone; those that look wrong are told of. Raises OptionsError for a stylizer without a
    seed or an option it does not have.
    """
    cancel, axes = cancel or CancelToken(), axes or {}
    base = _options_for_seeds(stylizer, options)
    trials: list[SeedTrial] = []
    total = len(seeds)
    for values in axes.values():
        total *= len(values)
    yield Event(STEP, 0, total)
    for values in itertools.product(*axes.values()):
        settings = dict(zip(axes, values, strict=True))
        check = StyledCheck.of(stylizer, lambda index: seeds[index], subject="seed")
        # a group for each job, so that no frame attends to another
        jobs = _jobs(frame, seeds, check)
        by_index: dict[int, SeedTrial] = {}
        styled_frames = create_stylizer(stylizer, **{**base, **settings}).stylize(
            jobs, StylizeContext(cancel=cancel)
        )
        with closing(styled_frames) as batches:  # type: ignore[type-var]
            for styled in itertools.chain.from_iterable(batches):
                done = len(trials) + len(by_index)
                for text in check.check(styled.index, styled.image):
                    yield Event(STEP, done, total, message=_labelled(text, settings))
                seed = seeds[styled.index]
                parameters = styled.info.get(PARAMETERS, "")
                by_index[styled.index] = SeedTrial(seed, settings, styled.image, parameters)
                yield Event(STEP, done + 1, total, styled.image[..., :3])
        for text in check.summary():
            done = len(trials) + len(by_index)
            yield Event(STEP, done, total, message=_labelled(text, settings))
        trials += [by_index[index] for index in range(len(seeds))]
    return trials


def _jobs(frame: Frame, seeds: Sequence[int], check: StyledCheck) -> Iterator[StylizeJob]:
    for index, seed in enumerate(seeds):
        copy = replace(frame, index=index)
        check.add_frame(copy)
        yield StylizeJob(copy, index, seed)


def _labelled(text: str, settings: Mapping[str, Any]) -> str:
    """A notice with the settings that it is about."""
    names = [f"{name.replace('_', '-')} {value}" for name, value in settings.items()]
    return f"{', '.join(names)}: {text}" if names else text


def _options_for_seeds(stylizer: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options with which a stylizer takes the seed of each job, and each frame alone."""
    kind = stylizer_options(stylizer)
    names = {item.name for item in fields(kind)}
    alone = single_frame_options(kind, options)
    if "seed_each" in names:
        return alone | {"seed": None, "seed_each": True}
    if "seed" in names:
        return alone | {"seed": None}
    raise OptionsError(f"stylizer {stylizer}: has no seed to choose; use one such as diffusion")


def seed_grid_image(filmed: Image, trials: Sequence[SeedTrial], cell_width: int = 320) -> Image:
    """The filmed frame and all trials on one labelled sheet, (H, W, 3) uint8.

    With several seeds and settings, a row shows one combination with all seeds; with one seed, a
    row shows the values of the last axis.
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
    header = [(filmed, "as filmed")]
    return labelled_sheet(header, cells, columns=columns, cell_width=cell_width)
