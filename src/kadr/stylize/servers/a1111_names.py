"""Look up the names of samplers, models and VAEs on a running web interface.

The web interface takes any name. For one that it does not know it uses another sampler, scheduler,
VAE or checkpoint, and reports no error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from kadr.errors import OptionsError
from kadr.stylize.servers.client import Client, ServerError
from kadr.stylize.servers.json_values import as_list, as_object, as_text
from kadr.stylize.servers.names import find_name, unknown_name, warn_unchecked

_MODEL_NAMES = ("title", "model_name", "hash", "sha256")
_VAE_CHOICES = ("Automatic", "None")
"""Values of the setting for VAEs that are no files."""


def find_sampler(client: Client, sampler: str, scheduler: str) -> tuple[str, str]:
    """(sampler, scheduler) as the server calls them; the scheduler is "" if none was named.

    The sampler's name may end in that of a scheduler, as in "DPM++ 2M Karras".
    """
    where = client.endpoint.address
    items = list_names(client, "/sdapi/v1/samplers")
    samplers = None if items is None else _names(items, "name", "aliases")
    items = list_names(client, "/sdapi/v1/schedulers")
    schedulers = None if items is None else _names(items, "label", "name", "aliases")
    if scheduler:
        if schedulers is None:
            warn_unchecked("scheduler", scheduler, where)
        else:
            scheduler = _required("scheduler", scheduler, schedulers)
    if samplers is None:
        warn_unchecked("sampler", sampler, where)
        return sampler, scheduler
    name = find_name(samplers, sampler)
    if name is not None:
        return name, scheduler
    for ending, named_scheduler in (schedulers or {}).items():
        start = sampler[: -len(ending) - 1]
        if not sampler.casefold().endswith(f" {ending}".casefold()):
            continue
        name = find_name(samplers, start)
        if name is not None and scheduler not in ("", named_scheduler):
            raise OptionsError(
                f"sampler {sampler!r}: names the scheduler {named_scheduler}, and the option "
                f"scheduler says {scheduler}; leave out one"
            )
        if name is not None:
            return name, named_scheduler
    raise unknown_name("sampler", sampler, list(dict.fromkeys(samplers.values())))


def find_vae(client: Client, name: str, current: Any) -> str:
    """The VAE as the server calls it, from its file name with or without suffix.

    current: the one that the server is set to, which needs no check.
    """
    items = list_names(client, "/sdapi/v1/sd-vae")
    if name == current or name in _VAE_CHOICES:
        return name
    if items is None:
        warn_unchecked("vae", name, client.endpoint.address)
        return name
    names = _names(items, "model_name")
    stems = {PurePath(key).stem: value for key, value in names.items()}
    match = find_name(names, name) or find_name(stems, name)
    if match is None:
        raise unknown_name("vae", name, [*names, *_VAE_CHOICES])
    return match


def find_model(client: Client, name: str) -> str:
    """The full title of a checkpoint from any of its names."""
    items = list_names(client, "/sdapi/v1/sd-models")
    if items is None:
        warn_unchecked("model", name, client.endpoint.address)
        return name
    models = [as_object(item) for item in items]
    titles = [as_text(model.get("title")) or as_text(model.get("model_name")) for model in models]
    for model, title in zip(models, titles):
        names = {as_text(model.get(key)) for key in _MODEL_NAMES}
        file = PurePath(as_text(model.get("filename")).replace("\\", "/"))
        if title and name in names | {file.name, file.stem}:
            return title
    available = [as_text(model.get("model_name")) or title for model, title in zip(models, titles)]
    raise unknown_name("model", name, [text for text in available if text])


def list_names(client: Client, path: str) -> list[Any] | None:
    """A list that the server sends; None if it has no such list."""
    try:
        answer = client.get_json(path)
    except ServerError as error:
        if error.status == 404:
            return None
        raise
    if not isinstance(answer, list):
        raise ServerError(f"{client.endpoint.address}{path}: expected a list; {client.hint}")
    return answer


def _names(items: Sequence[Any], *fields: str) -> dict[str, str]:
    """Each name of each entry → the one in the first of the ``fields`` that it has."""
    names: dict[str, str] = {}
    for item in map(as_object, items):
        texts = [text for field in fields for text in _texts(item.get(field))]
        names |= {text: texts[0] for text in texts if text not in names}
    return names


def _texts(value: Any) -> list[str]:
    return [text for text in map(as_text, [value, *as_list(value)]) if text]


def _required(option: str, name: str, names: Mapping[str, str]) -> str:
    match = find_name(names, name)
    if match is None:
        raise unknown_name(option, name, list(dict.fromkeys(names.values())))
    return match
