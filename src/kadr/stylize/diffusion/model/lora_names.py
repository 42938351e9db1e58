"""Names in the file of a LoRA in, layers of a model and parts of their changes out.

Trainers name the same layer in several ways: after diffusers or after the original network, with
dots or underscores, with prefixes of their own. All are looked up in one table of the model's
layers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from kadr.stylize.diffusion.model.model import Networks

_HALF = r"(?:_lora|\.lora|\.lora_linear_layer)?\.(?:lora_)?"
_ADAPTER = r"(?:\.default(?:_\d+)?)?"
"""The name of an adapter that PEFT writes into each name."""

_PARTS = (
    (re.compile(rf"(?P<base>.+?){_HALF}(?:A|down){_ADAPTER}\.weight"), "down"),
    (re.compile(rf"(?P<base>.+?){_HALF}(?:B|up){_ADAPTER}\.weight"), "up"),
    (re.compile(r"(?P<base>.+?)\.lora_mid\.weight"), "mid"),
    (re.compile(r"(?P<base>.+?)(?:_lora|\.lora|\.lora_linear_layer)?\.alpha"), "alpha"),
    (re.compile(rf"(?P<base>.+?)\.(?:dora_scale|lora_magnitude_vector{_ADAPTER}(?:\.weight)?)"),
     "dora_scale"),
    (re.compile(rf"(?P<base>.+?)\.(?P<part>hada_[wt][12](?:_[ab])?){_ADAPTER}"), None),
    (re.compile(rf"(?P<base>.+?)\.(?P<part>lokr_[wt][12](?:_[ab])?){_ADAPTER}"), None),
    (re.compile(r"(?P<base>.+?)\.(?P<part>diff|diff_b|w_norm|b_norm)"), None),
)  # fmt: skip
"""Pattern of a name → the part that it is; None: the pattern's own group."""

_UNSUPPORTED = (
    (re.compile(r".+\.oft_(?:blocks|diag|R)\b.*"), "OFT"),
    (re.compile(r".+\.on_input"), "IA3"),
    (re.compile(r".+\.[ab][12]\.weight"), "GLoRA"),
    (re.compile(r".+\.vera_lambda_[bd]\b.*"), "VeRA"),
)

_BUNDLED = "bundle_emb."

_NETWORK_PREFIXES = (
    ("text_encoder_2", ("lora_te2_", "lycoris_te2_", "text_encoder_2_", "text_encoders_clip_g_")),
    ("text_encoder", ("lora_te1_", "lora_te_", "lycoris_te_", "text_encoder_",
                      "text_encoders_clip_l_", "text_encoders_clip_h_")),
    ("unet", ("lora_unet_", "lycoris_unet_", "lycoris_", "unet_", "diffusion_model_",
              "model_diffusion_model_", "")),
)  # fmt: skip
"""Network → what its names may begin with, once dots are underscores; the last are ComfyUI's."""


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer of a model. network: as in a diffusers folder; name: within it."""

    network: str
    name: str
    module: Any


@dataclass(eq=False)
class LoraFile:
    """The content of a file, sorted.

    changes: name of a layer in the file → the parts of its change.
    embeddings: word → its entries, as in the file of a textual inversion.
    unsupported: name of a kind of change that is not read → one of its weights.
    unknown: names that belong to no kind of change.
    """

    changes: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    embeddings: dict[str, dict[str, Any]] = field(default_factory=dict)
    unsupported: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)


def sort_lora(weights: Mapping[str, Tensor]) -> LoraFile:
    """Sort the weights of a file by layer and part."""
    sorted_file = LoraFile()
    for name, value in weights.items():
        if name.startswith(_BUNDLED):
            _add_embedding_entry(sorted_file.embeddings, name.removeprefix(_BUNDLED), value)
            continue
        base, part = _split_name(name)
        if part is not None:
            sorted_file.changes.setdefault(base, {})[part] = value
            continue
        kind = next((kind for pattern, kind in _UNSUPPORTED if pattern.fullmatch(name)), None)
        if kind is not None:
            sorted_file.unsupported.setdefault(kind, name)
        else:
            sorted_file.unknown.append(name)
    return sorted_file


def _split_name(name: str) -> tuple[str, str | None]:
    """The layer and the part that a weight belongs to; None for no part of a change."""
    for pattern, part in _PARTS:
        match = pattern.fullmatch(name)
        if match is not None:
            return match["base"].removeprefix("base_model.model."), part or match["part"]
    return name, None


def _add_embedding_entry(embeddings: dict[str, dict[str, Any]], name: str, value: Tensor) -> None:
    """Add an entry ``WORD.string_to_param.*``, ``WORD.clip_l`` … to its word."""
    word, _, entry = name.partition(".")
    entries = embeddings.setdefault(word, {})
    outer, dot, inner = entry.partition(".")
    if outer == "string_to_param" and dot:
        entries.setdefault(outer, {})[inner] = value
    elif not entry.endswith("_out"):  # what OneTrainer adds behind the text encoder
        entries[entry] = value


class LayerTable:
    """All layers of a model with a weight, under every name that files use for them."""

    def __init__(self, networks: Networks) -> None:
        self._layers: dict[tuple[str, str], Layer] = {}
        for name, module in _weighted_modules(networks.unet):
            original = _original_unet_name(name, networks.unet.config)
            layer = Layer("unet", name, module)
            self._add(layer, name, original, name.removesuffix(".0"))
        for index, encoder in enumerate(networks.encoders):
            network = f"text_encoder{'_2' if index else ''}"
            for name, module in _weighted_modules(encoder.network):
                inner = name.removeprefix("text_model.")
                layer = Layer(network, inner, module)
                self._add(layer, inner, _attention_name(inner))

    def _add(self, layer: Layer, *names: str) -> None:
        for name in names:
            self._layers.setdefault((layer.network, name.replace(".", "_")), layer)

    def find(self, name: str) -> Layer | None:
        """The layer that a file names so, or None."""
        flat = name.replace(".processor.", ".").replace(".", "_")
        for network, prefixes in _NETWORK_PREFIXES:
            for prefix in prefixes:
                if flat.startswith(prefix):
                    inner = flat.removeprefix(prefix)
                    if network != "unet":
                        inner = inner.removeprefix("transformer_").removeprefix("text_model_")
                    layer = self._layers.get((network, inner))
                    if layer is not None:
                        return layer
        return None


def _weighted_modules(network: Any) -> Iterator[tuple[str, Any]]:
    for name, module in network.named_modules():
        if hasattr(module, "weight"):
            yield name, module


_TEXT_ATTENTION = {"q_proj": "to_q", "k_proj": "to_k", "v_proj": "to_v", "out_proj": "to_out"}


def _attention_name(name: str) -> str:
    """What diffusers once called a layer of a text encoder's attention."""
    stem, _, last = name.rpartition(".")
    return f"{stem}.{_TEXT_ATTENTION.get(last, last)}"


_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}

_UNET_ENDS = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}

_BLOCK = re.compile(
    r"(?P<way>down|up|mid)_blocks?(?:\.(?P<level>\d+))?\.(?P<kind>\w+)\.(?P<index>\d+)"
    r"\.(?P<rest>.+)"
)


def _original_unet_name(name: str, config: Mapping[str, Any]) -> str:
    """The name of a layer in the network as it was published, from its name in diffusers."""
    match = _BLOCK.fullmatch(name)
    if match is None:
        return _UNET_ENDS.get(name, name)
    way, kind, index = match["way"], match["kind"], int(match["index"])
    rest = _RESNET.get(match["rest"], match["rest"]) if kind == "resnets" else match["rest"]
    if way == "mid":
        return f"middle_block.{1 if kind == 'attentions' else 2 * index}.{rest}"
    level, per_level = int(match["level"]), int(config["layers_per_block"]) + 1
    if kind == "downsamplers":
        return f"input_blocks.{(level + 1) * per_level}.0.op"
    if kind == "upsamplers":
        has_attention = "Attn" in config["up_block_types"][level]
        return f"output_blocks.{(level + 1) * per_level - 1}.{1 + has_attention}.{rest}"
    side = "input" if way == "down" else "output"
    block = level * per_level + index + (way == "down")
    return f"{side}_blocks.{block}.{int(kind == 'attentions')}.{rest}"
