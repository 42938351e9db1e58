"""A stylized image in, the options of a stylizer that make others like it out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from kadr.errors import OptionsError
from kadr.stylize.infotext import (
    EVEN_SCHEDULES,
    LISTED,
    SCHEDULE,
    Infotext,
    infotext_rest,
    infotext_settings,
)
from kadr.stylize.infotext_files import read_infotext
from kadr.stylize.registry import stylizer_options

_FILES = ("model", "vae", "lora", "embedding", "controlnet")
"""What a picture calls by a name, where kadr's own stylizer needs a file."""

_TOGETHER = (("width", "height"), ("controlnet", "control", "control_until"))
"""Options that are taken or left out as one."""

_OWN_SCHEDULES = EVEN_SCHEDULES | {"automatic", "karras"}
"""Noise levels that kadr's own stylizer has."""


@dataclass(frozen=True)
class ImageSettings:
    """What an image says of how it was made.

    options: those that the stylizer has, and takes. left_out: what else it says that sets
    something, by name.
    """

    options: Mapping[str, Any]
    left_out: Mapping[str, Any]


def read_image_settings(image: Path, stylizer: str) -> ImageSettings:
    """Read the parameters that an image carries, as options of a stylizer.

    A model that is not on this machine under its name is left out: a picture holds no path.
    So is what the stylizer would refuse, as a server does kadr's own inversion.
    Raises InputError if the file cannot be read or carries none, OptionsError for an unknown
    stylizer.
    """
    kind = stylizer_options(stylizer)
    info = read_infotext(image)
    settings, rest = _settings(info, stylizer)
    known = {item.name for item in fields(kind)}
    options: dict[str, Any] = {}
    left_out: dict[str, Any] = {}
    for group in _groups(settings):
        absent = stylizer == "diffusion" and any(
            name in _FILES and not _is_here(value) for name, value in group.items()
        )
        if not absent and group.keys() <= known and _takes(kind, known, options | group):
            options |= group
        else:
            left_out |= {name: _shown(value) for name, value in group.items() if value != ""}
    return ImageSettings(options, left_out | rest)


def _settings(info: Infotext, stylizer: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The settings in a stylizer's own terms, and the fields that are none."""
    settings, rest = infotext_settings(info), infotext_rest(info)
    sampler, schedule = info.fields.get("Sampler"), info.fields.get(SCHEDULE, "")
    if sampler is None or not schedule:
        return settings, rest
    if stylizer == "a1111":
        # it has more schedules than names that join them with a sampler
        settings |= {"sampler": sampler, "scheduler": schedule}
    elif stylizer == "diffusion" and schedule.casefold() not in _OWN_SCHEDULES:
        settings["sampler"] = sampler
        rest = {SCHEDULE: schedule} | rest
    return settings, rest


def _groups(settings: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The settings in their order, those together that go together."""
    left = dict(settings)
    for name in settings:
        names = next((group for group in _TOGETHER if name in group), (name,))
        group = {name: left.pop(name) for name in names if name in left}
        if group:
            yield group


def _takes(kind: type[Any], known: set[str], options: dict[str, Any]) -> bool:
    """Whether a stylizer takes these options; one that needs more than a model is not asked."""
    least = {"model": "any"} if "model" in known else {}
    try:
        kind(**least)
    except OptionsError:
        return True
    try:
        kind(**least | options)
    except OptionsError:
        return False
    return True


def _is_here(value: str | tuple[str, ...]) -> bool:
    """Whether all files are there that a value names, each perhaps with a weight behind it."""
    files = (value,) if isinstance(value, str) else value
    return all(
        Path(file).exists() or (":" in file and Path(file.rpartition(":")[0]).exists())
        for file in files
    )


def _shown(value: Any) -> Any:
    return LISTED.join(value) if isinstance(value, tuple) else value
