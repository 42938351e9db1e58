"""LoRA files in, adapters on a pipeline of diffusers out.

Diffusers and PEFT read the names of each kind of model. What they cannot read they pass over, or
say in the log only; here it is told, or refused where the result would be another.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kadr.core.formatting import counted
from kadr.errors import BackendError, InputError
from kadr.stylize.diffusion.model.library_logging import collect_warnings
from kadr.stylize.diffusion.model.location import split_path_and_weight
from kadr.stylize.diffusion.model.lora import find_lora, read_lora
from kadr.stylize.diffusion.model.lora_names import LoraFile
from kadr.stylize.diffusion.model.weights import read_metadata

_log = logging.getLogger(__name__)

_HARMLESS = "No LoRA keys associated to"
"""Begins a warning for each network of a pipeline that a LoRA does not change."""

_FORGOTTEN = "DoRA checkpoint that is not compatible"
"""In the warning that the magnitudes of a DoRA are dropped, which makes another LoRA of it."""

_UNEXPECTED = re.compile(r"unexpected keys found in the model: (.+?)\.? *$", re.DOTALL)


def add_loras(pipeline: Any, texts: Sequence[str]) -> None:
    """Add LoRA files to a pipeline, each with its weight; all of them are active.

    texts: each ``PATH`` or ``PATH:WEIGHT``.
    Raises InputError for a file that is missing or does not fit, BackendError without PEFT.
    """
    if not texts:
        return
    if not hasattr(pipeline, "load_lora_weights"):
        raise InputError(f"{texts[0]}: a {type(pipeline).__name__} takes no LoRA; leave it out")
    if find_spec("peft") is None:
        raise BackendError(
            "stylizer diffusion: peft is not installed, which loads a LoRA for this model; "
            "pip install 'kadr[diffusion]'"
        )
    names, weights = [], []
    for index, text in enumerate(texts):
        path, weight = split_path_and_weight(text)
        # a name becomes the name of a module, so that of the file may not be used
        names.append(f"lora_{index}")
        weights.append(weight)
        _add_lora(pipeline, path, names[-1])
    pipeline.set_adapters(names, weights)


def _add_lora(pipeline: Any, path: Path, name: str) -> None:
    path = find_lora(path)
    lora_weights, content = read_lora(path)
    for word in content.embeddings:
        _log.warning("%s: left out its embedding %s, which this model does not take", path, word)
    # settings in the metadata are read by diffusers only from the file
    source: Any = str(path)
    if "lora_adapter_metadata" not in read_metadata(path):
        source = {key: value for key, value in lora_weights.items() if "bundle_emb." not in key}
    sizes = _layer_sizes(pipeline)
    try:
        with collect_warnings() as warnings:
            pipeline.load_lora_weights(source, adapter_name=name)
    except (ValueError, LookupError, RuntimeError, TypeError, AttributeError, OSError) as error:
        reason = str(error).strip().split("\n")[0]
        raise InputError(
            f"{path}: {_describe(content)} cannot be loaded by diffusers for a "
            f"{type(pipeline).__name__} ({reason}); give one of this model's family"
        ) from error
    if name not in {name for names in pipeline.get_list_adapters().values() for name in names}:
        raise InputError(
            f"{path}: {_describe(content)} has no layer that diffusers finds in a "
            f"{type(pipeline).__name__}; give one of this model's family"
        )
    for layer in _unfit_layers(pipeline, name, sizes):
        raise InputError(f"{path}: does not fit this model ({layer}); it is for another family")
    _report(warnings, path)


def _describe(content: LoraFile) -> str:
    """The kinds of change in a file, as in "its LoKr and DoRA"."""
    parts = {part for change in content.changes.values() for part in change}
    kinds = {
        "LoRA": {"up", "down"}, "LoHa": {"hada_w1_a"}, "LoKr": {"lokr_w1", "lokr_w1_a"},
        "DoRA": {"dora_scale"},
    }  # fmt: skip
    return "its " + (" and ".join(kind for kind in kinds if kinds[kind] & parts) or "LoRA")


def _report(warnings: Sequence[str], path: Path) -> None:
    """Pass on what diffusers says of a file that it has loaded."""
    for text in warnings:
        if _FORGOTTEN in text:
            raise InputError(
                f"{path}: is a DoRA, whose magnitudes (dora_scale) diffusers does not read for "
                "this model; convert it to PEFT's names, or give a LoRA"
            )
        match = _UNEXPECTED.search(text)
        if match is not None:
            keys = match[1].split(", ")
            _log.warning(
                "%s: left out %s, not in this model, such as %s",
                path, counted(len(keys), "weight"), keys[0],
            )  # fmt: skip
        elif not text.startswith(_HARMLESS):
            _log.warning("%s: diffusers says: %s", path, text.strip().split("\n")[0])


def _modules(pipeline: Any) -> Iterator[tuple[str, Any]]:
    """All layers of all networks of a pipeline, by name; those in an adapter under their own."""
    for part, component in pipeline.components.items():
        for name, module in getattr(component, "named_modules", lambda: ())():
            yield f"{part}.{name.removesuffix('.base_layer')}", module


def _layer_sizes(pipeline: Any) -> dict[str, tuple[int, int]]:
    """Layer → how many values go in and come out."""
    return {
        name: (module.in_features, module.out_features)
        for name, module in _modules(pipeline)
        if hasattr(module, "in_features")
    }


def _unfit_layers(pipeline: Any, name: str, sizes: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    """Layers whose adapter has other sizes than the layer had, which diffusers does not check.

    Of some models it makes the layers larger to fit the adapter; then they take no frame any more.
    """
    for layer_name, layer in _modules(pipeline):
        adapters = getattr(layer, "lora_A", None)
        if adapters is None or name not in adapters or layer_name not in sizes:
            continue
        into, out = sizes[layer_name]
        down, up = layer.lora_A[name].weight, layer.lora_B[name].weight
        if (down.shape[1], up.shape[0]) != (into, out):
            yield (
                f"{layer_name}: {into} to {out} values, its change {down.shape[1]} to {up.shape[0]}"
            )
