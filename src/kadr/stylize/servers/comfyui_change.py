"""A graph and options in, the graph as it is to run out; and what it says for people to read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from kadr.errors import OptionsError
from kadr.stylize.infotext import format_infotext
from kadr.stylize.servers.comfyui_graph import (
    Graph,
    apply_patch,
    copy_graph,
    get_prompt,
    holders,
    prompt_nodes,
    set_prompt,
    set_value,
)
from kadr.stylize.servers.comfyui_options import ComfyUIOptions

_SEED = ("seed", "noise_seed")
_MODEL = ("ckpt_name",)
_SETTINGS: dict[str, tuple[str, ...]] = {
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


def changed_graph(graph: Graph, options: ComfyUIOptions, models: Sequence[str]) -> Graph:
    """A copy with all changed that the options name; ``patch`` comes last.

    models: the checkpoints that the server has.
    Raises OptionsError for a setting or a node that the graph does not have.
    """
    graph, at = copy_graph(graph), options.sampler_node
    if options.model:
        set_value(graph, "model", _MODEL, _known_model(options.model, models), "", every=True)
    sides = (
        ("positive", options.prompt_node, options.prompt),
        ("negative", options.negative_node, options.negative_prompt),
    )
    for side, node, text in sides:
        if text:
            set_prompt(graph, prompt_nodes(graph, side, node), text)
    for option, inputs in _SETTINGS.items():
        value = getattr(options, option)
        if value is not None:
            set_value(graph, option.replace("_", "-"), inputs, value, at, every=False)
    if options.sampler:
        sampler, scheduler = sampler_names(options.sampler)
        set_value(graph, "sampler", ("sampler_name",), sampler, at, every=False)
        if scheduler and not options.scheduler:
            set_value(graph, "scheduler", ("scheduler",), scheduler, at, every=False)
    if options.scheduler:
        set_value(graph, "scheduler", ("scheduler",), options.scheduler, at, every=False)
    if options.seed is not None:
        graph = seeded_graph(graph, options, options.seed)
    for text in options.patch:
        apply_patch(graph, text)
    return graph


def seeded_graph(graph: Graph, options: ComfyUIOptions, seed: int) -> Graph:
    """A copy with this seed wherever noise is made."""
    graph = copy_graph(graph)
    set_value(graph, "seed", _SEED, seed, options.sampler_node, every=True)
    return graph


def sampler_names(name: str) -> tuple[str, str]:
    """ComfyUI's sampler and scheduler for a name of its own or of A1111, e.g. "DPM++ 2M Karras".

    The scheduler is "" where the name says none.
    """
    for word, scheduler in _SCHEDULERS.items():
        if name.endswith(f" {word}"):
            return _SAMPLERS.get(name.removesuffix(f" {word}"), name), scheduler
    return _SAMPLERS.get(name, name), ""


def graph_text(graph: Graph, options: ComfyUIOptions, size: tuple[int, int]) -> str:
    """The generation parameters of a graph, as far as it shows them."""

    def held(*inputs: str) -> Any:
        found = holders(graph, inputs, options.sampler_node)
        return graph[found[0][0]]["inputs"][found[0][1]] if found else None

    sampler, scheduler = held("sampler_name"), held("scheduler")
    model = held(*_MODEL, "unet_name")
    names = {own: known for known, own in _SAMPLERS.items()}
    schedules = {own: known for known, own in _SCHEDULERS.items()}
    fields: dict[str, str | int | float | bool | None] = {
        "Steps": held("steps"),
        "Sampler": names.get(sampler, sampler),
        "Schedule type": schedules.get(scheduler),
        "CFG scale": held("cfg"),
        "Seed": held(*_SEED),
        "Size": f"{size[0]}x{size[1]}",
        "Model": PurePath(str(model)).stem if model else None,
        "Denoising strength": held("denoise"),
        "RNG": "CPU",
        "Version": "ComfyUI",
    }
    positive = get_prompt(graph, "positive", options.prompt_node)
    return format_infotext(positive, get_prompt(graph, "negative", options.negative_node), fields)


def _known_model(name: str, models: Sequence[str]) -> str:
    """A checkpoint's full name there, also from its bare file name or without its suffix."""
    for model in models:
        file = PurePath(model.replace("\\", "/"))
        if name in (model, file.name, file.stem):
            return model
    raise OptionsError(f"model {name!r}: the server has {', '.join(models[:8]) or 'none'}")
