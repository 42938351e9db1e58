"""A running web interface and options in, what it has of what they name out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from kadr.errors import InputError, OptionsError
from kadr.stylize.servers.a1111_options import A1111Options
from kadr.stylize.servers.http import Client, ServerError

ALTERNATIVE = "img2img alternative test"
_ALTERNATIVE_ARGUMENTS = 11
_LABELS = {6: "decode steps", 8: "decode cfg scale", 9: "randomness", 10: "sigma adjustment"}
"""Places among the script's arguments that are told apart by their labels, where it sends any."""

_MOST_LISTED = 8


@dataclass(frozen=True)
class Probe:
    """What was found out before the first frame.

    settings: the server's settings that this work needs otherwise than they stand.
    controlnet: full names of models, with their weights.
    payload: the user's further fields.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    controlnet: tuple[tuple[str, float], ...] = ()
    payload: Mapping[str, Any] = field(default_factory=dict)


def probe(client: Client, options: A1111Options) -> Probe:
    """Ask for all that the options name, so that a mistake shows before any frame is made.

    Raises OptionsError listing what there is, InputError for a bad payload file, ServerError.
    """
    payload = _payload(options)
    if options.inversion != "none":
        _check_alternative(client)
    return Probe(_settings(client, options), _controlnet(client, options), payload)


def _payload(options: A1111Options) -> Mapping[str, Any]:
    if options.payload is None:
        return {}
    try:
        value = json.loads(options.payload.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{options.payload}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise InputError(f"{options.payload}: not JSON ({error}); correct it") from error
    if not isinstance(value, dict):
        raise InputError(f"{options.payload}: expected a JSON object of fields, {{...}}")
    return value


def _settings(client: Client, options: A1111Options) -> dict[str, Any]:
    """Settings that differ from the server's own; each key is sent only to a server that has it."""
    wanted: dict[str, Any] = {
        "img2img_fix_steps": options.exact_steps,
        "img2img_color_correction": options.color_correction,
    }
    if options.noise_source:
        wanted["randn_source"] = options.noise_source.upper()
    if options.clip_skip is not None:
        wanted["CLIP_stop_at_last_layers"] = options.clip_skip
    if options.vae:
        wanted["sd_vae"] = options.vae
    own = client.get_json("/sdapi/v1/options")
    if not isinstance(own, dict):
        raise ServerError(f"{client.endpoint.shown}: sends no settings; {client.hint}")
    settings = {}
    for name, value in wanted.items():
        if name in own and own[name] != value:
            settings[name] = value
        elif name not in own and value:
            raise OptionsError(f"{client.endpoint.shown}: the server has no setting {name}")
    if options.model:
        settings["sd_model_checkpoint"] = _model(client, options.model)
    return settings


def _model(client: Client, name: str) -> str:
    """The full title of a checkpoint given by any of its names."""
    models = [item for item in _list(client, "/sdapi/v1/sd-models") if isinstance(item, dict)]
    for item in models:
        names = {item.get(key) for key in ("title", "model_name", "hash", "sha256")}
        file = PurePath(str(item.get("filename", "")).replace("\\", "/"))
        if name in names | {file.name, file.stem}:
            return str(item["title"])
    known = (str(item.get("model_name")) for item in models)
    raise OptionsError(f"model {name!r}: the server has {_listed(known)}")


def _controlnet(client: Client, options: A1111Options) -> tuple[tuple[str, float], ...]:
    if not options.controlnet:
        return ()
    try:
        answer = client.get_json("/controlnet/model_list")
    except ServerError as error:
        if error.status == 404:
            raise OptionsError(
                f"controlnet: {client.endpoint.shown} has no ControlNet extension; install it there"
            ) from error
        raise
    listed = answer.get("model_list") if isinstance(answer, dict) else None
    known = [str(name) for name in listed] if isinstance(listed, list) else []
    return tuple(_unit(text, known) for text in options.controlnet)


def _unit(text: str, known: list[str]) -> tuple[str, float]:
    """A ControlNet's full name and weight from NAME or NAME:WEIGHT."""
    weighted = re.fullmatch(r"(.+):(\d*\.?\d+)", text)
    name, weight = (weighted[1], float(weighted[2])) if weighted else (text, 1.0)
    for full in known:
        # "control_v11p_sd15_canny [d14c016b]": people leave the hash out
        if name in (full, full.partition(" [")[0]):
            return full, weight
    raise OptionsError(f"controlnet {name!r}: the server has {_listed(known)}")


def _check_alternative(client: Client) -> None:
    """Raise unless the server has the script with the arguments that are sent to it."""
    where = client.endpoint.shown
    found = next((item for item in _scripts(client) if item.get("is_img2img")), None)
    if found is None:
        raise OptionsError(
            f"inversion: {where} has no script {ALTERNATIVE!r}; put A1111's own "
            "img2imgalt.py into its scripts folder, or use the stylizer diffusion"
        )
    arguments = found.get("args")
    count = len(arguments) if isinstance(arguments, list) else 0
    labels = [str(item.get("label") or "").lower() for item in arguments or []]
    moved = count == _ALTERNATIVE_ARGUMENTS and any(
        labels[place] and label not in labels[place] for place, label in _LABELS.items()
    )
    if count != _ALTERNATIVE_ARGUMENTS or moved:
        raise OptionsError(
            f"inversion: the script {ALTERNATIVE!r} of {where} takes {count} arguments, not the "
            f"{_ALTERNATIVE_ARGUMENTS} of A1111's; use the stylizer diffusion"
        )


def _scripts(client: Client) -> Iterable[dict[str, Any]]:
    for item in _list(client, "/sdapi/v1/script-info"):
        if isinstance(item, dict) and str(item.get("name", "")).lower() == ALTERNATIVE:
            yield item


def _list(client: Client, path: str) -> list[Any]:
    answer = client.get_json(path)
    if not isinstance(answer, list):
        raise ServerError(f"{client.endpoint.shown}{path}: expected a list; {client.hint}")
    return answer


def _listed(names: Iterable[str]) -> str:
    known = list(names)
    shown = ", ".join(known[:_MOST_LISTED]) or "none"
    return shown if len(known) <= _MOST_LISTED else f"{shown} and {len(known) - _MOST_LISTED} more"
