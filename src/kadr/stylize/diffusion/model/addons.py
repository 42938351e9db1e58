"""Files that change a model in, the changed networks out: textual inversion and ControlNet."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from kadr.errors import InputError, OptionsError
from kadr.stylize.diffusion.model.model import Control, Networks
from kadr.stylize.diffusion.model.single_file import convert
from kadr.stylize.diffusion.model.weights import Weights, find_file, read_pickle, read_weights


def split_weight(text: str) -> tuple[Path, float]:
    """``PATH`` or ``PATH:WEIGHT`` as both; without a weight it is 1."""
    path, colon, weight = text.rpartition(":")
    if colon and path:
        try:
            return Path(path).expanduser(), float(weight)
        except ValueError:
            if Path(path).expanduser().exists():
                raise OptionsError(f"{text}: weight {weight!r}: expected a number") from None
    return Path(text).expanduser(), 1.0


def add_embedding(networks: Networks, path: Path) -> str:
    """Let the file's name be a word for what it holds; gives the word.

    Raises InputError if the file is missing or holds no textual inversion for this family.
    """
    find_file(path, "a textual inversion")
    stored: Mapping[str, Any]
    stored = read_weights(path) if path.suffix == ".safetensors" else read_pickle(path)
    vectors = _vectors(stored)
    count = len(networks.encoders)
    if len(vectors) != count:
        raise InputError(
            f"{path}: holds embeddings for {len(vectors)} text encoders, this model has {count}; "
            "it is no textual inversion, or one for another family"
        )
    word = path.stem
    for encoder, values in zip(networks.encoders, vectors):
        try:
            encoder.add_word(word, values)
        except OptionsError as error:
            raise InputError(f"{path}: {error}") from error
    return word


def load_control(networks: Networks, path: Path, weight: float, until: float) -> Control:
    """A ControlNet for this model, from a diffusers folder or a single file.

    Raises InputError if it is missing, or made for another family.
    """
    from diffusers import ControlNetModel

    dtype = networks.unet.dtype
    if path.is_dir():
        try:
            network = ControlNetModel.from_pretrained(str(path), dtype=dtype, local_files_only=True)
        except (OSError, ValueError, RuntimeError) as error:
            first = str(error).split("\n")[0]
            raise InputError(f"{path}: no ControlNet can be loaded from it ({first})") from error
    else:
        weights = read_weights(find_file(path, "a ControlNet"))
        network = _control_from(weights, networks.unet.config, path, dtype)
    expected = networks.unet.config.cross_attention_dim
    if network.config.cross_attention_dim != expected:
        raise InputError(
            f"{path}: is for models with text {network.config.cross_attention_dim} wide, this one "
            f"has {expected}; take the ControlNet of this model's family"
        )
    return Control(network.eval(), weight, until)


def _control_from(weights: Weights, like: Mapping[str, Any], path: Path, dtype: Any) -> Any:
    from diffusers import ControlNetModel

    marks = ("control_model.", "controlnet_cond_embedding.", "input_hint_block.")
    if not any(name.startswith(marks) for name in weights):
        raise InputError(f"{path}: holds no ControlNet; give a file or folder of one")
    known = set(inspect.signature(ControlNetModel.__init__).parameters)
    config = {name: like[name] for name in known & set(like)} | {"in_channels": 4}
    config["_class_name"] = "ControlNetModel"
    return convert(ControlNetModel, weights, config, path, dtype)


def _vectors(stored: Mapping[str, Any]) -> list[Tensor]:
    """(count, width) for each text encoder, whichever program wrote the file."""
    if "clip_l" in stored and "clip_g" in stored:
        found = [stored["clip_l"], stored["clip_g"]]
    elif isinstance(stored.get("string_to_param"), Mapping):
        found = list(stored["string_to_param"].values())[:1]
    elif "emb_params" in stored:
        found = [stored["emb_params"]]
    else:
        found = [value for value in stored.values() if isinstance(value, Tensor)]
    tensors = [value.detach().float() for value in found if isinstance(value, Tensor)]
    return [value[None] if value.ndim == 1 else value for value in tensors]
