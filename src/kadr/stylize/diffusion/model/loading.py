"""The path or hub name of a model in, a ``Model`` that is ready to run out.

Read ``load_model`` first. Single files need no other files: sizes are read from the weights, all
other settings from the families' files in ``configs``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from kadr.errors import InputError, OptionsError
from kadr.stylize.diffusion.model.controlnet import load_controlnet
from kadr.stylize.diffusion.model.families import UNET, VAE, Family, find_family, vae_config
from kadr.stylize.diffusion.model.library_logging import quiet_libraries
from kadr.stylize.diffusion.model.location import (
    ModelLocation,
    locate_model,
    read_json,
    split_path_and_weight,
)
from kadr.stylize.diffusion.model.lora import merge_lora
from kadr.stylize.diffusion.model.model import Model, Networks
from kadr.stylize.diffusion.model.parameterization import (
    Parameterization,
    RequestedParameterization,
    read_file_parameterization,
    read_folder_parameterization,
)
from kadr.stylize.diffusion.model.single_file import convert_network
from kadr.stylize.diffusion.model.text_encoder_names import rename_text_weights
from kadr.stylize.diffusion.model.textual_inversion import add_embedding
from kadr.stylize.diffusion.model.weights import (
    Weights,
    find_file,
    pick_device,
    pick_dtype,
    read_metadata,
    read_weights,
    short_hash,
)
from kadr.stylize.diffusion.prompt.lora_tags import TaggedLora
from kadr.stylize.diffusion.prompt.text_encoder import TextEncoder
from kadr.stylize.diffusion.prompt.tokenizer import load_tokenizer
from kadr.stylize.diffusion.sampling.guidance import PREDICTIONS
from kadr.stylize.option_hints import with_option

_PREDICTIONS = ("auto", *PREDICTIONS)


@dataclass(frozen=True)
class LoadOptions:
    """How a model is loaded; see DiffusionOptions, which has the same names."""

    device: str = "auto"
    dtype: str = "auto"
    prediction: str = "auto"
    zero_terminal_snr: str = "auto"
    vae: Path | None = None
    lora: tuple[str, ...] = ()
    prompt_loras: tuple[TaggedLora, ...] = ()
    embedding: tuple[Path, ...] = ()
    controlnet: tuple[str, ...] = ()
    control_until: float = 1.0
    offload: str = "auto"
    vae_tiling: bool = False
    vae_slicing: bool = False
    compile: bool = False
    download: bool = False

    @property
    def parameterization(self) -> RequestedParameterization:
        """What is said here of the network's training, which wins over the model's own words."""
        zero_snr = {"yes": True, "no": False}.get(self.zero_terminal_snr)
        return RequestedParameterization(self.prediction, zero_snr)

    @classmethod
    def of(cls, options: Any) -> LoadOptions:
        """Copy them from an object that has the same names."""
        return cls(**{field.name: getattr(options, field.name) for field in fields(cls)})


def load_model(model: str | ModelLocation, options: LoadOptions | None = None) -> Model:
    """Load a Stable Diffusion 1, 2 or XL model, with 4 or 9 channels.

    Raises InputError if it is missing, damaged, of another kind or would run code; OptionsError
    for an unknown device, dtype or prediction.
    """
    options = options or LoadOptions()
    if options.prediction not in _PREDICTIONS:
        raise OptionsError(
            f"prediction {options.prediction!r}: expected one of {', '.join(_PREDICTIONS)}"
        )
    device = pick_device(options.device)
    dtype = pick_dtype(options.dtype, device)
    location = model
    if isinstance(location, str):
        location = locate_model(location, download=options.download)
    if location.kind == "pipeline":
        raise InputError(
            f"{location.path}: is a {location.index.get('_class_name')}, expected Stable Diffusion "
            "1, 2 or XL"
        )
    with quiet_libraries():
        if location.kind == "file":
            networks, parameterization = _load_model_file(location.path, dtype, options)
        else:
            networks, parameterization = _load_model_folder(location, dtype, options)
        channels = int(networks.unet.config.in_channels)
        if channels not in (4, 9):
            raise InputError(
                f"{location.path}: its network takes {channels} channels, expected 4, or 9 for "
                "inpainting; use another model"
            )
        if options.vae is not None:
            networks.vae = load_vae(options.vae, dtype, replaced=networks.vae.config)
        _add_additions(networks, options)
    loaded = Model(
        networks,
        parameterization.schedule(parameterization.prediction),
        name=location.name,
        digest=short_hash(location.path) if location.kind == "file" else None,
        device=device,
        dtype=dtype,
        offload=options.offload,
    )
    if options.compile:
        loaded.unet.compile()
    loaded.prediction = parameterization.prediction
    if parameterization.prediction == "auto":
        loaded.prediction = loaded.probe_prediction()
        loaded.schedule = parameterization.schedule(loaded.prediction)
    on_timesteps = parameterization.alphas_cumprod is not None
    if options.zero_terminal_snr == "yes" and not (
        on_timesteps and loaded.prediction == "v_prediction"
    ):
        kind = "predicts noise" if on_timesteps else "has noise levels of its own"
        raise OptionsError(
            f"zero-terminal-snr yes: is for models that predict v at timesteps; {location.path} "
            f"{kind}; leave it out, or give {with_option('prediction', 'v_prediction')} too"
        )
    return loaded


def _add_additions(networks: Networks, options: LoadOptions) -> None:
    """Merge and add everything that changes a model before it runs."""
    for text in options.lora:
        merge_lora(networks, *split_path_and_weight(text))
    for lora in options.prompt_loras:
        merge_lora(networks, lora.path, lora.unet_weight, text_weight=lora.text_weight)
    for path in options.embedding:
        add_embedding(networks, path)
    for text in options.controlnet:
        path, weight = split_path_and_weight(text)
        networks.controlnets.append(load_controlnet(networks, path, weight, options.control_until))
    if options.vae_tiling:
        networks.vae.enable_tiling()
    if options.vae_slicing:
        networks.vae.enable_slicing()


def load_vae(path: Path, dtype: torch.dtype, *, replaced: Mapping[str, Any]) -> Any:
    """Load an autoencoder from a diffusers folder or a single file.

    replaced: the configuration of the model's own autoencoder. A file does not hold its scaling
    factor; it is that of the models for which it was loaded.
    """
    from diffusers import AutoencoderKL

    if path.is_dir():
        return _load_network(AutoencoderKL, path, dtype)
    weights = read_weights(find_file(path, "an autoencoder"))
    shapes = {name: tuple(value.shape) for name, value in weights.items()}
    prefix = VAE if f"{VAE}decoder.conv_in.weight" in shapes else ""
    if f"{prefix}encoder.down.0.block.0.conv2.weight" not in shapes:
        raise InputError(
            f"{path}: holds no autoencoder under its original names; give its diffusers folder"
        )
    return convert_network(
        AutoencoderKL, weights, vae_config(shapes, prefix, replaced), path, dtype
    )


def _load_model_file(
    path: Path, dtype: torch.dtype, options: LoadOptions
) -> tuple[Networks, Parameterization]:
    from diffusers import AutoencoderKL, UNet2DConditionModel

    weights = read_weights(find_file(path, "a model"))
    family = find_family({name: tuple(value.shape) for name, value in weights.items()}, path)
    parameterization = read_file_parameterization(
        weights, read_metadata(path), family.scheduler, path, options.parameterization
    )
    # the converters must see only the weights of their own network
    unet_weights = {name: value for name, value in weights.items() if name.startswith(UNET)}
    networks = Networks(
        unet=convert_network(UNet2DConditionModel, unet_weights, family.unet, path, dtype),
        vae=convert_network(
            AutoencoderKL,
            {name: value for name, value in weights.items() if name.startswith(VAE)},
            family.vae,
            path,
            dtype,
        ),
        encoders=_load_encoders(weights, family, path, dtype),
        zero_empty=family.name == "sdxl",
    )
    return networks, parameterization


def _load_encoders(
    weights: Weights, family: Family, path: Path, dtype: torch.dtype
) -> list[TextEncoder]:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    xl = family.name == "sdxl"
    encoders = []
    for index, (config, prefix) in enumerate(zip(family.text_encoders, family.text_prefixes)):
        settings = CLIPTextConfig(**config)
        kind: type[torch.nn.Module] = CLIPTextModelWithProjection if index else CLIPTextModel
        network = kind(settings)
        renamed = rename_text_weights(weights, prefix, config["num_hidden_layers"])
        if not index:
            renamed.pop("text_projection.weight", None)
        has_prefix = any(name.startswith("text_model.") for name in network.state_dict())
        if has_prefix:
            renamed = {
                name if name.startswith("text_projection") else f"text_model.{name}": value
                for name, value in renamed.items()
            }
        missing = network.load_state_dict(renamed, strict=False).missing_keys
        missing = [name for name in missing if not name.endswith("position_ids")]
        if missing:
            raise InputError(
                f"{path}: lacks {len(missing)} weights of its text encoder, such as "
                f"{missing[0]}; the file is incomplete"
            )
        encoders.append(
            TextEncoder(
                network.to(dtype).eval(),
                load_tokenizer(),
                pad=config["pad_token_id"],
                penultimate=xl,
                projects=bool(index),
            )
        )
    return encoders


def _load_model_folder(
    location: ModelLocation, dtype: torch.dtype, options: LoadOptions
) -> tuple[Networks, Parameterization]:
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

    scheduler = read_json(location.path / "scheduler" / "scheduler_config.json")
    parameterization = read_folder_parameterization(
        scheduler, location.path, options.parameterization
    )
    path, xl = location.path, "XL" in str(location.index.get("_class_name"))
    encoders = []
    for suffix in ("", "_2") if xl else ("",):
        kind = CLIPTextModelWithProjection if suffix else CLIPTextModel
        folder = path / f"tokenizer{suffix}"
        settings = folder / "tokenizer_config.json"
        pad = _pad_number(read_json(settings)) if settings.is_file() else 49407
        encoders.append(
            TextEncoder(
                _load_network(kind, path / f"text_encoder{suffix}", dtype),
                load_tokenizer(folder if folder.is_dir() else None),
                pad=pad,
                penultimate=xl,
                projects=bool(suffix),
            )
        )
    networks = Networks(
        unet=_load_network(UNet2DConditionModel, path / "unet", dtype),
        vae=_load_network(AutoencoderKL, path / "vae", dtype),
        encoders=encoders,
        zero_empty=bool(location.index.get("force_zeros_for_empty_prompt", xl)),
    )
    return networks, parameterization


def _pad_number(settings: Mapping[str, Any]) -> int:
    """The token number that fills a chunk: the end token, except for OpenCLIP's encoders."""
    pad = settings.get("pad_token", "<|endoftext|>")
    text = pad.get("content") if isinstance(pad, Mapping) else pad
    return 0 if text == "!" else 49407


def _load_network(kind: Any, folder: Path, dtype: torch.dtype) -> Any:
    """Load a network from its folder; float16 weights are used if there are no others."""
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder}: has no config.json; download the complete folder of the model")
    names = [file.name for file in folder.iterdir() if file.suffix in (".safetensors", ".bin")]
    only_half = bool(names) and all(".fp16." in name for name in names)
    try:
        network = kind.from_pretrained(
            str(folder),
            local_files_only=True,
            variant="fp16" if only_half else None,
            dtype=dtype,
        )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        reason = str(error).split("\n")[0]
        raise InputError(
            f"{folder}: its weights cannot be loaded ({reason}); download the folder again"
        ) from error
    return network.eval()
