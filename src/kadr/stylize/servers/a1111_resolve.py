"""Check options against a running web interface, and look up the full names of its models."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kadr.errors import InputError, OptionsError
from kadr.stylize.servers.a1111_names import find_model, find_sampler, find_vae, list_names
from kadr.stylize.servers.a1111_options import A1111Options
from kadr.stylize.servers.a1111_settings import read_settings
from kadr.stylize.servers.client import Client, ServerError
from kadr.stylize.servers.error_text import join_names
from kadr.stylize.servers.json_values import as_list, as_object, as_text, parse_json
from kadr.stylize.servers.names import unknown_name, warn_unchecked

log = logging.getLogger(__name__)

CONTEXT_PREFIX = "@"
"""Marks a control image that comes from the run's context."""

INVERSION_SCRIPT = "img2img alternative test"
_SCRIPT_ARGUMENT_COUNT = 11
_SCRIPT_LABELS = {
    6: "decode steps",
    8: "decode cfg scale",
    9: "randomness",
    10: "sigma adjustment",
}
"""Position of an argument of the script → what its label contains, if the server sends labels."""

_RESERVED = ("init_images", "force_task_id", "override_settings_restore_afterwards")
"""Fields of a request that kadr sets itself."""


@dataclass(frozen=True)
class ResolvedOptions:
    """What the server needs to be sent with every frame.

    sampler, scheduler: by their names on the server; no scheduler is the sampler's own.
    own_settings: all settings of the server. override_settings: those that every request carries.
    controlnet: full names of models, with their weights.
    payload: the user's further fields.
    """

    sampler: str
    scheduler: str
    own_settings: Mapping[str, Any]
    override_settings: Mapping[str, Any] = field(default_factory=dict)
    controlnet: tuple[tuple[str, float], ...] = ()
    payload: Mapping[str, Any] = field(default_factory=dict)


def resolve_options(client: Client, options: A1111Options) -> ResolvedOptions:
    """Look up all that the options name, so that a mistake shows before any frame is made.

    Raises OptionsError that lists what the server has, InputError for a bad payload file, and
    ServerError.
    """
    payload = _load_payload(options)
    own_settings = read_settings(client)
    sampler, scheduler = find_sampler(
        client,
        as_text(payload.pop("sampler_name", None)) or options.sampler,
        as_text(payload.pop("scheduler", None)) or options.scheduler,
    )
    if options.inversion != "none":
        _check_inversion_script(client)
    _check_preprocessors(client, options)
    return ResolvedOptions(
        sampler,
        scheduler,
        own_settings,
        _override_settings(client, options, own_settings, payload.pop("override_settings", {})),
        _controlnet_models(client, options),
        payload,
    )


def _load_payload(options: A1111Options) -> dict[str, Any]:
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
    unused = [name for name in _RESERVED if name in value]
    if unused:
        log.warning("%s: left out %s, which kadr sets itself", options.payload, join_names(unused))
    return {name: item for name, item in value.items() if name not in unused}


def _override_settings(
    client: Client, options: A1111Options, own_settings: Mapping[str, Any], further: Any
) -> dict[str, Any]:
    """The settings that make a frame what it is, those of the server included.

    They are sent even where they have the same values as on the server: somebody may change them
    there during the run. further: settings of the payload, which replace others.
    """
    requested: dict[str, Any] = {
        "img2img_fix_steps": options.exact_steps,
        "img2img_color_correction": options.color_correction,
        "randn_source": options.noise_source.upper() or None,
        "CLIP_stop_at_last_layers": options.clip_skip,
        "sd_vae": options.vae or None,
        "sd_model_checkpoint": options.model or None,
    } | dict(as_object(further))
    settings: dict[str, Any] = {}
    for name, value in requested.items():
        if name in own_settings:
            settings[name] = own_settings[name] if value is None else value
        elif value:
            raise OptionsError(f"{client.endpoint.address}: the server has no setting {name}")
    vae, model = as_text(requested["sd_vae"]), as_text(requested["sd_model_checkpoint"])
    if vae:
        settings["sd_vae"] = find_vae(client, vae, own_settings.get("sd_vae"))
    if model:
        settings["sd_model_checkpoint"] = find_model(client, model)
    return {name: value for name, value in settings.items() if value is not None}


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
    available = _texts(as_object(answer).get("model_list"))
    return tuple(_controlnet_model(text, available) for text in options.controlnet)


def _controlnet_model(text: str, available: list[str]) -> tuple[str, float]:
    """A ControlNet's full name and weight from NAME or NAME:WEIGHT."""
    weighted = re.fullmatch(r"(.+):(\d*\.?\d+)", text)
    name, weight = (weighted[1], float(weighted[2])) if weighted else (text, 1.0)
    for full_name in available:
        # "control_v11p_sd15_canny [d14c016b]": the hash may be left out
        if name in (full_name, full_name.partition(" [")[0]):
            return full_name, weight
    raise unknown_name("controlnet", name, available)


def _check_preprocessors(client: Client, options: A1111Options) -> None:
    """Raise OptionsError for a preprocessor that the server's ControlNet extension lacks."""
    names = [name for name in options.control if not name.startswith(CONTEXT_PREFIX)]
    if not names:
        return
    try:
        answer = client.get_json("/controlnet/module_list", alias_names="true")
    except ServerError as error:
        if error.status != 404:
            raise
        for name in names:
            warn_unchecked("control", name, client.endpoint.address)
        return
    modules = _texts(as_object(answer).get("module_list"))
    for name in names:
        if name not in ("none", *modules):
            raise unknown_name("control", name, modules)


def _texts(value: Any) -> list[str]:
    return [text for text in map(as_text, as_list(value)) if text]


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
    for script in map(as_object, list_names(client, "/sdapi/v1/script-info") or []):
        if script.get("is_img2img") and as_text(script.get("name")).lower() == INVERSION_SCRIPT:
            return script
    return None
