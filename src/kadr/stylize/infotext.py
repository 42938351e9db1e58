"""Facts of a generation in, the text that image programs call "parameters" out; and back again.

The text is what A1111's web interface writes beside its images, so that people can drop a frame
on it, or on anything that reads its images, and see how the frame was made::

    prompt
    Negative prompt: what was not wanted
    Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512, Denoising strength: 0.5
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kadr.errors import InputError

KEY = "parameters"
"""The name of the text in a PNG, and in ``Styled.info``."""

SCHEDULE = "Schedule type"
"""The field of the noise levels, where they stand apart from the sampler."""

EVEN_SCHEDULES = frozenset({"uniform", "normal"})
"""Names, in lower case, of the one spread evenly over timesteps: a sampler's bare name says it."""

LISTED = ", "
"""Between several values of one field."""

_NEGATIVE = "Negative prompt:"
_FIELD = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
_LEAST_FIELDS = 3
"""A last line with fewer is the end of a prompt that happens to hold a colon."""


@dataclass(frozen=True)
class Infotext:
    """What a parameters text says.

    prompt, negative_prompt: may have several lines.
    fields: e.g. {"Steps": "20", "Sampler": "Euler a"}, in the order of the text.
    """

    prompt: str = ""
    negative_prompt: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


def format_infotext(
    prompt: str, negative_prompt: str, fields: Mapping[str, str | int | float | bool | None]
) -> str:
    """The text of a generation; fields that are None are left out, none may be called ""."""
    lines = [prompt.strip()]
    if negative_prompt.strip():
        lines.append(f"{_NEGATIVE} {negative_prompt.strip()}")
    named = ((name, value) for name, value in fields.items() if value is not None)
    lines.append(", ".join(f"{name}: {_quoted(value)}" for name, value in named))
    return "\n".join(lines).strip()


def _quoted(value: str | int | float | bool) -> str:
    """A value as text; in JSON's quotes if it holds what ends a value, or looks quoted itself."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value)
    if any(mark in text for mark in ",:\n") or text.startswith('"') or text != text.strip():
        return json.dumps(text, ensure_ascii=False)
    return text


def parse_infotext(text: str) -> Infotext:
    """Read a parameters text, also one that other programs or people wrote; never fails.

    A text without a line of fields is all prompt.
    """
    lines = text.replace("\r\n", "\n").strip().split("\n")
    fields = {name: _unquoted(value) for name, value in _FIELD.findall(lines[-1])}
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


def _unquoted(value: str) -> str:
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] == '"':
        try:
            return str(json.loads(value))
        except ValueError:
            return value
    return value


def infotext_settings(info: Infotext) -> dict[str, Any]:
    """What a text says under the names that kadr's stylizers give these options.

    Holds only what the text has: prompt, negative_prompt, width, height, and what ``_OPTIONS``
    lists. The sampler is "DPM++ 2M Karras" also where the schedule stands apart, and "Euler" with
    the even one. A1111 and Forge leave the source of noise out when it is the graphics card's:
    then it is "nv", which makes the same numbers. What goes on one another's account, as original
    prompts on inversion's, comes behind it.
    Raises InputError naming a field with an odd value.
    """
    fields = info.fields
    settings: dict[str, Any] = {"prompt": info.prompt, "negative_prompt": info.negative_prompt}
    for name, (option, kind) in _OPTIONS.items():
        if name in fields:
            settings[option] = _read(name, fields[name], kind)
    if "sampler" in settings and SCHEDULE in fields:
        settings["sampler"] = _with_schedule(settings["sampler"], fields[SCHEDULE].strip())
    if "seed" in settings and re.match(r"[vf]\d", fields.get("Version", "")):
        settings.setdefault("noise_source", "nv")
    if "Size" in fields:
        size = re.fullmatch(r"\s*(\d+)\s*x\s*(\d+)\s*", fields["Size"])
        if size is None:
            raise InputError(f"parameters: Size {fields['Size']!r}: expected e.g. 512x512")
        settings["width"], settings["height"] = int(size[1]), int(size[2])
    return settings


def infotext_rest(info: Infotext) -> dict[str, str]:
    """The fields of a text that are not among its settings, but for those that set nothing."""
    read = {*_OPTIONS, "Size", SCHEDULE}
    return {
        name: value
        for name, value in info.fields.items()
        if name not in read and name not in _TELLING and not name.endswith((" hash", " hashes"))
    }


def _with_schedule(sampler: str, schedule: str) -> str:
    word = schedule.casefold()
    if word == "automatic":
        return f"{sampler} Karras" if sampler in _KARRAS_ITSELF else sampler
    return sampler if word in EVEN_SCHEDULES else f"{sampler} {schedule}"


def _read(name: str, text: str, kind: Callable[[str], Any]) -> Any:
    try:
        return kind(text)
    except ValueError as error:
        expected = _EXPECTED.get(kind, "a number")
        raise InputError(f"parameters: {name} {text!r}: expected {expected}") from error


def _adjusted(text: str) -> str:
    return "adjusted" if _yes(text) else "plain"


def _yes(text: str) -> bool:
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


def _several(text: str) -> tuple[str, ...]:
    return tuple(text.split(LISTED))


_EXPECTED: dict[Callable[[str], Any], str] = {
    int: "a whole number",
    _yes: "True or False",
    _adjusted: "True or False",
    _area: "Only masked or Whole picture",
}

_KARRAS_ITSELF = frozenset({"DPM++ 2M", "DPM++ SDE", "DPM++ 2S a", "DPM2", "DPM2 a"})
"""Samplers that A1111 runs on Karras' noise levels when its schedule is "Automatic"."""

_TELLING = frozenset({"Hashes", "Version", "User", "Pipeline"})
"""Fields that tell of a picture and set nothing."""

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
    "Sigma Adjustment": ("inversion", _adjusted),
    "Inversion": ("inversion", str),
    "Decode prompt": ("original_prompt", str),
    "Decode negative prompt": ("original_negative_prompt", str),
    "Decode CFG scale": ("decode_cfg_scale", float),
    "Decode steps": ("decode_steps", int),
    "Randomness": ("randomness", float),
    "Refinements": ("refinements", int),
    "Exact steps": ("exact_steps", _yes),
    "Color correction": ("color_correction", _yes),
    "Lora": ("lora", _several),
    "Embedding": ("embedding", _several),
    "ControlNets": ("controlnet", _several),
    "Controls": ("control", _several),
    "Control until": ("control_until", float),
    "Prediction": ("prediction", str),
    "VAE tiling": ("vae_tiling", _yes),
    "Mask blur": ("mask_blur", float),
    "Inpaint area": ("inpaint_area", _area),
    "Masked area padding": ("mask_padding", int),
    "Resize mode": ("resize_mode", int),
    "Carry noise": ("carry_noise", _yes),
    "Previous start": ("previous_start", float),
    "Previous blend": ("previous_blend", float),
    "Cross frame": ("cross_frame", str),
    "Anchor every": ("anchor_every", int),
    "Joint": ("joint", str),
    "Joint size": ("joint_size", int),
}
"""Field of the text → option, and how its value is read; a later line prevails."""
