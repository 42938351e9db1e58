"""Find the nodes of a ComfyUI graph, and change their inputs.

A graph is what "Export (API)" writes: ``{id: {"class_type": ..., "inputs": {name: value}}}``,
where a value may be a link, ``[id, slot]``, to another node.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from typing import Any

from kadr.errors import OptionsError
from kadr.stylize.option_hints import with_option
from kadr.stylize.servers.error_text import one_line
from kadr.stylize.servers.json_values import parse_json

Graph = dict[str, dict[str, Any]]

_TEXT_INPUTS = ("text", "text_g", "text_l", "clip_l", "t5xxl", "prompt", "value", "string")
"""Inputs that hold a prompt: of encoders for one or several text models, and of text nodes."""


def plain_graph(model: str) -> Graph:
    """Image to image with one checkpoint: load, encode, sample, decode, save."""

    def node(class_type: str, **inputs: Any) -> dict[str, Any]:
        return {"class_type": class_type, "inputs": inputs}

    return {
        "1": node("CheckpointLoaderSimple", ckpt_name=model),
        "2": node("LoadImage", image=""),
        "3": node("VAEEncode", pixels=["2", 0], vae=["1", 2]),
        "4": node("CLIPTextEncode", text="", clip=["1", 1]),
        "5": node("CLIPTextEncode", text="", clip=["1", 1]),
        "6": node(
            "KSampler",
            model=["1", 0],
            positive=["4", 0],
            negative=["5", 0],
            latent_image=["3", 0],
            seed=0,
            steps=20,
            cfg=7.0,
            sampler_name="euler_ancestral",
            scheduler="normal",
            denoise=0.5,
        ),
        "7": node("VAEDecode", samples=["6", 0], vae=["1", 2]),
        "8": node("SaveImage", images=["7", 0], filename_prefix="kadr"),
    }


def find_node(graph: Graph, name: str, option: str) -> str:
    """The id of a node from its id, its title or its class, looked up in this order.

    Raises OptionsError that lists the nodes if none or several have that name.
    """
    if name in graph:
        return name
    for label in (_title, _class):
        keys = [key for key in graph if label(graph[key]).casefold() == name.casefold()]
        if len(keys) == 1:
            return keys[0]
        if keys:
            raise OptionsError(
                f"{option} {name!r}: {join_nodes(graph, keys)} have this name; give an id"
            )
    nodes = join_nodes(graph, list(graph))
    raise OptionsError(f"{option} {name!r}: no such node; there are {nodes}")


def find_image_node(graph: Graph, name: str) -> str:
    """The id of the node that loads the frame. Raises OptionsError if there is not exactly one."""
    if name:
        return find_node(graph, name, "image-node")
    keys = [key for key, node in graph.items() if _class(node) == "LoadImage"]
    if len(keys) != 1:
        nodes = join_nodes(graph, keys) if keys else "none"
        raise OptionsError(
            f"image-node: expected one LoadImage in the workflow, found {nodes}; "
            f"add one, or give {with_option('image_node', 'NODE')}"
        )
    return keys[0]


def find_prompt_nodes(graph: Graph, side: str, name: str) -> list[str]:
    """The ids of the nodes that hold the text of a ``side``, "positive" or "negative".

    The search follows the links backwards, from each input called ``side`` to the nearest texts.
    Raises OptionsError if there are none.
    """
    option = "prompt-node" if side == "positive" else "negative-node"
    if name:
        return [find_node(graph, name, option)]
    keys: dict[str, None] = {}
    for node in graph.values():
        link = node["inputs"].get(side)
        if _is_link(link, graph):
            keys |= dict.fromkeys(_upstream_texts(graph, str(link[0]), side))
    if not keys and side == "positive":
        # guiders of newer models have one prompt only
        keys = dict.fromkeys(key for key, node in graph.items() if "text" in _value_inputs(node))
        if len(keys) > 1:
            keys = {}
    if not keys:
        raise OptionsError(
            f"{option}: no node of the workflow was found to hold it; there are "
            f"{join_nodes(graph, list(graph))}"
        )
    return list(keys)


def set_prompt(graph: Graph, keys: Sequence[str], text: str) -> None:
    """Write a prompt into every text input of some nodes."""
    for key in keys:
        names = [name for name in _TEXT_INPUTS if name in _value_inputs(graph[key])]
        for name in names or ["text"]:
            graph[key]["inputs"][name] = text


def get_prompt(graph: Graph, side: str, name: str) -> str:
    """The text of a side, "" if none is found."""
    try:
        keys = find_prompt_nodes(graph, side, name)
    except OptionsError:
        return ""
    texts = (graph[key]["inputs"].get(name) for key in keys for name in _TEXT_INPUTS)
    return next((text for text in texts if isinstance(text, str)), "")


def find_inputs(graph: Graph, names: Sequence[str], sampler: str) -> list[tuple[str, str]]:
    """(node, input) of each input with one of the ``names`` that holds a value, not a link.

    sampler: the only node to search, "" for all nodes. If that node has no such input, the nodes
    that lead to it are searched, and the nearest is taken: newer graphs keep steps, noise and
    guidance in nodes of their own.
    """
    if not sampler:
        return _find_values(graph, graph, names)
    start = find_node(graph, sampler, "sampler-node")
    matches = _find_values(graph, [start], names)
    return matches or _find_values(graph, _upstream(graph, start), names)[:1]


def _find_values(graph: Graph, keys: Iterable[str], names: Sequence[str]) -> list[tuple[str, str]]:
    return [(key, name) for key in keys for name in names if name in _value_inputs(graph[key])]


def set_value(
    graph: Graph, option: str, names: Sequence[str], value: Any, sampler: str, *, all_nodes: bool
) -> None:
    """Write a setting into the nodes that ``find_inputs`` finds.

    Raises OptionsError if there is no such node, or several although ``all_nodes`` is False.
    """
    matches = find_inputs(graph, names, sampler)
    if not matches:
        raise OptionsError(f"{option}: no node of the workflow has {' or '.join(names)} to set")
    if len(matches) > 1 and not all_nodes:
        key, name = matches[0]
        nodes = join_nodes(graph, [key for key, _ in matches])
        raise OptionsError(
            f"{option}: {nodes} have {name}; give {with_option('sampler_node', 'NODE')}, or "
            f"{with_option('patch', f'{key}.{name}={value}')}"
        )
    for key, name in matches:
        graph[key]["inputs"][name] = value


def apply_patch(graph: Graph, patch: str) -> None:
    """Change one input as ``NODE.input=value`` says; the value is JSON, or otherwise plain text.

    Raises OptionsError for an unknown node, or an input that it does not have.
    """
    target, _, value = patch.partition("=")
    node, _, name = target.rpartition(".")
    key = find_node(graph, node, f"patch {patch!r}: node")
    inputs = graph[key]["inputs"]
    if name not in inputs:
        raise OptionsError(f"patch {patch!r}: the node has {', '.join(inputs) or 'no inputs'}")
    try:
        inputs[name] = parse_json(value)
    except ValueError:
        inputs[name] = value


def copy_graph(graph: Graph) -> Graph:
    """A copy that can be changed."""
    return deepcopy(graph)


def _title(node: dict[str, Any]) -> str:
    meta = node.get("_meta")
    return str(meta.get("title", "")) if isinstance(meta, dict) else ""


def _class(node: dict[str, Any]) -> str:
    return str(node.get("class_type", ""))


def _is_link(value: Any, graph: Graph) -> bool:
    return isinstance(value, list) and len(value) == 2 and str(value[0]) in graph


def _value_inputs(node: dict[str, Any]) -> list[str]:
    """The inputs that hold a value, not a link."""
    return [name for name, value in node["inputs"].items() if not isinstance(value, list)]


def _upstream_texts(graph: Graph, start: str, side: str) -> Iterator[str]:
    """The nearest nodes with a text, following the links backwards but not to the other side."""
    visited, queue = {start}, deque([start])
    while queue:
        key = queue.popleft()
        inputs = graph[key]["inputs"]
        if any(isinstance(inputs.get(name), str) for name in _TEXT_INPUTS):
            yield key
            continue
        links = [inputs[side]] if side in inputs else list(inputs.values())
        for link in links:
            if _is_link(link, graph) and str(link[0]) not in visited:
                visited.add(str(link[0]))
                queue.append(str(link[0]))


def _upstream(graph: Graph, start: str) -> list[str]:
    """A node and all that lead to it, nearest first, except those that make its first latent."""
    keys, visited = [start], {start}
    for key in keys:
        for name, link in graph[key]["inputs"].items():
            is_followed = name != "latent_image" and _is_link(link, graph)
            if is_followed and str(link[0]) not in visited:
                visited.add(str(link[0]))
                keys.append(str(link[0]))
    return keys


def join_nodes(graph: Graph, keys: Sequence[str], max_count: int = 8) -> str:
    """The ids of nodes with their titles or classes, for messages."""
    nodes = [(key, graph.get(key, {})) for key in keys[:max_count]]
    names = [one_line(f"{key} ({_title(node) or _class(node)})", 80) for key, node in nodes]
    rest = f" and {len(keys) - max_count} more" if len(keys) > max_count else ""
    return ", ".join(names) + rest
