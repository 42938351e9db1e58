"""The file or folder of a ControlNet in, a network that is ready to run out."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kadr.errors import InputError
from kadr.stylize.diffusion.model.model import ControlNet, Networks
from kadr.stylize.diffusion.model.single_file import convert_network
from kadr.stylize.diffusion.model.weights import Weights, find_file, read_weights

CONTROL_LORA = "lora_controlnet"
"""The tensor that marks a ControlNet stored as the difference from its model."""


def load_controlnet(networks: Networks, path: Path, weight: float, until: float) -> ControlNet:
    """Load a ControlNet for this model, from a diffusers folder or a single file.

    Raises InputError if it is missing, or made for another family.
    """
    from diffusers import ControlNetModel

    dtype = networks.unet.dtype
    if path.is_dir():
        try:
            network = ControlNetModel.from_pretrained(str(path), dtype=dtype, local_files_only=True)
        except (OSError, ValueError, RuntimeError) as error:
            reason = str(error).split("\n")[0]
            raise InputError(f"{path}: no ControlNet can be loaded from it ({reason})") from error
    else:
        weights = read_weights(find_file(path, "a ControlNet"))
        network = _load_file(weights, networks.unet.config, path, dtype)
    expected = networks.unet.config.cross_attention_dim
    if network.config.cross_attention_dim != expected:
        raise InputError(
            f"{path}: is for models with text {network.config.cross_attention_dim} wide, this one "
            f"has {expected}; use a ControlNet of this model's family"
        )
    return ControlNet(network.eval(), weight, until)


def _load_file(weights: Weights, unet_config: Mapping[str, Any], path: Path, dtype: Any) -> Any:
    from diffusers import ControlNetModel

    if CONTROL_LORA in weights:
        raise InputError(
            f"{path}: is a ControlNet-LoRA (Control-LoRA), which kadr does not read; give a full "
            "ControlNet"
        )
    prefixes = ("control_model.", "controlnet_cond_embedding.", "input_hint_block.")
    if not any(name.startswith(prefixes) for name in weights):
        raise InputError(f"{path}: holds no ControlNet; give a file or folder of one")
    parameters = set(inspect.signature(ControlNetModel.__init__).parameters)
    config = {name: unet_config[name] for name in parameters & set(unet_config)}
    config |= {"in_channels": 4, "_class_name": "ControlNetModel"}
    return convert_network(ControlNetModel, weights, config, path, dtype)
