"""The painted keys of a run in; one image of them as painted, matched and in one style out."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import cv2

from kadr.core.events import CancelToken, Event
from kadr.core.frames import Image
from kadr.core.generators import map_items
from kadr.core.resize import fit_width
from kadr.options import RunOptions
from kadr.render.keyframes import KeyStyles
from kadr.render.match_keys import match_keys
from kadr.render.run_context import open_run
from kadr.render.run_plan import plan_run
from kadr.video.contact_sheet import labelled_sheet

_MOST_KEYS = 8
"""So many keys are visible, evenly chosen."""
_WIDTH = 1920
"""Of the sheet in pixels, approximately."""

Result = TypeVar("Result")


def key_sheet(options: RunOptions, cancel: CancelToken) -> Generator[Event, None, Image | None]:
    """Show what matching would make of the painted keys of a run, (H, W, 3) uint8.

    A row for the keys as painted, one for matched keys, and one for the style of one of them: the
    key that the options name, else the first. What is made is stored, so a run need not make it
    again. None if there are fewer than two painted keys. Raises what a run would raise.
    """
    with open_run(options, exclusive=False) as run:
        plan = yield from _progress(plan_run(run, cancel))
        if len(plan.painted) < 2:
            return None
        keys = KeyStyles(run, plan.keys, plan.painted, plan.ranges)
        yield from (event for event in keys.stylize(cancel) if not event.message)
        visible = keys.indices
        if len(visible) > _MOST_KEYS:
            last = len(visible) - 1
            visible = [visible[round(i * last / (_MOST_KEYS - 1))] for i in range(_MOST_KEYS)]
        width = _WIDTH // len(visible)
        rows: list[list[tuple[Image, str]]] = []
        for label, changes in _variants(options, run.clip.number(keys.indices[0])):
            changed = replace(run, options=replace(options, **changes))
            yield from _progress(match_keys(changed, plan.keys, keys, cancel))
            rows.append(
                [
                    (_reduce(keys.style(index), width), f"{run.clip.number(index)} {label}")
                    for index in visible
                ]
            )
            keys.use_matched({})
        return labelled_sheet(*rows, columns=len(visible), cell_width=width)


def _variants(options: RunOptions, first: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each row's label and the options that make it."""
    strength = options.match_keys or 1.0
    reference = next(
        number for number in (options.one_style, options.reference_key, first) if number is not None
    )
    none = {"match_keys": None, "reference_key": None, "one_style": None}
    yield "as painted", {**none, "match_keys": 0.0}
    matched = {"match_keys": strength, "reference_key": options.reference_key}
    yield "matched", {**none, **matched}
    yield f"style of {reference}", {**none, "match_keys": strength, "one_style": reference}


def _progress(events: Generator[Event, None, Result]) -> Generator[Event, None, Result]:
    """The events without their messages: they are about a run, not about a sheet."""
    return map_items(events, lambda event: None if event.message else event)


def _reduce(image: Image, width: int) -> Image:
    if image.shape[1] <= width:
        return image
    size = fit_width((image.shape[1], image.shape[0]), width)
    reduced: Image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return reduced
