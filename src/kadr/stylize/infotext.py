"""Format the facts of a generation as the text that image programs call "parameters", and parse it.

A1111's web interface stores this text in its images: people can drop a frame on it, or on any
program that reads such images, and see how the frame was made::

    prompt
    Negative prompt: what to avoid
    Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512, Denoising strength: 0.5
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PARAMETERS = "parameters"
"""The name of the text in a PNG, and in ``StyledFrame.info``."""

SCHEDULE_FIELD = "Schedule type"
"""The field of the noise schedule, where it is separate from the sampler."""

EVEN_SCHEDULES = frozenset({"uniform", "normal"})
"""Names, in lower case, of the schedule that is even over timesteps."""

UNIFORM = "Uniform"
"""Its name in the texts of A1111."""

LIST_SEPARATOR = ", "
"""Separates the values of a field that has several."""

_NEGATIVE = "Negative prompt:"
# names have a limit because a search for one begins at every letter
_NAME = r"(\w[\w \-/]{1,80}):\s*"
_FIELD = re.compile(_NAME + r"""("(?:\\.|[^\\"])+"|\{"[^{}]*\}|[^,]*)(?:,|$)""")
_LATER_FIELD = re.compile(_NAME + "(.*)")
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
        or text.startswith(('"', '{"'))
        or text != text.strip()
    ):
        return json.dumps(text, ensure_ascii=False)
    return text


def parse_infotext(text: str) -> Infotext:
    """Parse a parameters text, also one that other programs or people wrote; never fails.

    A text without a line of fields is a prompt only. Extensions write lines of their own after the
    fields: they become fields too.
    """
    lines = text.replace("\r\n", "\n").strip().split("\n")
    position = _field_line(lines)
    fields = _parse_fields(lines[position]) if position < len(lines) else {}
    fields |= _later_fields(lines[position + 1 :])
    del lines[position:]
    prompt: list[str] = []
    negative: list[str] = []
    part = prompt
    for line in lines:
        stripped = line.strip()
        if stripped.startswith(_NEGATIVE):
            part, stripped = negative, stripped.removeprefix(_NEGATIVE).strip()
        part.append(stripped)
    return Infotext("\n".join(prompt).strip(), "\n".join(negative).strip(), fields)


def _field_line(lines: Sequence[str]) -> int:
    """The position of the line of fields: the last line, or else one as A1111 begins it."""
    for position in range(len(lines) - 1, -1, -1):
        is_candidate = position == len(lines) - 1 or lines[position].startswith("Steps:")
        if is_candidate and len(_parse_fields(lines[position])) >= _LEAST_FIELDS:
            return position
    return len(lines)


def _parse_fields(line: str) -> dict[str, str]:
    return {name: _unquote(value) for name, value in _FIELD.findall(line)}


def _later_fields(lines: Iterable[str]) -> dict[str, str]:
    """Fields in lines of their own, whose values may have several lines."""
    fields: dict[str, str] = {}
    name = "Further text"
    for line in lines:
        if match := _LATER_FIELD.match(line):
            name, line = match[1], match[2]
        fields[name] = f"{fields.get(name, '')}\n{line}".strip()
    return {name: value for name, value in fields.items() if value}


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
    its own; "Euler" with the even schedule, which is that sampler's own. A1111 and Forge leave the
    noise source out if it is the GPU: then it is "nv", which makes the same numbers. An option that
    depends on another, such as original_prompt on inversion, comes after it. A field with an
    invalid value is no setting.
    """
    fields = info.fields
    settings: dict[str, Any] = {"prompt": info.prompt, "negative_prompt": info.negative_prompt}
    for name, (option, _) in _OPTIONS.items():
        value = _parse_value(info, name)
        if value is not None:
            settings[option] = value
    if "sampler" in settings and (schedule := _schedule(fields)):
        settings["sampler"] = _with_schedule(settings["sampler"], schedule)
    if "seed" in settings and re.match(r"[vf]\d", fields.get("Version", "")):
        settings.setdefault("noise_source", "nv")
    if size := _parse_size(fields.get("Size", "")):
        settings["width"], settings["height"] = size
    return settings


def other_fields(info: Infotext) -> dict[str, str]:
    """The fields of a text that are not in ``infotext_settings``, but no mere descriptions."""
    return {name: value for name, value in info.fields.items() if not _is_used(info, name)}


def _is_used(info: Infotext, name: str) -> bool:
    if name in _OPTIONS:
        return _parse_value(info, name) is not None
    if name == "Size":
        return _parse_size(info.fields[name]) is not None
    if name in _HASHES:  # the file is named beside it
        return _HASHES[name] in info.fields
    return name == SCHEDULE_FIELD or name in _NO_SETTINGS


def _with_schedule(sampler: str, schedule: str) -> str:
    name, has_karras = schedule.casefold(), sampler in _KARRAS_BY_DEFAULT
    if name == "automatic":
        return f"{sampler} Karras" if has_karras else sampler
    if name in EVEN_SCHEDULES and not has_karras:
        return sampler
    return f"{sampler} {schedule}"


def _schedule(fields: Mapping[str, str]) -> str:
    """The noise schedule of a text; "" if nothing tells.

    Before version 1.9 of A1111 a bare sampler had the even schedule, since then it has its own.
    """
    if SCHEDULE_FIELD in fields:
        return fields[SCHEDULE_FIELD].strip()
    version = re.search(r"v([0-9]{1,4})\.([0-9]{1,4})", fields.get("Version", ""))
    if version is None:
        return ""
    return UNIFORM if (int(version[1]), int(version[2])) < (1, 9) else "Automatic"


def _parse_value(info: Infotext, name: str) -> Any:
    """The value of a field of ``_OPTIONS``; None if it is missing or invalid."""
    text = info.fields.get(name)
    try:
        return None if text is None else _OPTIONS[name][1](text)
    except ValueError:
        return None


def _parse_size(text: str) -> tuple[int, int] | None:
    size = re.fullmatch(r"\s*([0-9]{1,9})\s*x\s*([0-9]{1,9})\s*", text)
    return (int(size[1]), int(size[2])) if size else None


def _whole(text: str) -> int:
    """A whole number; some programs write it with decimals, such as 5.0."""
    match = re.fullmatch(r"\s*([+-]?[0-9]+)(\.0*)?\s*", text)
    if match is None:
        raise ValueError(text)
    return int(match[1])


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number) or "_" in text:
        raise ValueError(text)
    return number


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


def _zero_terminal_snr(text: str) -> str:
    schedules = {"Zero Terminal SNR": "yes", "Default": "no"}
    if text not in schedules:
        raise ValueError(text)
    return schedules[text]


def _list(text: str) -> tuple[str, ...]:
    return tuple(text.split(LIST_SEPARATOR))


_KARRAS_BY_DEFAULT = frozenset({"DPM++ 2M", "DPM++ SDE", "DPM++ 2S a", "DPM2", "DPM2 a"})
"""Samplers that A1111 runs on Karras' noise levels when its schedule is "Automatic"."""

_NO_SETTINGS = frozenset({"Version", "User", "Pipeline"})
"""Fields that describe an image and are not settings."""

_HASHES = {"Model hash": "Model", "VAE hash": "VAE"}
"""Field of a file's hash → the field of its name, which stands for it."""

_OPTIONS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "Steps": ("steps", _whole),
    "Sampler": ("sampler", str),
    "CFG scale": ("cfg_scale", _number),
    "CFG rescale": ("cfg_rescale", _number),
    "Seed": ("seed", _whole),
    "Denoising strength": ("denoising_strength", _number),
    "Model": ("model", str),
    "VAE": ("vae", str),
    "Clip skip": ("clip_skip", _whole),
    "RNG": ("noise_source", _noise_source),
    "ENSD": ("eta_noise_seed_delta", _whole),
    "Noise multiplier": ("noise_multiplier", _number),
    "Conditional mask weight": ("inpainting_mask_weight", _number),
    "Sigma Adjustment": ("inversion", _inversion_kind),
    "Inversion": ("inversion", str),
    "Decode prompt": ("original_prompt", str),
    "Decode negative prompt": ("original_negative_prompt", str),
    "Decode CFG scale": ("decode_cfg_scale", _number),
    "Decode steps": ("decode_steps", _whole),
    "Randomness": ("randomness", _number),
    "Refinements": ("refinements", _whole),
    "Exact steps": ("exact_steps", _boolean),
    "Color correction": ("color_correction", _boolean),
    "Lora": ("lora", _list),
    "Embedding": ("embedding", _list),
    "ControlNets": ("controlnet", _list),
    "Controls": ("control", _list),
    "Control until": ("control_until", _number),
    "Noise Schedule": ("zero_terminal_snr", _zero_terminal_snr),
    "Prediction": ("prediction", str),
    "VAE tiling": ("vae_tiling", _boolean),
    "Mask blur": ("mask_blur", _number),
    "Inpaint area": ("inpaint_area", _area),
    "Masked area padding": ("mask_padding", _whole),
    "Resize mode": ("resize_mode", _whole),
    "Carry noise": ("carry_noise", _boolean),
    "Previous start": ("previous_start", _number),
    "Previous blend": ("previous_blend", _number),
    "Cross frame": ("cross_frame", str),
    "Anchor every": ("anchor_every", _whole),
    "Joint": ("joint", str),
    "Joint size": ("joint_size", _whole),
}
"""Field of the text → option, and the function that parses its value; the last field wins."""
