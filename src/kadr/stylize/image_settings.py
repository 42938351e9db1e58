"""Read the options with which an image was stylized, from the parameters that it has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from kadr.errors import OptionsError
from kadr.image_files import read_image_bytes
from kadr.stylize.infotext import (
    EVEN_SCHEDULES,
    LIST_SEPARATOR,
    SCHEDULE_FIELD,
    UNIFORM,
    Infotext,
    infotext_settings,
    other_fields,
)
from kadr.stylize.infotext_files import infotext_of, parameters_text
from kadr.stylize.registry import stylizer_options
from kadr.stylize.servers.comfyui_file import graph_text, parse_graph
from kadr.stylize.servers.comfyui_settings import read_graph_settings

_FILES = ("model", "vae", "lora", "embedding", "controlnet")
"""Options that are names in an image and files for kadr's own stylizer."""

_PROMPTS = ("prompt", "negative_prompt")

_INSEPARABLE = (("width", "height"), ("controlnet", "control", "control_until"))
"""Options that are used or left out together."""

_OWN_SCHEDULES = EVEN_SCHEDULES | {"automatic", "karras", "exponential"}
"""Noise schedules of kadr's own stylizer."""


@dataclass(frozen=True)
class ImageSettings:
    """Settings with which an image was made.

    options: options that the stylizer has and accepts. left_out: the other settings, by name.
    note: what else to tell about the image, or "".
    """

    options: Mapping[str, Any]
    left_out: Mapping[str, Any]
    note: str = ""


def read_image_settings(image: Path, stylizer: str) -> ImageSettings:
    """Read the generation parameters in an image, or its ComfyUI graph, as options of a stylizer.

    A model that is not a file under its name is left out, since an image holds no path. Options
    that the stylizer would refuse are left out too, for example kadr's own inversion for a server.
    Raises InputError if the file cannot be read or has no parameters, OptionsError for an unknown
    stylizer.
    """
    options_class = stylizer_options(stylizer)
    info, rest, note = _read(image)
    settings, others = _settings(info, stylizer)
    if note and stylizer == "comfyui":
        settings.pop("noise_source", None)  # it has no other
    names = {item.name for item in fields(options_class)}
    # a prompt is never left out: the run refuses what it cannot do, and names the option it needs
    options = {name: settings.pop(name) for name in _PROMPTS if name in settings.keys() & names}
    accepted: dict[str, Any] = {}
    left_out: dict[str, Any] = {}
    for group in _groups(settings):
        missing = stylizer == "diffusion" and any(
            name in _FILES and not _files_exist(value) for name, value in group.items()
        )
        if not missing and group.keys() <= names and _accepts(options_class, accepted | group):
            accepted |= group
        else:
            left_out |= {name: _to_text(value) for name, value in group.items() if value != ""}
    return ImageSettings(options | accepted, left_out | others | rest, note)


def _read(image: Path) -> tuple[Infotext, dict[str, str], str]:
    """Parameters, what else a ComfyUI graph has, and a note if they come from such a graph."""
    data = read_image_bytes(image)
    text = graph_text(data) if parameters_text(data) is None else None
    if text is None:
        return infotext_of(data, image), {}, ""
    note = (
        f"{image}: made by ComfyUI; its settings were read from its graph. To run the graph itself "
        f"give --stylizer comfyui --workflow {image}"
    )
    return *read_graph_settings(parse_graph(text, image)), note


def _settings(info: Infotext, stylizer: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The settings under a stylizer's option names, and the other fields."""
    settings, others = infotext_settings(info), other_fields(info)
    if stylizer == "a1111" and "Model hash" in others:
        # the web interface finds a checkpoint by its hash too
        settings["model"] = others.pop("Model hash")
    sampler, schedule = info.fields.get("Sampler"), info.fields.get(SCHEDULE_FIELD, "")
    if sampler is not None and settings["sampler"] == f"{sampler} {UNIFORM}":
        schedule = UNIFORM  # by the version that wrote the text
    if sampler is None or not schedule:
        return settings, others
    if stylizer == "a1111":
        # it has more schedules than combined names of a sampler and a schedule
        settings |= {"sampler": sampler, "scheduler": schedule}
    elif stylizer == "diffusion" and schedule.casefold() not in _OWN_SCHEDULES:
        settings["sampler"] = sampler
        others = {SCHEDULE_FIELD: schedule} | others
    return settings, others


def _groups(settings: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The settings in their order; inseparable ones in one group."""
    remaining = dict(settings)
    for name in settings:
        names = next((group for group in _INSEPARABLE if name in group), (name,))
        group = {name: remaining.pop(name) for name in names if name in remaining}
        if group:
            yield group


def _accepts(options_class: type[Any], options: dict[str, Any]) -> bool:
    """Whether a stylizer accepts these options; True if it requires more than a model."""
    has_model = any(item.name == "model" for item in fields(options_class))
    required = {"model": "any"} if has_model else {}
    try:
        options_class(**required)
    except OptionsError:
        return True
    try:
        options_class(**required | options)
    except OptionsError:
        return False
    return True


def _files_exist(value: str | tuple[str, ...]) -> bool:
    """Whether all files in a value exist; a file name may end in a colon and a weight."""
    files = (value,) if isinstance(value, str) else value
    return all(
        _exists(file) or (":" in file and _exists(file.rpartition(":")[0])) for file in files
    )


def _exists(file: str) -> bool:
    try:
        return Path(file).exists()
    except OSError:  # a name that no file can have
        return False


def _to_text(value: Any) -> Any:
    return LIST_SEPARATOR.join(value) if isinstance(value, tuple) else value
