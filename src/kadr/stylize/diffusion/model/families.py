"""Names and shapes of a single file's weights in, its family and network sizes out.

Kind, width and depth of a model are read from the weights. What shapes do not show (heads,
activations, the noise schedule) comes from the family's file in ``configs``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from kadr.errors import InputError
from kadr.stylize.option_hints import with_option

Shapes = Mapping[str, tuple[int, ...]]

UNET = "model.diffusion_model."
VAE = "first_stage_model."

_TEXT_PREFIXES = {
    "sd1": ("cond_stage_model.transformer.",),
    "sd2": ("cond_stage_model.model.",),
    "sdxl": ("conditioner.embedders.0.transformer.", "conditioner.embedders.1.model."),
}
"""Family → prefixes of its text encoders' weights; they also tell the families apart."""

_OTHER_KINDS = (
    (r"^(double_blocks|model\.diffusion_model\.double_blocks)\.", "a FLUX model"),
    (r"^(model\.diffusion_model\.)?joint_blocks\.", "a Stable Diffusion 3 model"),
    (r"^conditioner\.embedders\.0\.model\.", "the SDXL refiner, which has no first text encoder"),
    (
        r"^lora_controlnet$",
        "a ControlNet-LoRA (Control-LoRA), which kadr does not read; give a checkpoint",
    ),
    (
        r"(^|\.)(lora_|lora\.)|\.lora_|^lora_|\.hada_|\.lokr_",
        f"a LoRA; give it as {with_option('lora', 'FILE')}",
    ),
    (
        r"^control_model\.|controlnet_cond_embedding",
        f"a ControlNet; give it as {with_option('controlnet', 'FILE')}",
    ),
    (
        r"^(string_to_param|emb_params|clip_[lg])$",
        f"a textual inversion; give it as {with_option('embedding', 'FILE')}",
    ),
    (r"^(down_blocks|transformer_blocks)\.", "one network of a diffusers folder; give the folder"),
    (
        r"^(encoder|decoder)\.",
        f"an autoencoder alone; give it as {with_option('vae', 'FILE')} beside a model",
    ),
)


@dataclass(frozen=True)
class Family:
    """A single file: its family's name and the configuration of each network in it.

    text_prefixes: the prefix of each text encoder's weights.
    """

    name: str
    unet: Mapping[str, Any]
    vae: Mapping[str, Any]
    text_encoders: tuple[Mapping[str, Any], ...]
    text_prefixes: tuple[str, ...]
    scheduler: Mapping[str, Any]


def find_family(shapes: Shapes, path: Path) -> Family:
    """The family of a complete checkpoint with its original names.

    Raises InputError, naming ``path``, for any other file, and says what it is if that is known.
    """
    families = [
        name for name, prefixes in _TEXT_PREFIXES.items() if _has_prefixes(shapes, prefixes)
    ]
    missing = [part for part in (UNET, VAE) if not _has_prefixes(shapes, (part,))]
    if not families or missing:
        raise InputError(f"{path}: {_describe_content(shapes, families, missing)}")
    name = families[0]
    config = json.loads(
        files("kadr.stylize.diffusion").joinpath("configs", f"{name}.json").read_text("utf-8")
    )
    unet = config["unet"] | _read_unet_sizes(shapes, config["unet"])
    if unet["in_channels"] not in (4, 9):
        raise InputError(
            f"{path}: its network takes {unet['in_channels']} channels, expected 4 (a usual model) "
            "or 9 (inpainting); give depth, upscaling and instruction models as diffusers folders"
        )
    encoders = []
    for base, prefix in zip(config["text_encoders"], _TEXT_PREFIXES[name]):
        sizes = _read_clip_sizes(shapes, prefix) if "transformer." in prefix else None
        encoders.append(
            base | (sizes or _read_open_clip_sizes(shapes, prefix, has_unused_layer=name == "sd2"))
        )
    if name == "sdxl":
        unet["addition_time_embed_dim"] = _read_time_size(shapes, encoders[1]["projection_dim"])
    vae = config["vae"] | _read_vae_sizes(shapes)
    return Family(name, unet, vae, tuple(encoders), _TEXT_PREFIXES[name], config["scheduler"])


def vae_config(shapes: Shapes, prefix: str, replaced: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of an autoencoder in a file of its own, its weights prefixed by ``prefix``.

    replaced: the configuration of the autoencoder that it replaces.
    """
    config = json.loads(
        files("kadr.stylize.diffusion").joinpath("configs", "sd1.json").read_text("utf-8")
    )
    vae: dict[str, Any] = config["vae"]
    scale = {
        name: replaced[name] for name in ("scaling_factor", "force_upcast") if name in replaced
    }
    return vae | scale | _read_vae_sizes(shapes, prefix)


def _has_prefixes(shapes: Shapes, prefixes: Iterable[str]) -> bool:
    return all(any(name.startswith(prefix) for name in shapes) for prefix in prefixes)


def _describe_content(shapes: Shapes, families: list[str], missing: list[str]) -> str:
    for pattern, description in _OTHER_KINDS:
        if any(re.search(pattern, name) for name in shapes):
            if "model" in description.split(";")[0]:
                description += "; single files are read for Stable Diffusion 1, 2 and XL only, so "
                description += "give its diffusers folder"
            return f"holds {description}"
    if not families and not missing:
        return "has no text encoder; give a complete checkpoint, or a diffusers folder"
    return (
        f"is no complete Stable Diffusion checkpoint (no weight begins with "
        f"{' or '.join(missing) or 'cond_stage_model.'}); give a checkpoint or a diffusers folder"
    )


def _read_unet_sizes(shapes: Shapes, base: Mapping[str, Any]) -> dict[str, Any]:
    """Widths, depth and channels of the weights."""
    blocks = 1 + _highest_number(shapes, UNET + r"input_blocks\.(\d+)\.")
    downsamplers = [k for k in range(blocks) if f"{UNET}input_blocks.{k}.0.op.weight" in shapes]
    levels = len(downsamplers) + 1
    layers = (blocks - levels) // levels
    widths, depths = [], []
    for level in range(levels):
        block = 1 + level * (layers + 1)
        widths.append(shapes[f"{UNET}input_blocks.{block}.0.in_layers.2.weight"][0])
        pattern = rf"{re.escape(UNET)}input_blocks\.{block}\.1\.transformer_blocks\.(\d+)\."
        depths.append(1 + _highest_number(shapes, pattern))
    sizes: dict[str, Any] = {
        "in_channels": shapes[f"{UNET}input_blocks.0.0.weight"][1],
        "out_channels": shapes[f"{UNET}out.2.weight"][0],
        "block_out_channels": widths,
        "layers_per_block": layers,
        "cross_attention_dim": next(
            shape[1] for name, shape in shapes.items() if name.endswith("attn2.to_k.weight")
        ),
    }
    if isinstance(base["attention_head_dim"], list):
        # families that list heads for each level have heads of width 64
        sizes["attention_head_dim"] = [max(1, width // 64) for width in widths]
    if "transformer_layers_per_block" in base:
        sizes["transformer_layers_per_block"] = [max(1, depth) for depth in depths]
        label = shapes[f"{UNET}label_emb.0.0.weight"]
        sizes["projection_class_embeddings_input_dim"] = label[1]
    return sizes


def _read_time_size(shapes: Shapes, pooled: int) -> int:
    """Width of the embedding of each of the six numbers that SDXL adds to the pooled text."""
    return (shapes[f"{UNET}label_emb.0.0.weight"][1] - pooled) // 6


def _read_vae_sizes(shapes: Shapes, prefix: str = VAE) -> dict[str, Any]:
    levels = 1 + _highest_number(shapes, re.escape(prefix) + r"encoder\.down\.(\d+)\.")
    return {
        "block_out_channels": [
            shapes[f"{prefix}encoder.down.{level}.block.0.conv2.weight"][0]
            for level in range(levels)
        ],
        "layers_per_block": 1
        + _highest_number(shapes, re.escape(prefix) + r"encoder\.down\.0\.block\.(\d+)\."),
        "down_block_types": ["DownEncoderBlock2D"] * levels,
        "up_block_types": ["UpDecoderBlock2D"] * levels,
        "latent_channels": shapes[f"{prefix}decoder.conv_in.weight"][1],
    }


def _read_clip_sizes(shapes: Shapes, prefix: str) -> dict[str, Any]:
    layers = 1 + _highest_number(shapes, re.escape(prefix) + r".*encoder\.layers\.(\d+)\.")
    embedding = _find_shape(shapes, prefix, "embeddings.token_embedding.weight")
    inner = _find_shape(shapes, prefix, "encoder.layers.0.mlp.fc1.weight")
    return _text_sizes(embedding, inner[0], layers)


def _read_open_clip_sizes(shapes: Shapes, prefix: str, *, has_unused_layer: bool) -> dict[str, Any]:
    """``has_unused_layer``: the last layer is stored, but the family does not use it."""
    layers = 1 + _highest_number(shapes, re.escape(prefix) + r"transformer\.resblocks\.(\d+)\.")
    embedding = _find_shape(shapes, prefix, "token_embedding.weight")
    inner = _find_shape(shapes, prefix, "transformer.resblocks.0.mlp.c_fc.weight")
    sizes = _text_sizes(embedding, inner[0], layers - has_unused_layer)
    if not has_unused_layer:
        sizes["projection_dim"] = _find_shape(shapes, prefix, "text_projection")[1]
    return sizes


def _text_sizes(embedding: tuple[int, ...], inner: int, layers: int) -> dict[str, Any]:
    return {
        "vocab_size": embedding[0],
        "hidden_size": embedding[1],
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": max(1, embedding[1] // 64),
    }


def _find_shape(shapes: Shapes, prefix: str, ending: str) -> tuple[int, ...]:
    return next(
        shape for name, shape in shapes.items() if name.startswith(prefix) and name.endswith(ending)
    )


def _highest_number(shapes: Shapes, pattern: str) -> int:
    """The highest number that the pattern matches in the names; -1 for none."""
    matches = (re.match(pattern, name) for name in shapes)
    return max((int(match[1]) for match in matches if match), default=-1)
