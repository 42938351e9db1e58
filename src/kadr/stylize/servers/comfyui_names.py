"""Look up the names in a graph on a ComfyUI that refuses to run it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from kadr.stylize.servers.client import Client, ServerError
from kadr.stylize.servers.comfyui_graph import Graph, join_nodes
from kadr.stylize.servers.json_values import as_list, as_object, as_text
from kadr.stylize.servers.names import unknown_name

_NAME_INPUTS = (
    "ckpt_name",
    "unet_name",
    "vae_name",
    "clip_name",
    "lora_name",
    "control_net_name",
    "sampler_name",
    "scheduler",
)
"""Inputs that hold one of the names that the server lists for them."""


def check_names(client: Client, graph: Graph) -> None:
    """Raise OptionsError for a name in a graph that the server does not have.

    The error names the node and what the server has. Nodes that the server does not have are left
    to its own error.
    """
    choices: dict[str, dict[str, list[str]]] = {}
    for key, node in graph.items():
        kind = as_text(node.get("class_type"))
        inputs = node["inputs"]
        for name in _NAME_INPUTS:
            value = inputs.get(name)
            if not isinstance(value, str):
                continue
            if kind not in choices:
                choices[kind] = list_choices(client, kind)
            available = choices[kind].get(name)
            if available and value not in available:
                raise unknown_name(f"node {join_nodes(graph, [key])}, {name}", value, available)


def list_choices(client: Client, kind: str) -> dict[str, list[str]]:
    """The names that a class of nodes accepts for each input that takes one of several.

    Empty if the server does not have the class.
    """
    try:
        answer = client.get_json(f"/object_info/{quote(kind, safe='')}")
    except ServerError as error:
        if error.status == 404:
            return {}
        raise
    inputs = as_object(as_object(as_object(answer).get(kind)).get("input"))
    choices: dict[str, list[str]] = {}
    for part in ("required", "optional"):
        for name, description in as_object(inputs.get(part)).items():
            names = _names(description)
            if names is not None:
                choices[name] = names
    return choices


def _names(description: Any) -> list[str] | None:
    # older servers send [names, ...], newer ones ["COMBO", {"options": names}]
    first, second = (*as_list(description), None, None)[:2]
    names = first if isinstance(first, list) else as_object(second).get("options")
    if not isinstance(names, list):
        return None
    return [text for text in map(as_text, names) if text]
