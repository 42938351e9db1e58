"""A model's path or hub name in, a Model ready to run out. READ ``load_model`` FIRST.

Single files need nothing beside them: their sizes are read from the weights, the rest from the
families' files in ``configs``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from kadr.errors import InputError, OptionsError
from kadr.stylize.diffusion.model.addons import add_embedding, load_control, split_weight
from kadr.stylize.diffusion.model.families import UNET, VAE, Family, find_family, vae_config
from kadr.stylize.diffusion.model.lora import merge_lora
from kadr.stylize.diffusion.model.model import Model, Networks
from kadr.stylize.diffusion.model.quiet import quiet
from kadr.stylize.diffusion.model.single_file import convert
from kadr.stylize.diffusion.model.sources import ModelSource, find_source, read_json
from kadr.stylize.diffusion.model.text_names import text_weights
from kadr.stylize.diffusion.model.weights import (
    Weights,
    find_file,
    pick_device,
    pick_dtype,
    read_weights,
    short_hash,
)
from kadr.stylize.diffusion.prompt.text_encoder import TextEncoder
from kadr.stylize.diffusion.prompt.tokenizer import load_tokenizer
from kadr.stylize.diffusion.sampling.schedule import NoiseSchedule

_PREDICTIONS = ("auto", "epsilon", "v_prediction")


@dataclass(frozen=True)
class LoadOptions:
    """How a model is loaded; see DiffusionOptions, which holds the same names."""

    device: str = "auto"
    dtype: str = "auto"
    prediction: str = "auto"
    vae: Path | None = None
    lora: tuple[str, ...] = ()
    embedding: tuple[Path, ...] = ()
    controlnet: tuple[str, ...] = ()
    control_until: float = 1.0
    offload: str = "auto"
    vae_tiling: bool = False
    vae_slicing: bool = False
    compile: bool = False
    download: bool = False

    @classmethod
    def of(cls, options: Any) -> LoadOptions:
        """Those of an object that has the same names."""
        return cls(**{item.name: getattr(options, item.name) for item in fields(cls)})


def load_model(model: str | ModelSource, options: LoadOptions | None = None) -> Model:
    """Load a Stable Diffusion 1, 2 or XL model, with 4 or 9 channels.

    Raises InputError if it is missing, damaged, of another kind or would run code; OptionsError
    for a device, dtype or prediction that is not there.
    """
    options = options or LoadOptions()
    if options.prediction not in _PREDICTIONS:
        raise OptionsError(
            f"prediction {options.prediction!r}: expected one of {', '.join(_PREDICTIONS)}"
        )
    device = pick_device(options.device)
    dtype = pick_dtype(options.dtype, device)
    source = find_source(model, download=options.download) if isinstance(model, str) else model
    if source.kind == "pipeline":
        raise InputError(
            f"{source.path}: is a {source.index.get('_class_name')}, expected Stable Diffusion 1, "
            "2 or XL"
        )
    with quiet():
        if source.kind == "file":
            networks, scheduler = _from_file(source.path, dtype)
        else:
            networks, scheduler = _from_folder(source, dtype)
        channels = int(networks.unet.config.in_channels)
        if channels not in (4, 9):
            raise InputError(
                f"{source.path}: its network takes {channels} channels, expected 4, or 9 for "
                "inpainting; give another model"
            )
        if options.vae is not None:
            networks.vae = load_vae(options.vae, dtype, instead=networks.vae.config)
        _add(networks, options)
    made = Model(
        networks,
        _schedule(scheduler),
        name=source.name,
        digest=short_hash(source.path) if source.kind == "file" else None,
        device=device,
        dtype=dtype,
        offload=options.offload,
    )
    if options.compile:
        made.unet.compile()
    asked = options.prediction
    if asked == "auto":
        asked = str(scheduler.get("prediction_type", "epsilon"))
    made.prediction = made.probe_prediction() if asked == "auto" else asked
    if made.prediction not in _PREDICTIONS[1:]:
        raise InputError(
            f"{source.path}: predicts {made.prediction!r}, which kadr does not know; expected "
            "epsilon or v_prediction"
        )
    return made


def _add(networks: Networks, options: LoadOptions) -> None:
    """All that changes a model before it runs."""
    for text in options.lora:
        merge_lora(networks, *split_weight(text))
    for path in options.embedding:
        add_embedding(networks, path)
    for text in options.controlnet:
        path, weight = split_weight(text)
        networks.controls.append(load_control(networks, path, weight, options.control_until))
    if options.vae_tiling:
        networks.vae.enable_tiling()
    if options.vae_slicing:
        networks.vae.enable_slicing()


def load_vae(path: Path, dtype: torch.dtype, *, instead: Mapping[str, Any]) -> Any:
    """An autoencoder from a diffusers folder or a single file.

    instead: the configuration of the model's own. A file does not say its scale, which is that of
    the models it was made for.
    """
    from diffusers import AutoencoderKL

    if path.is_dir():
        return _pretrained(AutoencoderKL, path, dtype)
    weights = read_weights(find_file(path, "an autoencoder"))
    shapes = {name: tuple(value.shape) for name, value in weights.items()}
    prefix = VAE if f"{VAE}decoder.conv_in.weight" in shapes else ""
    if f"{prefix}encoder.down.0.block.0.conv2.weight" not in shapes:
        raise InputError(
            f"{path}: holds no autoencoder under its original names; give the diffusers folder"
        )
    return convert(AutoencoderKL, weights, vae_config(shapes, prefix, instead), path, dtype)


def _from_file(path: Path, dtype: torch.dtype) -> tuple[Networks, Mapping[str, Any]]:
    from diffusers import AutoencoderKL, UNet2DConditionModel

    weights = read_weights(find_file(path, "a model"))
    family = find_family({name: tuple(value.shape) for name, value in weights.items()}, path)
    # the converters look for these parts' names among all, and take what they know
    unet_weights = {name: value for name, value in weights.items() if name.startswith(UNET)}
    networks = Networks(
        unet=convert(UNet2DConditionModel, unet_weights, family.unet, path, dtype),
        vae=convert(
            AutoencoderKL,
            {name: value for name, value in weights.items() if name.startswith(VAE)},
            family.vae,
            path,
            dtype,
        ),
        encoders=_encoders(weights, family, path, dtype),
        zero_empty=family.name == "sdxl",
    )
    return networks, family.scheduler


def _encoders(
    weights: Weights, family: Family, path: Path, dtype: torch.dtype
) -> list[TextEncoder]:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    xl = family.name == "sdxl"
    encoders = []
    for place, (config, prefix) in enumerate(zip(family.text_encoders, family.text_prefixes)):
        settings = CLIPTextConfig(**config)
        kind: type[torch.nn.Module] = CLIPTextModelWithProjection if place else CLIPTextModel
        network = kind(settings)
        renamed = text_weights(weights, prefix, config["num_hidden_layers"])
        if not place:
            renamed.pop("text_projection.weight", None)
        wrapped = any(name.startswith("text_model.") for name in network.state_dict())
        if wrapped:
            renamed = {
                name if name.startswith("text_projection") else f"text_model.{name}": value
                for name, value in renamed.items()
            }
        missing = network.load_state_dict(renamed, strict=False).missing_keys
        missing = [name for name in missing if not name.endswith("position_ids")]
        if missing:
            raise InputError(
                f"{path}: lacks {len(missing)} weights of its text encoder, such as "
                f"{missing[0]}; the file is not whole"
            )
        encoders.append(
            TextEncoder(
                network.to(dtype).eval(),
                load_tokenizer(),
                pad=config["pad_token_id"],
                penultimate=xl,
                projects=bool(place),
            )
        )
    return encoders


def _from_folder(source: ModelSource, dtype: torch.dtype) -> tuple[Networks, Mapping[str, Any]]:
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

    path, xl = source.path, "XL" in str(source.index.get("_class_name"))
    encoders = []
    for suffix in ("", "_2") if xl else ("",):
        kind = CLIPTextModelWithProjection if suffix else CLIPTextModel
        folder = path / f"tokenizer{suffix}"
        settings = folder / "tokenizer_config.json"
        pad = _pad_of(read_json(settings)) if settings.is_file() else 49407
        encoders.append(
            TextEncoder(
                _pretrained(kind, path / f"text_encoder{suffix}", dtype),
                load_tokenizer(folder if folder.is_dir() else None),
                pad=pad,
                penultimate=xl,
                projects=bool(suffix),
            )
        )
    networks = Networks(
        unet=_pretrained(UNet2DConditionModel, path / "unet", dtype),
        vae=_pretrained(AutoencoderKL, path / "vae", dtype),
        encoders=encoders,
        zero_empty=bool(source.index.get("force_zeros_for_empty_prompt", xl)),
    )
    return networks, read_json(path / "scheduler" / "scheduler_config.json")


def _pad_of(settings: Mapping[str, Any]) -> int:
    """The number of the token that fills a chunk: the end, but for OpenCLIP's encoders."""
    pad = settings.get("pad_token", "<|endoftext|>")
    text = pad.get("content") if isinstance(pad, Mapping) else pad
    return 0 if text == "!" else 49407


def _pretrained(kind: Any, folder: Path, dtype: torch.dtype) -> Any:
    """A network from its folder; halved weights are taken where there are no others."""
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder}: no config.json in it; fetch the model's folder whole")
    names = [file.name for file in folder.iterdir() if file.suffix in (".safetensors", ".bin")]
    halved = bool(names) and all(".fp16." in name for name in names)
    try:
        network = kind.from_pretrained(
            str(folder),
            local_files_only=True,
            variant="fp16" if halved else None,
            dtype=dtype,
        )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        first = str(error).split("\n")[0]
        raise InputError(
            f"{folder}: its weights cannot be loaded ({first}); fetch the folder again"
        ) from error
    return network.eval()


def _schedule(scheduler: Mapping[str, Any]) -> NoiseSchedule:
    """The noise schedule that the model was trained with."""
    steps = int(scheduler.get("num_train_timesteps", 1000))
    start = float(scheduler.get("beta_start", 0.00085))
    end = float(scheduler.get("beta_end", 0.012))
    kind = scheduler.get("beta_schedule", "scaled_linear")
    if kind not in ("scaled_linear", "linear"):
        raise InputError(f"beta_schedule {kind!r}: expected scaled_linear or linear")
    if kind == "scaled_linear":
        betas = torch.linspace(start**0.5, end**0.5, steps, dtype=torch.float64) ** 2
    else:
        betas = torch.linspace(start, end, steps, dtype=torch.float64)
    return NoiseSchedule(torch.cumprod(1 - betas, dim=0))
