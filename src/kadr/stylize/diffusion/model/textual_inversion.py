"""A textual inversion file in, its word added to a model's text encoders out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from kadr.errors import InputError, OptionsError
from kadr.stylize.diffusion.model.model import Networks
from kadr.stylize.diffusion.model.pickle_globals import StoredParameters
from kadr.stylize.diffusion.model.weights import find_file, read_pickle, read_weights


def add_embedding(networks: Networks, path: Path) -> str:
    """Add the file's name as a word that stands for its embeddings; returns the word.

    Raises InputError if the file is missing or holds no textual inversion for this family.
    """
    find_file(path, "a textual inversion")
    entries: Mapping[str, Any]
    entries = read_weights(path) if path.suffix == ".safetensors" else read_pickle(path)
    embeddings = _find_embeddings(entries)
    count = len(networks.encoders)
    if len(embeddings) != count:
        raise InputError(
            f"{path}: holds embeddings for {len(embeddings)} text encoders, this model has "
            f"{count}; it is no textual inversion, or one for another family"
        )
    word = path.stem
    for encoder, vectors in zip(networks.encoders, embeddings):
        try:
            encoder.add_word(word, vectors)
        except OptionsError as error:
            raise InputError(f"{path}: {error}") from error
    return word


def _find_embeddings(entries: Mapping[str, Any]) -> list[Tensor]:
    """(count, width) for each text encoder; reads the formats of several programs."""
    parameters = entries.get("string_to_param")
    if isinstance(parameters, StoredParameters):
        parameters = parameters.entries()
    if "clip_l" in entries and "clip_g" in entries:
        values = [entries["clip_l"], entries["clip_g"]]
    elif isinstance(parameters, Mapping):
        values = list(parameters.values())[:1]
    elif "emb_params" in entries:
        values = [entries["emb_params"]]
    else:
        values = list(entries.values())
    tensors = [value.detach().float() for value in values if isinstance(value, Tensor)]
    return [tensor[None] if tensor.ndim == 1 else tensor for tensor in tensors]
