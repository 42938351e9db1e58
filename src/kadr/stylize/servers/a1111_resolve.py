"""Check options against a running web interface, and look up the full names of its models."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from kadr.errors import InputError, OptionsError
from kadr.stylize.servers.a1111_options import A1111Options
from kadr.stylize.servers.client import Client, ServerError
from kadr.stylize.servers.error_text import join_names
from kadr.stylize.servers.json_values import as_list, as_object, as_text, parse_json

INVERSION_SCRIPT = "img2img alternative test"
_SCRIPT_ARGUMENT_COUNT = 11
_SCRIPT_LABELS = {
    6: "decode steps",
    8: "decode cfg scale",
    9: "randomness",
    10: "sigma adjustment",
}
"""Position of an argument of the script → what its label contains, if the server sends labels."""

_MODEL_NAMES = ("title", "model_name", "hash", "sha256")


@dataclass(frozen=True)
class ResolvedOptions:
    """What the server needs to be sent with every frame.

    override_settings: settings that must differ from the server's current ones.
    controlnet: full names of models, with their weights.
    payload: the user's further fields.
    """

    override_settings: Mapping[str, Any] = field(default_factory=dict)
    controlnet: tuple[tuple[str, float], ...] = ()
    payload: Mapping[str, Any] = field(default_factory=dict)


def resolve_options(client: Client, options: A1111Options) -> ResolvedOptions:
    """Look up all that the options name, so that a mistake shows before any frame is made.

    Raises OptionsError that lists what the server has, InputError for a bad payload file, and
    ServerError.
    """
    payload = _load_payload(options)
    if options.inversion != "none":
        _check_inversion_script(client)
    return ResolvedOptions(
        _override_settings(client, options), _controlnet_models(client, options), payload
    )


def _load_payload(options: A1111Options) -> Mapping[str, Any]:
    if options.payload is None:
        return {}
    try:
        value = parse_json(options.payload.read_bytes())
    except OSError as error:
        raise InputError(f"{options.payload}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise InputError(f"{options.payload}: not JSON ({error}); correct it") from error
    if not isinstance(value, dict):
        raise InputError(f"{options.payload}: expected a JSON object of fields, {{...}}")
    return value


def _override_settings(client: Client, options: A1111Options) -> dict[str, Any]:
    """Settings that differ from the server's; a setting is sent only to a server that has it."""
    requested: dict[str, Any] = {
        "img2img_fix_steps": options.exact_steps,
        "img2img_color_correction": options.color_correction,
    }
    if options.noise_source:
        requested["randn_source"] = options.noise_source.upper()
    if options.clip_skip is not None:
        requested["CLIP_stop_at_last_layers"] = options.clip_skip
    if options.vae:
        requested["sd_vae"] = options.vae
    current = as_object(client.get_json("/sdapi/v1/options"))
    if not current:
        raise ServerError(f"{client.endpoint.address}: sends no settings; {client.hint}")
    settings = {}
    for name, value in requested.items():
        if name in current and current[name] != value:
            settings[name] = value
        elif name not in current and value:
            raise OptionsError(f"{client.endpoint.address}: the server has no setting {name}")
    if options.model:
        settings["sd_model_checkpoint"] = _model_title(client, options.model)
    return settings


def _model_title(client: Client, name: str) -> str:
    """The full title of a checkpoint from any of its names."""
    models = [as_object(item) for item in _get_list(client, "/sdapi/v1/sd-models")]
    titles = [as_text(model.get("title")) or as_text(model.get("model_name")) for model in models]
    for model, title in zip(models, titles):
        names = {as_text(model.get(key)) for key in _MODEL_NAMES}
        file = PurePath(as_text(model.get("filename")).replace("\\", "/"))
        if title and name in names | {file.name, file.stem}:
            return title
    available = [as_text(model.get("model_name")) or title for model, title in zip(models, titles)]
    raise OptionsError(f"model {name!r}: the server has {join_names(available)}")


def _controlnet_models(client: Client, options: A1111Options) -> tuple[tuple[str, float], ...]:
    if not options.controlnet:
        return ()
    try:
        answer = client.get_json("/controlnet/model_list")
    except ServerError as error:
        if error.status == 404:
            raise OptionsError(
                f"controlnet: {client.endpoint.address} has no ControlNet extension; "
                "install it there"
            ) from error
        raise
    names = map(as_text, as_list(as_object(answer).get("model_list")))
    available = [name for name in names if name]
    return tuple(_controlnet_model(text, available) for text in options.controlnet)


def _controlnet_model(text: str, available: list[str]) -> tuple[str, float]:
    """A ControlNet's full name and weight from NAME or NAME:WEIGHT."""
    weighted = re.fullmatch(r"(.+):(\d*\.?\d+)", text)
    name, weight = (weighted[1], float(weighted[2])) if weighted else (text, 1.0)
    for full_name in available:
        # "control_v11p_sd15_canny [d14c016b]": the hash may be left out
        if name in (full_name, full_name.partition(" [")[0]):
            return full_name, weight
    raise OptionsError(f"controlnet {name!r}: the server has {join_names(available)}")


def _check_inversion_script(client: Client) -> None:
    """Raise OptionsError unless the server has the script with the arguments that are sent."""
    where = client.endpoint.address
    script = _find_inversion_script(client)
    if script is None:
        raise OptionsError(
            f"inversion: {where} has no script {INVERSION_SCRIPT!r}; put A1111's own "
            "img2imgalt.py into its scripts folder, or use the stylizer diffusion"
        )
    arguments = as_list(script.get("args"))
    count = len(arguments)
    labels = [as_text(as_object(item).get("label")).lower() for item in arguments]
    is_other_order = count == _SCRIPT_ARGUMENT_COUNT and any(
        labels[position] and label not in labels[position]
        for position, label in _SCRIPT_LABELS.items()
    )
    if count != _SCRIPT_ARGUMENT_COUNT or is_other_order:
        raise OptionsError(
            f"inversion: the script {INVERSION_SCRIPT!r} of {where} takes {count} arguments, "
            f"not the {_SCRIPT_ARGUMENT_COUNT} of A1111's; use the stylizer diffusion"
        )


def _find_inversion_script(client: Client) -> Mapping[str, Any] | None:
    for script in map(as_object, _get_list(client, "/sdapi/v1/script-info")):
        if script.get("is_img2img") and as_text(script.get("name")).lower() == INVERSION_SCRIPT:
            return script
    return None


def _get_list(client: Client, path: str) -> list[Any]:
    answer = client.get_json(path)
    if not isinstance(answer, list):
        raise ServerError(f"{client.endpoint.address}{path}: expected a list; {client.hint}")
    return answer
