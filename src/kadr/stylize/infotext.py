"""Format the facts of a generation as the text that image programs call "parameters", and parse it.

A1111's web interface stores this text in its images: people can drop a frame on it, or on any
program that reads such images, and see how the frame was made::

    prompt
    Negative prompt: what to avoid
    Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512, Denoising strength: 0.5
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kadr.errors import InputError

PARAMETERS = "parameters"
"""The name of the text in a PNG, and in ``StyledFrame.info``."""

SCHEDULE_FIELD = "Schedule type"
"""The field of the noise schedule, where it is separate from the sampler."""

EVEN_SCHEDULES = frozenset({"uniform", "normal"})
"""Names, in lower case, of the schedule that is even over timesteps, the default of samplers."""

LIST_SEPARATOR = ", "
"""Separates the values of a field that has several."""

_NEGATIVE = "Negative prompt:"
_FIELD = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
_LEAST_FIELDS = 3
"""A last line with fewer fields is the end of a prompt that contains a colon."""


@dataclass(frozen=True)
class Infotext:
    """The content of a parameters text.

    prompt, negative_prompt: may have several lines.
    fields: e.g. {"Steps": "20", "Sampler": "Euler a"}, in the order of the text.
    """

    prompt: str = ""
    negative_prompt: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


def format_infotext(
    prompt: str, negative_prompt: str, fields: Mapping[str, str | int | float | bool | None]
) -> str:
    """The text of a generation; fields that are None are left out, and no name may be empty."""
    lines = [prompt.strip()]
    if negative_prompt.strip():
        lines.append(f"{_NEGATIVE} {negative_prompt.strip()}")
    set_fields = ((name, value) for name, value in fields.items() if value is not None)
    lines.append(", ".join(f"{name}: {_quote(value)}" for name, value in set_fields))
    return "\n".join(lines).strip()


def _quote(value: str | int | float | bool) -> str:
    """A value as text; quoted as JSON if it contains a separator or looks quoted itself."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value)
    if (
        any(separator in text for separator in ",:\n")
        or text.startswith('"')
        or text != text.strip()
    ):
        return json.dumps(text, ensure_ascii=False)
    return text


def parse_infotext(text: str) -> Infotext:
    """Parse a parameters text, also one that other programs or people wrote; never fails.

    A text without a line of fields is a prompt only.
    """
    lines = text.replace("\r\n", "\n").strip().split("\n")
    fields = {name: _unquote(value) for name, value in _FIELD.findall(lines[-1])}
    if len(fields) >= _LEAST_FIELDS:
        lines.pop()
    else:
        fields = {}
    prompt: list[str] = []
    negative: list[str] = []
    part = prompt
    for line in lines:
        stripped = line.strip()
        if stripped.startswith(_NEGATIVE):
            part, stripped = negative, stripped.removeprefix(_NEGATIVE).strip()
        part.append(stripped)
    return Infotext("\n".join(prompt).strip(), "\n".join(negative).strip(), fields)


def _unquote(value: str) -> str:
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] == '"':
        try:
            return str(json.loads(value))
        except ValueError:
            return value
    return value


def infotext_settings(info: Infotext) -> dict[str, Any]:
    """The settings in a text, under the option names of kadr's stylizers.

    Only settings that the text has: prompt, negative_prompt, width, height, and the options in
    ``_OPTIONS``. The sampler is "DPM++ 2M Karras" even if the text has the schedule in a field of
    its own, and "Euler" with the even schedule. A1111 and Forge leave the noise source out if it is
    the GPU: then it is "nv", which makes the same numbers. An option that depends on another, such
    as original_prompt on inversion, comes after it.
    Raises InputError naming a field with an invalid value.
    """
    fields = info.fields
    settings: dict[str, Any] = {"prompt": info.prompt, "negative_prompt": info.negative_prompt}
    for name, (option, parse) in _OPTIONS.items():
        if name in fields:
            settings[option] = _parse_value(name, fields[name], parse)
    if "sampler" in settings and SCHEDULE_FIELD in fields:
        settings["sampler"] = _with_schedule(settings["sampler"], fields[SCHEDULE_FIELD].strip())
    if "seed" in settings and re.match(r"[vf]\d", fields.get("Version", "")):
        settings.setdefault("noise_source", "nv")
    if "Size" in fields:
        size = re.fullmatch(r"\s*(\d+)\s*x\s*(\d+)\s*", fields["Size"])
        if size is None:
            raise InputError(f"parameters: Size {fields['Size']!r}: expected e.g. 512x512")
        settings["width"], settings["height"] = int(size[1]), int(size[2])
    return settings


def other_fields(info: Infotext) -> dict[str, str]:
    """The fields of a text that set something but are not in ``infotext_settings``."""
    settings = {*_OPTIONS, "Size", SCHEDULE_FIELD}
    return {
        name: value
        for name, value in info.fields.items()
        if name not in settings
        and name not in _NO_SETTINGS
        and not name.endswith((" hash", " hashes"))
    }


def _with_schedule(sampler: str, schedule: str) -> str:
    name = schedule.casefold()
    if name == "automatic":
        return f"{sampler} Karras" if sampler in _KARRAS_BY_DEFAULT else sampler
    return sampler if name in EVEN_SCHEDULES else f"{sampler} {schedule}"


def _parse_value(name: str, text: str, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(text)
    except ValueError as error:
        expected = _EXPECTED.get(parse, "a number")
        raise InputError(f"parameters: {name} {text!r}: expected {expected}") from error


def _inversion_kind(text: str) -> str:
    return "adjusted" if _boolean(text) else "plain"


def _boolean(text: str) -> bool:
    if text not in ("True", "False"):
        raise ValueError(text)
    return text == "True"


def _noise_source(text: str) -> str:
    return "nv" if text == "GPU" else text.lower()


def _area(text: str) -> str:
    areas = {"Only masked": "mask", "Whole picture": "picture"}
    if text not in areas:
        raise ValueError(text)
    return areas[text]


def _list(text: str) -> tuple[str, ...]:
    return tuple(text.split(LIST_SEPARATOR))


_EXPECTED: dict[Callable[[str], Any], str] = {
    int: "a whole number",
    _boolean: "True or False",
    _inversion_kind: "True or False",
    _area: "Only masked or Whole picture",
}

_KARRAS_BY_DEFAULT = frozenset({"DPM++ 2M", "DPM++ SDE", "DPM++ 2S a", "DPM2", "DPM2 a"})
"""Samplers that A1111 runs on Karras' noise levels when its schedule is "Automatic"."""

_NO_SETTINGS = frozenset({"Hashes", "Version", "User", "Pipeline"})
"""Fields that describe an image and are not settings."""

_OPTIONS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "Steps": ("steps", int),
    "Sampler": ("sampler", str),
    "CFG scale": ("cfg_scale", float),
    "Seed": ("seed", int),
    "Denoising strength": ("denoising_strength", float),
    "Model": ("model", str),
    "VAE": ("vae", str),
    "Clip skip": ("clip_skip", int),
    "RNG": ("noise_source", _noise_source),
    "ENSD": ("eta_noise_seed_delta", int),
    "Noise multiplier": ("noise_multiplier", float),
    "Conditional mask weight": ("inpainting_mask_weight", float),
    "Sigma Adjustment": ("inversion", _inversion_kind),
    "Inversion": ("inversion", str),
    "Decode prompt": ("original_prompt", str),
    "Decode negative prompt": ("original_negative_prompt", str),
    "Decode CFG scale": ("decode_cfg_scale", float),
    "Decode steps": ("decode_steps", int),
    "Randomness": ("randomness", float),
    "Refinements": ("refinements", int),
    "Exact steps": ("exact_steps", _boolean),
    "Color correction": ("color_correction", _boolean),
    "Lora": ("lora", _list),
    "Embedding": ("embedding", _list),
    "ControlNets": ("controlnet", _list),
    "Controls": ("control", _list),
    "Control until": ("control_until", float),
    "Prediction": ("prediction", str),
    "VAE tiling": ("vae_tiling", _boolean),
    "Mask blur": ("mask_blur", float),
    "Inpaint area": ("inpaint_area", _area),
    "Masked area padding": ("mask_padding", int),
    "Resize mode": ("resize_mode", int),
    "Carry noise": ("carry_noise", _boolean),
    "Previous start": ("previous_start", float),
    "Previous blend": ("previous_blend", float),
    "Cross frame": ("cross_frame", str),
    "Anchor every": ("anchor_every", int),
    "Joint": ("joint", str),
    "Joint size": ("joint_size", int),
}
"""Field of the text → option, and the function that parses its value; the last field wins."""
