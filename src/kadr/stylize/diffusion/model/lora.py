"""The file of a LoRA in, its changes merged into a model's weights out; the model stays fast."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kadr.errors import InputError
from kadr.stylize.diffusion.model.model import Networks
from kadr.stylize.diffusion.model.weights import Weights, find_file, read_weights

_PART = re.compile(
    r"(?P<base>.+?)(?:_lora|\.lora|\.lora_linear_layer)?"
    r"\.(?:lora_)?(?P<half>A|B|down|up)(?:\.default)?\.weight"
)
_OUTER = ("text_encoder_2.", "text_encoder.", "unet.")
_TEXT_LAYERS = {"to_q": "q_proj", "to_k": "k_proj", "to_v": "v_proj", "to_out": "out_proj"}


@dataclass(frozen=True, eq=False)
class _Change:
    """The change of one layer: ``up @ down``, times ``alpha / rank`` if there is an alpha."""

    layer: str
    down: Tensor
    up: Tensor
    alpha: float | None


def merge_lora(
    networks: Networks, path: Path, weight: float, *, text_weight: float | None = None
) -> None:
    """Add a LoRA's changes, times ``weight``, to the weights of the networks.

    text_weight: another weight for the text encoders; None: the same.
    Reads the names that diffusers, PEFT and kohya's scripts use. Raises InputError if the file is
    missing, of another kind, or made for another family of models.
    """
    lora = read_weights(find_file(path, "a LoRA"))
    if not any("lora" in name for name in lora):
        raise InputError(f"{path}: holds no LoRA (no weight is named lora); give another file")
    unsupported = [name for name in lora if re.search(r"\.(hada_|lokr_|lora_mid|dora_scale)", name)]
    if unsupported:
        raise InputError(
            f"{path}: is not a plain LoRA (it holds {unsupported[0]}); convert it to one, or "
            "merge it into a checkpoint"
        )
    layers = _named_layers(networks)
    changes = list(_read_changes(lora, networks, path))
    unknown = [change.layer for change in changes if change.layer not in layers]
    if not changes or len(unknown) == len(changes):
        raise InputError(f"{path}: no layer in it fits this model; it is for another family")
    if unknown:
        raise InputError(
            f"{path}: changes {len(unknown)} layers that this model does not have, such as "
            f"{unknown[0]}; it is for another family"
        )
    for change in changes:
        is_text = change.layer.startswith("text_encoder")
        layer_weight = text_weight if is_text and text_weight is not None else weight
        _merge_change(layers[change.layer], change, layer_weight, path)


@torch.no_grad()
def _merge_change(layer: Any, change: _Change, weight: float, path: Path) -> None:
    down, up = change.down.float().flatten(1), change.up.float().flatten(1)
    rank = down.shape[0]
    fits = up.shape == (layer.weight.shape[0], rank)
    if not fits or layer.weight[0].numel() != down.shape[1]:
        raise InputError(
            f"{path}: does not fit this model ({change.layer} is {tuple(layer.weight.shape)}, its "
            f"change {(up.shape[0], down.shape[1])}); it is for another family"
        )
    scale = weight * (1.0 if change.alpha is None else change.alpha / rank)
    product = (up @ down).reshape(layer.weight.shape) * scale
    layer.weight += product.to(layer.weight)


def _named_layers(networks: Networks) -> dict[str, Any]:
    """All layers with a weight, under the names of converted LoRA files."""
    prefixed = [("unet.", networks.unet)]
    for index, encoder in enumerate(networks.encoders):
        prefixed.append((f"text_encoder{'_2' if index else ''}.", encoder.network))
    return {
        prefix + name.removeprefix("text_model."): layer
        for prefix, network in prefixed
        for name, layer in network.named_modules()
        if hasattr(layer, "weight")
    }


def _read_changes(lora: Weights, networks: Networks, path: Path) -> Iterator[_Change]:
    from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline

    xl = len(networks.encoders) > 1
    kind = StableDiffusionXLPipeline if xl else StableDiffusionPipeline
    try:
        named, alphas = kind.lora_state_dict(dict(lora), unet_config=networks.unet.config)
    except (ValueError, KeyError, IndexError, RuntimeError) as error:
        reason = str(error).strip().split("\n")[0]
        raise InputError(
            f"{path}: its names are unknown ({reason}); it is for another family"
        ) from error
    halves: dict[str, dict[str, Tensor]] = {}
    scales = _read_alphas(alphas or {})
    for name, value in named.items():
        match = _PART.fullmatch(name.removeprefix("base_model.model."))
        if match is None:
            raise InputError(f"{path}: weight {name} is unknown; give a plain LoRA")
        half = "down" if match["half"] in ("A", "down") else "up"
        halves.setdefault(_layer_name(match["base"]), {})[half] = value
    for layer, parts in halves.items():
        if len(parts) < 2:
            raise InputError(f"{path}: lacks one half of {layer}; the file is incomplete")
        yield _Change(layer, parts["down"], parts["up"], scales.get(layer))


def _read_alphas(entries: Mapping[str, Any]) -> dict[str, float]:
    """Layer → alpha; diffusers names an alpha after the layer, or after the layer's first half."""
    scales = {}
    for name, value in entries.items():
        base = name.removesuffix(".alpha")
        match = _PART.fullmatch(base)
        scales[_layer_name(match["base"] if match else base)] = float(value)
    return scales


def _layer_name(base: str) -> str:
    """The layer's name in the model, from any of the names that LoRA files use for it."""
    outer = next((prefix for prefix in _OUTER if base.startswith(prefix)), "unet.")
    inner = base.removeprefix(outer).removeprefix("text_model.")
    if outer == "unet.":
        has_processor = ".processor." in inner
        inner = inner.replace(".processor.", ".")
        if has_processor and inner.endswith(".to_out"):
            inner += ".0"
    else:
        stem, _, last = inner.rpartition(".")
        inner = f"{stem}.{_TEXT_LAYERS.get(last, last)}"
    return outer + inner
