"""Stylize single frames: as keys of a project, or one frame with several seeds to choose from."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any

from kadr.core.events import Event
from kadr.core.frames import Frame
from kadr.errors import InputError, OptionsError
from kadr.image_files import write_image
from kadr.option_fields import single_frame_options
from kadr.project.schema import checked_value, stylizer_entries
from kadr.seed_grid import make_seed_grid
from kadr.studio.worker.call import Call
from kadr.studio.worker.clip_facts import clip_source
from kadr.studio.worker.key_calls import store_image
from kadr.studio.worker.open_folder import OpenFolder, open_folder
from kadr.studio.worker.picture_calls import write_proxy
from kadr.stylize.base import StylizeContext, StylizeJob
from kadr.stylize.registry import create_stylizer, stylizer_options

_STEP = "stylize"
_MOST_PICTURES = 64
"""Of a grid of settings."""


def stylize(call: Call) -> dict[str, Any]:
    """Stylize frames one by one and make them keys of the project."""
    folder, stylizer = open_folder(call), _stylizer_name(call)
    options = single_frame_options(stylizer_options(stylizer), _options(stylizer, call))
    indices = sorted(set(map(int, call["frames"])))
    _check(folder, indices)
    styled = create_stylizer(stylizer, **options)
    seed = int((folder.view.settings.run or {}).get("seed", 0))
    call.progress(Event(_STEP, 0, len(indices)))
    with clip_source(folder.project, folder.located).open() as clip, call.report_compiling():
        for position, index in enumerate(indices, start=1):
            call.cancel.check()
            jobs = [StylizeJob(clip.frame(index), position - 1, seed)]
            context = StylizeContext(cancel=call.cancel)
            with closing(styled.stylize(iter(jobs), context)) as batches:  # type: ignore[type-var]
                for frame in (item for batch in batches for item in batch):
                    store_image(folder, index, frame.image)
            call.event(frame=index)
            call.progress(Event(_STEP, position, len(indices)))
    return {"frames": indices}


def seeds(call: Call) -> dict[str, Any]:
    """One frame stylized with several seeds, as pictures ``0.png`` … in ``folder``.

    A stylizer without a seed makes one picture, with its options as they are.
    """
    folder, stylizer = open_folder(call), _stylizer_name(call)
    index, target = int(call["frame"]), Path(call["folder"])
    _check(folder, [index])
    options, axes = _options(stylizer, call), _axes(stylizer, call)
    numbers = [int(seed) for seed in call.get("seeds") or [0]]
    with clip_source(folder.project, folder.located).open() as clip:
        frame = clip.frame(index)
    names = {item.name for item in fields(stylizer_options(stylizer))}
    with call.report_compiling():
        if names & {"seed", "seed_each"}:
            trials = call.follow(
                make_seed_grid(frame, numbers, stylizer, options, axes, call.cancel)
            )
            pictures = [(trial.label, trial.image) for trial in trials]
        else:
            pictures = list(_each_setting(frame, stylizer, options, axes, call))
    for position, (_, image) in enumerate(pictures):
        write_image(target / f"{position}.png", image)
        write_proxy(target / f"{position}.jpg", image)
    return {"images": len(pictures), "frame": index, "labels": [label for label, _ in pictures]}


def _stylizer_name(call: Call) -> str:
    name = str(call["stylizer"])
    if name == "external":
        raise OptionsError("stylizer external: takes painted files; choose one that makes pictures")
    stylizer_options(name)
    return name


def _each_setting(
    frame: Frame, stylizer: str, options: dict[str, Any], axes: dict[str, list[Any]], call: Call
) -> Iterator[tuple[str, Any]]:
    """Label and picture for each combination of settings of a stylizer without a seed."""
    for values in itertools.product(*axes.values()):
        call.cancel.check()
        settings = dict(zip(axes, values, strict=True))
        jobs = [StylizeJob(frame, 0, 0)]
        context = StylizeContext(cancel=call.cancel)
        styled = create_stylizer(stylizer, **{**options, **settings}).stylize(iter(jobs), context)
        label = ", ".join(f"{name.replace('_', '-')} {value}" for name, value in settings.items())
        for item in itertools.chain.from_iterable(styled):
            yield label or stylizer, item.image


def _axes(stylizer: str, call: Call) -> dict[str, list[Any]]:
    """The values of each option that a grid tries, of the right types. Raises OptionsError."""
    axes: dict[str, list[Any]] = {}
    for name, values in dict(call.get("axes") or {}).items():
        for value in values:
            ((field, checked),) = _checked(stylizer, {name: value}).items()
            axes.setdefault(field, []).append(checked)
    if math.prod(map(len, axes.values())) > _MOST_PICTURES:
        raise OptionsError(f"axes: more than {_MOST_PICTURES} combinations; try fewer values")
    return axes


def _options(stylizer: str, call: Call) -> dict[str, Any]:
    """The options of a call by field. Raises OptionsError."""
    return _checked(stylizer, dict(call.get("options") or {}))


def _checked(stylizer: str, texts: Mapping[str, Any]) -> dict[str, Any]:
    """Options by field, each of the right type; those that are None are left out."""
    entries = {entry.name: entry for entry in stylizer_entries(stylizer_options(stylizer))}
    values = {}
    for name, value in texts.items():
        entry = entries.get(str(name).replace("_", "-"))
        if entry is None:
            raise OptionsError(
                f"stylizer {stylizer}: no option {name!r}; it has {', '.join(entries)}"
            )
        if value is not None:
            values[entry.field] = checked_value(entry, value)
    return values


def _check(folder: OpenFolder, indices: list[int]) -> None:
    count = len(folder.clip)
    for index in indices:
        if not 0 <= index < count:
            raise InputError(f"frame {index}: the clip has {count} frames")
    if folder.view.settings.stylizer != "external":
        raise OptionsError(
            f"{folder.root}: its keys are made by {folder.view.settings.stylizer}; choose painted "
            "keys (external) to keep pictures as keys"
        )
