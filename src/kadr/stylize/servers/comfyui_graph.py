"""A ComfyUI graph and what is to change in it in, the changed graph out.

A graph is what "Export (API)" writes: ``{id: {"class_type": ..., "inputs": {name: value}}}``,
where a value may be a link, ``[id, slot]``, to another node.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from kadr.errors import InputError, OptionsError

Graph = dict[str, dict[str, Any]]

_TEXTS = ("text", "text_g", "text_l", "clip_l", "t5xxl", "prompt", "value", "string")
"""Inputs that hold a prompt: of the encoders of one and of several models, and of text nodes."""


def load_graph(path: Path) -> Graph:
    """Read a workflow file. Raises InputError for one that is no graph in API format."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give a workflow") from error
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error}); export it from ComfyUI again") from error
    if isinstance(value, dict) and isinstance(value.get("prompt"), dict):
        value = value["prompt"]
    if isinstance(value, dict) and "nodes" in value and "links" in value:
        raise InputError(
            f"{path}: a workflow as the editor saves it; export it with Export (API) instead"
        )
    nodes = value.values() if isinstance(value, dict) else ()
    fits = [isinstance(node, dict) and isinstance(node.get("inputs"), dict) for node in nodes]
    if not fits or not all(fits):
        raise InputError(f"{path}: not a ComfyUI graph; export it with Export (API)")
    return {str(name): node for name, node in value.items()}


def plain_graph(model: str) -> Graph:
    """Image to image with one checkpoint: load, encode, sample, decode, save."""

    def node(kind: str, **inputs: Any) -> dict[str, Any]:
        return {"class_type": kind, "inputs": inputs}

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


def find_node(graph: Graph, name: str, what: str) -> str:
    """The id of the node called ``name``: its id, else its title, else its class.

    Raises OptionsError that lists the nodes if there is none, or more than one.
    """
    if name in graph:
        return name
    for called in (_title, _class):
        found = [key for key in graph if called(graph[key]).casefold() == name.casefold()]
        if len(found) == 1:
            return found[0]
        if found:
            raise OptionsError(
                f"{what} {name!r}: {_listed(graph, found)} are called so; give an id"
            )
    raise OptionsError(f"{what} {name!r}: no such node; there are {_listed(graph, list(graph))}")


def image_node(graph: Graph, name: str) -> str:
    """The id of the node that loads the frame. Raises OptionsError if it cannot be told."""
    if name:
        return find_node(graph, name, "image-node")
    found = [key for key, node in graph.items() if _class(node) == "LoadImage"]
    if len(found) != 1:
        listed = _listed(graph, found) if found else "none"
        raise OptionsError(
            f"image-node: expected one LoadImage in the workflow, found {listed}; "
            "add one, or say which node takes the frame"
        )
    return found[0]


def prompt_nodes(graph: Graph, side: str, name: str) -> list[str]:
    """The ids of the nodes that hold the text of a ``side``, "positive" or "negative".

    They are found against the arrows: from whatever takes a ``side`` to the first texts.
    Raises OptionsError if there are none.
    """
    option = "prompt-node" if side == "positive" else "negative-node"
    if name:
        return [find_node(graph, name, option)]
    found: dict[str, None] = {}
    for node in graph.values():
        link = node["inputs"].get(side)
        if _is_link(link, graph):
            found |= dict.fromkeys(_texts_before(graph, str(link[0]), side))
    if not found and side == "positive":
        # guiders of newer models know one prompt only
        found = dict.fromkeys(key for key, node in graph.items() if "text" in _literals(node))
        if len(found) > 1:
            found = {}
    if not found:
        raise OptionsError(
            f"{option}: no node of the workflow is seen to hold it; there are "
            f"{_listed(graph, list(graph))}"
        )
    return list(found)


def set_prompt(graph: Graph, nodes: Sequence[str], text: str) -> None:
    """Write a prompt into every text that the nodes hold."""
    for key in nodes:
        names = [name for name in _TEXTS if name in _literals(graph[key])]
        for name in names or ["text"]:
            graph[key]["inputs"][name] = text


def get_prompt(graph: Graph, side: str, name: str) -> str:
    """The text of a side, "" where none is seen."""
    try:
        nodes = prompt_nodes(graph, side, name)
    except OptionsError:
        return ""
    texts = (graph[key]["inputs"].get(text) for key in nodes for text in _TEXTS)
    return next((text for text in texts if isinstance(text, str)), "")


def holders(graph: Graph, inputs: Sequence[str], sampler: str) -> list[tuple[str, str]]:
    """(node, input) wherever one of ``inputs`` stands as a plain value, not as a link.

    sampler: the node to look at, "" for all of them. What is not in that node itself is sought in
    those that lead to it, and the nearest is taken; newer graphs keep steps, noise and guidance
    in nodes of their own.
    """
    if not sampler:
        return _held(graph, graph, inputs)
    start = find_node(graph, sampler, "sampler-node")
    own = _held(graph, [start], inputs)
    return own or _held(graph, _before(graph, start), inputs)[:1]


def _held(graph: Graph, keys: Iterable[str], inputs: Sequence[str]) -> list[tuple[str, str]]:
    return [(key, name) for key in keys for name in inputs if name in _literals(graph[key])]


def set_value(
    graph: Graph, option: str, inputs: Sequence[str], value: Any, sampler: str, *, every: bool
) -> None:
    """Change a setting. Raises OptionsError if no node has it, or several and not ``every``."""
    found = holders(graph, inputs, sampler)
    if not found:
        raise OptionsError(f"{option}: no node of the workflow has {' or '.join(inputs)} to set")
    if len(found) > 1 and not every:
        listed = _listed(graph, [key for key, _ in found])
        raise OptionsError(
            f"{option}: {listed} have {found[0][1]}; give sampler-node, or "
            f"patch={found[0][0]}.{found[0][1]}={value}"
        )
    for key, name in found:
        graph[key]["inputs"][name] = value


def apply_patch(graph: Graph, text: str) -> None:
    """Change one input as ``NODE.input=value`` says; the value is JSON, or else plain text.

    Raises OptionsError for an unknown node, or an input that it does not have.
    """
    left, _, given = text.partition("=")
    name, _, field = left.rpartition(".")
    key = find_node(graph, name, f"patch {text!r}: node")
    inputs = graph[key]["inputs"]
    if field not in inputs:
        raise OptionsError(f"patch {text!r}: the node has {', '.join(inputs) or 'no inputs'}")
    try:
        inputs[field] = json.loads(given)
    except ValueError:
        inputs[field] = given


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


def _literals(node: dict[str, Any]) -> list[str]:
    return [name for name, value in node["inputs"].items() if not isinstance(value, list)]


def _texts_before(graph: Graph, start: str, side: str) -> Iterator[str]:
    """The first nodes with a text, going against the links; never over to the other side."""
    seen, ahead = {start}, [start]
    while ahead:
        key = ahead.pop(0)
        node = graph[key]
        texts = [
            name for name in _TEXTS
            if name in _literals(node) and isinstance(node["inputs"][name], str)
        ]  # fmt: skip
        if texts:
            yield key
            continue
        inputs = node["inputs"]
        chosen = [inputs[side]] if side in inputs else list(inputs.values())
        for link in chosen:
            if _is_link(link, graph) and str(link[0]) not in seen:
                seen.add(str(link[0]))
                ahead.append(str(link[0]))


def _before(graph: Graph, start: str) -> list[str]:
    """A node and all that lead to it, nearest first, but for what made the latent it starts on."""
    found = [start]
    for key in found:
        for name, link in graph[key]["inputs"].items():
            leads = name != "latent_image" and _is_link(link, graph)
            if leads and str(link[0]) not in found:
                found.append(str(link[0]))
    return found


def _listed(graph: Graph, keys: Sequence[str], most: int = 8) -> str:
    names = [f"{key} ({_title(graph[key]) or _class(graph[key])})" for key in keys[:most]]
    rest = f" and {len(keys) - most} more" if len(keys) > most else ""
    return ", ".join(names) + rest
