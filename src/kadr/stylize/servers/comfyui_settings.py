"""Write the options into a ComfyUI graph, and read a graph's settings as infotext."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any

from kadr.stylize.diffusion.prompt.notation import find_notation
from kadr.stylize.infotext import Infotext, format_infotext
from kadr.stylize.servers.comfyui_graph import (
    Graph,
    apply_patch,
    copy_graph,
    find_inputs,
    find_prompt_nodes,
    get_prompt,
    set_prompt,
    set_value,
)
from kadr.stylize.servers.comfyui_options import ComfyUIOptions
from kadr.stylize.servers.error_text import join_names
from kadr.stylize.servers.names import unknown_name

_log = logging.getLogger(__name__)

_SEED_INPUTS = ("seed", "noise_seed")
_MODEL_INPUTS = ("ckpt_name",)
_SETTING_INPUTS: dict[str, tuple[str, ...]] = {
    "steps": ("steps",),
    "cfg_scale": ("cfg",),
    "denoising_strength": ("denoise",),
}

_SAMPLERS = {
    "Euler": "euler",
    "Euler a": "euler_ancestral",
    "LMS": "lms",
    "Heun": "heun",
    "DPM2": "dpm_2",
    "DPM2 a": "dpm_2_ancestral",
    "DPM++ 2S a": "dpmpp_2s_ancestral",
    "DPM++ 2M": "dpmpp_2m",
    "DPM++ SDE": "dpmpp_sde",
    "DPM++ 2M SDE": "dpmpp_2m_sde",
    "DPM++ 3M SDE": "dpmpp_3m_sde",
    "DPM fast": "dpm_fast",
    "DPM adaptive": "dpm_adaptive",
    "DDIM": "ddim",
    "UniPC": "uni_pc",
    "LCM": "lcm",
}
"""A1111's name → ComfyUI's."""

_SCHEDULERS = {
    "Karras": "karras",
    "Exponential": "exponential",
    "SGM Uniform": "sgm_uniform",
    "Uniform": "normal",  # the same levels; the name that is read back is the next
    "Normal": "normal",
    "Simple": "simple",
    "DDIM": "ddim_uniform",
    "Beta": "beta",
}


_TO_A1111 = {comfyui_name: name for name, comfyui_name in _SAMPLERS.items()}
_TO_SCHEDULE = {comfyui_name: name for name, comfyui_name in _SCHEDULERS.items()}
"""ComfyUI's name → A1111's."""

_FIELD_INPUTS: dict[str, tuple[str, ...]] = {
    "Steps": ("steps",),
    "Sampler": ("sampler_name",),
    "Schedule type": ("scheduler",),
    "CFG scale": ("cfg",),
    "Seed": _SEED_INPUTS,
    "Model": (*_MODEL_INPUTS, "unet_name"),
    "Denoising strength": ("denoise",),
}
"""Field of the parameters → inputs of nodes that hold it."""

_PLAIN_CLASSES = frozenset(
    {
        "CheckpointLoaderSimple",
        "UNETLoader",
        "CLIPLoader",
        "DualCLIPLoader",
        "VAELoader",
        "LoadImage",
        "EmptyLatentImage",
        "VAEEncode",
        "VAEDecode",
        "CLIPTextEncode",
        "KSampler",
        "SaveImage",
        "PreviewImage",
    }
)
"""Nodes that change nothing beyond what their settings say."""


def apply_options(graph: Graph, options: ComfyUIOptions, models: Sequence[str]) -> Graph:
    """A copy of a graph with all that the options set; ``patch`` comes last.

    models: the checkpoints that the server has.
    Raises OptionsError for a setting or a node that the graph does not have.
    """
    graph = copy_graph(graph)
    if options.model:
        name = _full_model_name(options.model, models)
        set_value(graph, "model", _MODEL_INPUTS, name, "", all_nodes=True)
    sides = (
        ("positive", options.prompt_node, options.prompt),
        ("negative", options.negative_node, options.negative_prompt),
    )
    for side, node, text in sides:
        if text:
            _warn_of_notation(text, side)
            set_prompt(graph, find_prompt_nodes(graph, side, node), text)
    for option, inputs, value in _sampler_settings(options):
        set_value(graph, option, inputs, value, options.sampler_node, all_nodes=False)
    if options.seed is not None:
        set_seed(graph, options, options.seed)
    for patch in options.patch:
        apply_patch(graph, patch)
    return graph


def set_seed(graph: Graph, options: ComfyUIOptions, seed: int) -> None:
    """Write a seed into every node that makes noise."""
    set_value(graph, "seed", _SEED_INPUTS, seed, options.sampler_node, all_nodes=True)


def _sampler_settings(
    options: ComfyUIOptions,
) -> Iterator[tuple[str, tuple[str, ...], str | int | float]]:
    """(option, names of inputs, value) of each setting of the sampler that the options change."""
    for option, inputs in _SETTING_INPUTS.items():
        value = getattr(options, option)
        if value is not None:
            yield option.replace("_", "-"), inputs, value
    sampler, scheduler = sampler_names(options.sampler)
    if sampler:
        yield "sampler", ("sampler_name",), sampler
    if options.scheduler or scheduler:
        yield "scheduler", ("scheduler",), options.scheduler or scheduler


def _warn_of_notation(prompt: str, side: str) -> None:
    """Tell what ComfyUI's own text nodes take for words; weights in brackets they know."""
    notation = find_notation(prompt, weights=False)
    if notation:
        _log.warning(
            "the %s prompt has %s: ComfyUI takes it for words unless a node of the graph reads it",
            side,
            notation,
        )


def sampler_names(name: str) -> tuple[str, str]:
    """ComfyUI's sampler and scheduler for its own name or A1111's, e.g. "DPM++ 2M Karras".

    The scheduler is "" if the name contains none.
    """
    for suffix, scheduler in _SCHEDULERS.items():
        if name.endswith(f" {suffix}"):
            return _SAMPLERS.get(name.removesuffix(f" {suffix}"), name), scheduler
    return _SAMPLERS.get(name, name), ""


def graph_infotext(graph: Graph, options: ComfyUIOptions, size: tuple[int, int]) -> str:
    """The generation parameters of a graph, as far as it contains them."""

    def value(*inputs: str) -> str | int | float | bool | None:
        for key, name in find_inputs(graph, inputs, options.sampler_node):
            return _plain(graph[key]["inputs"][name])
        return None

    sampler, model = value("sampler_name"), value(*_MODEL_INPUTS, "unet_name")
    fields: dict[str, str | int | float | bool | None] = {
        "Steps": value("steps"),
        "Sampler": _TO_A1111.get(str(sampler), sampler),
        "Schedule type": _TO_SCHEDULE.get(str(value("scheduler"))),
        "CFG scale": value("cfg"),
        "Seed": value(*_SEED_INPUTS),
        "Size": f"{size[0]}x{size[1]}",
        "Model": _file_stem(str(model)) if model else None,
        "Denoising strength": value("denoise"),
        "RNG": "CPU",
        "Version": "ComfyUI",
    }
    positive = get_prompt(graph, "positive", options.prompt_node)
    return format_infotext(positive, get_prompt(graph, "negative", options.negative_node), fields)


def read_graph_settings(graph: Graph) -> tuple[Infotext, dict[str, str]]:
    """What a graph sets, as the parameters that A1111 writes, and what else there is in it.

    Of several nodes that set the same thing the first counts; the others are among the rest.
    """
    fields, rest = {"RNG": "CPU"}, dict[str, str]()
    for field, inputs in _FIELD_INPUTS.items():
        nodes = find_inputs(graph, inputs, "")
        texts = [(key, _plain(graph[key]["inputs"][name])) for key, name in nodes]
        values = [(key, str(value)) for key, value in texts if value is not None]
        if values:
            fields[field] = values[0][1]
        rest |= {f"{field} of node {key}": text for key, text in values if text != values[0][1]}
    classes = [str(node.get("class_type", "")) for node in graph.values()]
    if "Denoising strength" in fields and any("Empty" in name for name in classes):
        # a picture of a prompt alone: this is no choice of how far from a frame to go
        rest["Denoising strength"] = fields.pop("Denoising strength")
    convert = {"Sampler": _TO_A1111, "Schedule type": _TO_SCHEDULE}
    for field, names in convert.items():
        if field in fields:
            fields[field] = names.get(fields[field], fields[field])
    if "Model" in fields:
        fields["Model"] = _file_stem(fields["Model"])
    others = sorted(set(classes) - _PLAIN_CLASSES)
    if others:
        rest["nodes"] = join_names(others)
    positive, negative = get_prompt(graph, "positive", ""), get_prompt(graph, "negative", "")
    return Infotext(positive, negative, fields), rest


def _plain(value: Any) -> str | int | float | bool | None:
    return value if isinstance(value, (str, int, float, bool)) else None


def _file_stem(name: str) -> str:
    return PurePath(name.replace("\\", "/")).stem


def _full_model_name(name: str, models: Sequence[str]) -> str:
    """A checkpoint's full name on the server, from its file name with or without suffix."""
    for model in models:
        file = PurePath(model.replace("\\", "/"))
        if name in (model, file.name, file.stem):
            return model
    raise unknown_name("model", name, models)
