"""The file of a LoRA in, its changes merged into a model's weights out; the model stays fast."""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from kadr.core.formatting import counted
from kadr.errors import InputError
from kadr.stylize.diffusion.model.controlnet import CONTROL_LORA
from kadr.stylize.diffusion.model.lora_changes import UnfitPartsError, compute_change
from kadr.stylize.diffusion.model.lora_names import Layer, LayerTable, LoraFile, sort_lora
from kadr.stylize.diffusion.model.model import Networks
from kadr.stylize.diffusion.model.textual_inversion import add_bundled_embedding
from kadr.stylize.diffusion.model.weights import Weights, find_file, read_metadata, read_weights

_log = logging.getLogger(__name__)


_FOLDER_FILE = "pytorch_lora_weights.safetensors"


def find_lora(path: Path) -> Path:
    """The file of a LoRA: ``path``, or the file in a folder that diffusers wrote."""
    inner = path / _FOLDER_FILE
    return find_file(inner if inner.is_file() else path, "a LoRA")


def read_lora(path: Path) -> tuple[Weights, LoraFile]:
    """The weights of a LoRA file, and the same sorted.

    Raises InputError if it holds no LoRA, or a kind of change that is not read.
    """
    weights = read_weights(path)
    if CONTROL_LORA in weights:
        raise InputError(f"{path}: is a ControlNet-LoRA (Control-LoRA), which kadr does not read")
    content = sort_lora(weights)
    for kind, name in content.unsupported.items():
        raise InputError(
            f"{path}: is {kind}, not LoRA, LoHa, LoKr or DoRA (it holds {name}); convert it to "
            "one, or merge it into a checkpoint"
        )
    if not content.changes:
        raise InputError(f"{path}: holds no LoRA (no weight is named as one); give another file")
    return weights, content


def merge_lora(
    networks: Networks, path: Path, weight: float, *, text_weight: float | None = None
) -> None:
    """Add a LoRA's changes, times ``weight``, to the weights of the networks.

    text_weight: another weight for the text encoders; None: the same.
    Reads the names that diffusers, PEFT, kohya's scripts and LyCORIS use. Embeddings that are
    bundled with it become words for the prompt. Raises InputError if the file is missing, of
    another kind, or made for another family of models; what is left out is logged as a warning.
    """
    path = find_lora(path)
    _, content = read_lora(path)
    if content.unknown:
        _log.warning(
            "%s: left out %s, no part of a LoRA, such as %s",
            path, counted(len(content.unknown), "weight"), content.unknown[0],
        )  # fmt: skip
    settings = _adapter_settings(read_metadata(path), path)
    table = LayerTable(networks)
    layers = {name: table.find(name) for name in content.changes}
    unknown = [name for name, layer in layers.items() if layer is None]
    if len(unknown) > len(layers) // 2:
        raise InputError(
            f"{path}: {len(unknown)} of its {len(layers)} layers are not in this model, such as "
            f"{unknown[0]}; it is for another family"
        )
    if unknown:
        _log.warning(
            "%s: left out the change of %s, not in this model, such as %s",
            path, counted(len(unknown), "layer"), unknown[0],
        )  # fmt: skip
    for name, parts in content.changes.items():
        layer = layers[name]
        if layer is not None:
            alpha = _adapter_alpha(settings, layer, parts)
            is_text = layer.network.startswith("text_encoder")
            layer_weight = text_weight if is_text and text_weight is not None else weight
            _merge_change(layer, parts, layer_weight, alpha, path)
    for word, entries in content.embeddings.items():
        add_bundled_embedding(networks, word, entries, path)


@torch.no_grad()
def _merge_change(
    layer: Layer, parts: Mapping[str, torch.Tensor], weight: float, alpha: float | None, path: Path
) -> None:
    module = layer.module
    try:
        change = compute_change(parts, module.weight, alpha)
        if change.bias is not None and module.bias is None:
            raise UnfitPartsError("the layer has no bias, its change has one")
        if change.bias is not None and change.bias.numel() != module.bias.numel():
            raise UnfitPartsError(f"the bias is {len(module.bias)}, its change {len(change.bias)}")
    except UnfitPartsError as error:
        raise InputError(
            f"{path}: does not fit this model ({layer.network}.{layer.name}: {error}); it is "
            "incomplete, or for another family"
        ) from error
    for target, added in ((module.weight, change.weight), (module.bias, change.bias)):
        if added is not None:
            summed = target.float() + weight * added.to(target.device).reshape(target.shape)
            target.copy_(summed)


def _adapter_settings(metadata: Mapping[str, str], path: Path) -> Mapping[str, Any]:
    """What diffusers writes into the metadata of a file whose weights do not have an alpha."""
    try:
        settings = json.loads(metadata.get("lora_adapter_metadata", "{}"))
    except ValueError as error:
        raise InputError(
            f"{path}: its metadata is damaged ({error}); download the file again"
        ) from error
    return settings if isinstance(settings, dict) else {}


def _adapter_alpha(
    settings: Mapping[str, Any], layer: Layer, parts: Mapping[str, torch.Tensor]
) -> float | None:
    """The alpha of a layer by the rules of PEFT; None if the settings say nothing."""
    default = settings.get(f"{layer.network}.lora_alpha")
    patterns = settings.get(f"{layer.network}.alpha_pattern") or {}
    alpha = next(
        (
            value
            for pattern, value in patterns.items()
            if re.fullmatch(rf"(?:.*\.)?(?:{pattern})", layer.name)
        ),
        default,
    )
    if alpha is None:
        return None
    if settings.get(f"{layer.network}.use_rslora") and "down" in parts:
        return float(alpha) * math.sqrt(parts["down"].shape[0])
    return float(alpha)
