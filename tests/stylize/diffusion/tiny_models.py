"""Tiny random Stable Diffusion models, as folders and as single files of the original kind."""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from kadr.stylize.diffusion.prompt.tokenizer import write_tokenizer

Kind = Literal["sd1", "sd1-inpaint", "sd2", "sd2-v", "sdxl"]
KINDS: tuple[Kind, ...] = ("sd1", "sd1-inpaint", "sd2", "sd2-v", "sdxl")

FindModel = Callable[..., Path]
"""``find(kind, form)``: the path of a model; form: "folder", ".safetensors" or ".ckpt"."""

_CROSS = ("CrossAttnDownBlock2D", "CrossAttnUpBlock2D")
_PLAIN = ("DownBlock2D", "UpBlock2D")


class TinyNetworks:
    """The networks of one tiny model; the same seed gives the same weights.

    layers: per level of unet and autoencoder, 2 in published models.
    """

    def __init__(self, kind: Kind, seed: int = 0, layers: int = 2) -> None:
        torch.set_num_threads(1)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.kind = kind
            self.encoders = _encoders(kind)
            self.unet = _unet(kind, layers)
            self.vae = _vae(kind, layers)
            self.prediction = "v_prediction" if kind == "sd2-v" else "epsilon"


def copy_network(network: Any, copies: dict[int, Any] | None = None) -> Any:
    """A network with weights of its own; what does not change, such as its settings, is shared.

    ``copy.deepcopy`` takes three times as long, a fifth of the time of these tests. copies: those
    made already, by the id of the original, for weights that two modules share.
    """
    if copies is None:
        copies = {}
    if id(network) in copies:
        return copies[id(network)]
    if isinstance(network, torch.Tensor):
        copied: Any = network.detach().clone()
        if isinstance(network, torch.nn.Parameter):
            copied = torch.nn.Parameter(copied, network.requires_grad)
    else:
        copied = network.__class__.__new__(network.__class__)
    copies[id(network)] = copied
    if isinstance(network, torch.nn.Module):
        for name, value in vars(network).items():
            if name in ("_parameters", "_buffers", "_modules"):
                value = {
                    key: None if part is None else copy_network(part, copies)
                    for key, part in value.items()
                }
            vars(copied)[name] = value.copy() if type(value) in (dict, OrderedDict) else value
    return copied


def _encoder(hidden: int, *, projection: bool, act: str, pad: int) -> torch.nn.Module:
    config = CLIPTextConfig(
        vocab_size=49408,
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=3,
        num_attention_heads=max(1, hidden // 64),
        hidden_act=act,
        projection_dim=hidden,
        bos_token_id=49406,
        eos_token_id=49407,
        pad_token_id=pad,
    )
    kind = CLIPTextModelWithProjection if projection else CLIPTextModel
    return kind(config).eval()


def _encoders(kind: Kind) -> list[torch.nn.Module]:
    if kind == "sdxl":
        return [
            _encoder(32, projection=False, act="quick_gelu", pad=49407),
            _encoder(64, projection=True, act="gelu", pad=0),
        ]
    if kind.startswith("sd2"):
        return [_encoder(32, projection=False, act="gelu", pad=0)]
    return [_encoder(32, projection=False, act="quick_gelu", pad=49407)]


def _unet(kind: Kind, layers: int) -> UNet2DConditionModel:
    more: dict[str, Any] = {"attention_head_dim": 8, "cross_attention_dim": 32}
    blocks = [_CROSS, _CROSS, _CROSS, _PLAIN]
    channels: tuple[int, ...] = (32, 32, 64, 64)
    if kind.startswith("sd2"):
        more |= {"attention_head_dim": (1, 1, 1, 1), "use_linear_projection": True}
    if kind == "sdxl":
        blocks, channels = [_PLAIN, _CROSS, _CROSS], (32, 32, 64)
        more = {
            "attention_head_dim": (1, 1, 1),
            "cross_attention_dim": 96,
            "transformer_layers_per_block": (1, 1, 2),
            "use_linear_projection": True,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": 64 + 6 * 8,
        }
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=9 if kind == "sd1-inpaint" else 4,
        out_channels=4,
        block_out_channels=channels,
        layers_per_block=layers,
        down_block_types=tuple(down for down, _ in blocks),
        up_block_types=tuple(up for _, up in reversed(blocks)),
        **more,
    ).eval()


def _vae(kind: Kind, layers: int) -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(32, 32, 32, 32),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=layers,
        latent_channels=4,
        scaling_factor=0.13025 if kind == "sdxl" else 0.18215,
        force_upcast=kind == "sdxl",
    ).eval()


def save_folder(parts: TinyNetworks, folder: Path) -> Path:
    """Write a model as a diffusers folder."""
    xl = parts.kind == "sdxl"
    name = "StableDiffusionXLPipeline" if xl else "StableDiffusionPipeline"
    if parts.kind == "sd1-inpaint":
        name = "StableDiffusionInpaintPipeline"
    index: dict[str, Any] = {
        "_class_name": name,
        "_diffusers_version": "0.30.0",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "scheduler": ["diffusers", "DDIMScheduler"],
    }
    if xl:
        index["force_zeros_for_empty_prompt"] = True
    else:
        index |= {"safety_checker": [None, None], "feature_extractor": [None, None]}
        index["requires_safety_checker"] = False
    parts.unet.save_pretrained(folder / "unet")
    parts.vae.save_pretrained(folder / "vae")
    for place, encoder in enumerate(parts.encoders):
        suffix = f"_{place + 1}" if place else ""
        encoder.save_pretrained(folder / f"text_encoder{suffix}")
        open_clip = place > 0 or parts.kind.startswith("sd2")
        write_tokenizer(folder / f"tokenizer{suffix}", pad="!" if open_clip else "<|endoftext|>")
        index[f"text_encoder{suffix}"] = ["transformers", type(encoder).__name__]
        index[f"tokenizer{suffix}"] = ["transformers", "CLIPTokenizer"]
    DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type=parts.prediction,
    ).save_pretrained(folder / "scheduler")
    (folder / "model_index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder


def save_single(parts: TinyNetworks, path: Path, dtype: torch.dtype = torch.float32) -> Path:
    """Write a model as one ``.safetensors`` or ``.ckpt`` file with the original names."""
    weights = {name: value.to(dtype).contiguous() for name, value in original_names(parts).items()}
    if path.suffix == ".safetensors":
        save_file(weights, path)
    else:
        torch.save({"state_dict": weights, "global_step": 1}, path)
    return path


def save_on_demand(find_parts: Callable[[Kind], TinyNetworks], root: Path) -> FindModel:
    """A function that saves a model of a kind in a form when it is first asked for."""

    @cache
    def find(kind: Kind, form: str = "folder") -> Path:
        if form == "folder":
            return save_folder(find_parts(kind), root / kind)
        return save_single(find_parts(kind), root / f"{kind}{form}")

    return find


def original_names(parts: TinyNetworks) -> dict[str, torch.Tensor]:
    """A model's weights under the names that checkpoints are published with."""
    weights = {
        f"model.diffusion_model.{_unet_name(name, parts.unet)}": value
        for name, value in parts.unet.state_dict().items()
    }
    weights |= {f"first_stage_model.{name}": value for name, value in original_vae(parts.vae)}
    if parts.kind == "sdxl":
        weights |= _clip(parts.encoders[0], "conditioner.embedders.0.transformer.")
        weights |= _open_clip(parts.encoders[1], "conditioner.embedders.1.model.")
    elif parts.kind.startswith("sd2"):
        weights |= _open_clip(parts.encoders[0], "cond_stage_model.model.", unused_layer=True)
    else:
        weights |= _clip(parts.encoders[0], "cond_stage_model.transformer.")
    return weights


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


def _unet_name(name: str, unet: UNet2DConditionModel) -> str:
    stem, _, tail = name.rpartition(".")
    if stem in _UNET_ENDS:
        return f"{_UNET_ENDS[stem]}.{tail}"
    layers = unet.config.layers_per_block
    found = re.match(r"(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.*)", name)
    if not found:
        found = re.match(r"mid_block\.(\w+)\.(\d+)\.(.*)", name)
        assert found, name
        what, place, rest = found[1], int(found[2]), found[3]
        return f"middle_block.{1 if what == 'attentions' else 2 * place}.{_inner(rest)}"
    way, level, what, place, rest = found[1], int(found[2]), found[3], int(found[4]), found[5]
    if what == "downsamplers":
        return f"input_blocks.{(level + 1) * (layers + 1)}.0.{rest.replace('conv', 'op')}"
    if what == "upsamplers":
        attends = unet.config.up_block_types[level].startswith("Cross")
        return f"output_blocks.{level * (layers + 1) + layers}.{2 if attends else 1}.{rest}"
    block = level * (layers + 1) + place + (way == "down")
    blocks = "input_blocks" if way == "down" else "output_blocks"
    return f"{blocks}.{block}.{int(what == 'attentions')}.{_inner(rest)}"


def _inner(rest: str) -> str:
    stem, _, tail = rest.rpartition(".")
    return f"{_RESNET.get(stem, stem)}.{tail}"


def original_vae(vae: AutoencoderKL) -> list[tuple[str, torch.Tensor]]:
    """An autoencoder's weights under their original names, without a prefix."""
    count = len(vae.config.block_out_channels)
    named = []
    for name, value in vae.state_dict().items():
        name = re.sub(r"down_blocks\.(\d+)\.resnets", r"down.\1.block", name)
        name = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0", r"down.\1.downsample", name)
        name = re.sub(r"up_blocks\.(\d+)\.", lambda found: f"up.{count - 1 - int(found[1])}.", name)
        name = re.sub(r"(up\.\d+)\.resnets", r"\1.block", name)
        name = re.sub(r"(up\.\d+)\.upsamplers\.0", r"\1.upsample", name)
        name = re.sub(r"mid_block\.resnets\.(\d)", lambda f: f"mid.block_{int(f[1]) + 1}", name)
        name = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
        if "mid_block.attentions" in name:
            name = name.replace("mid_block.attentions.0", "mid.attn_1")
            for new, old in {"group_norm": "norm", "to_out.0": "proj_out"}.items():
                name = name.replace(new, old)
            name = re.sub(r"to_([qkv])\.", r"\1.", name)
            if value.ndim == 2:
                value = value[..., None, None]
        named.append((name, value))
    return named


def _clip(encoder: torch.nn.Module, prefix: str) -> dict[str, torch.Tensor]:
    return {
        f"{prefix}text_model.{name.removeprefix('text_model.')}": value
        for name, value in encoder.state_dict().items()
    }


_OPEN_CLIP = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "self_attn.out_proj": "attn.out_proj",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}


def _open_clip(
    encoder: torch.nn.Module, prefix: str, *, unused_layer: bool = False
) -> dict[str, torch.Tensor]:
    own = {name.removeprefix("text_model."): value for name, value in encoder.state_dict().items()}
    named = {
        "token_embedding.weight": own.pop("embeddings.token_embedding.weight"),
        "positional_embedding": own.pop("embeddings.position_embedding.weight"),
        "ln_final.weight": own.pop("final_layer_norm.weight"),
        "ln_final.bias": own.pop("final_layer_norm.bias"),
    }
    hidden = named["ln_final.bias"].shape[0]
    if "text_projection.weight" in own:
        named["text_projection"] = own.pop("text_projection.weight").T
    else:
        named["text_projection"] = torch.randn(hidden, hidden)
    layers = 1 + max(int(name.split(".")[2]) for name in own)
    for place in range(layers):
        start = f"encoder.layers.{place}."
        block = f"transformer.resblocks.{place}."
        for tail in ("weight", "bias"):
            parts = [own.pop(f"{start}self_attn.{part}_proj.{tail}") for part in "qkv"]
            named[f"{block}attn.in_proj_{tail}"] = torch.cat(parts)
            for new, old in _OPEN_CLIP.items():
                named[f"{block}{old}.{tail}"] = own.pop(f"{start}{new}.{tail}")
    assert not own, own.keys()
    if unused_layer:
        last = f"transformer.resblocks.{layers - 1}."
        named |= {
            name.replace(last, f"transformer.resblocks.{layers}."): torch.zeros_like(value)
            for name, value in named.items()
            if name.startswith(last)
        }
    return {prefix + name: value for name, value in named.items()}
