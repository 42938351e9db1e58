"""Write the options into a ComfyUI graph, and read a graph's settings as infotext."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any

from kadr.errors import OptionsError
from kadr.stylize.infotext import format_infotext
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
    "Normal": "normal",
    "Simple": "simple",
    "DDIM": "ddim_uniform",
    "Beta": "beta",
}


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

    def value(*inputs: str) -> Any:
        for key, name in find_inputs(graph, inputs, options.sampler_node):
            return graph[key]["inputs"][name]
        return None

    sampler, model = value("sampler_name"), value(*_MODEL_INPUTS, "unet_name")
    samplers = {comfyui_name: name for name, comfyui_name in _SAMPLERS.items()}
    schedulers = {comfyui_name: name for name, comfyui_name in _SCHEDULERS.items()}
    fields: dict[str, str | int | float | bool | None] = {
        "Steps": value("steps"),
        "Sampler": samplers.get(sampler, sampler),
        "Schedule type": schedulers.get(value("scheduler")),
        "CFG scale": value("cfg"),
        "Seed": value(*_SEED_INPUTS),
        "Size": f"{size[0]}x{size[1]}",
        "Model": PurePath(str(model)).stem if model else None,
        "Denoising strength": value("denoise"),
        "RNG": "CPU",
        "Version": "ComfyUI",
    }
    positive = get_prompt(graph, "positive", options.prompt_node)
    return format_infotext(positive, get_prompt(graph, "negative", options.negative_node), fields)


def _full_model_name(name: str, models: Sequence[str]) -> str:
    """A checkpoint's full name on the server, from its file name with or without suffix."""
    for model in models:
        file = PurePath(model.replace("\\", "/"))
        if name in (model, file.name, file.stem):
            return model
    raise OptionsError(f"model {name!r}: the server has {join_names(models)}")
