"""A textual inversion file in, its word added to a model's text encoders out."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from kadr.errors import InputError, OptionsError
from kadr.stylize.diffusion.model.model import Networks
from kadr.stylize.diffusion.model.pickle_globals import StoredParameters
from kadr.stylize.diffusion.model.weights import find_file, read_pickle, read_weights

_log = logging.getLogger(__name__)


def add_embedding(networks: Networks, path: Path) -> str:
    """Add the file's name as a word that stands for its embeddings; returns the word.

    Raises InputError if the file is missing or holds no textual inversion for this family.
    """
    find_file(path, "a textual inversion")
    entries: Mapping[str, Any]
    entries = read_weights(path) if path.suffix == ".safetensors" else read_pickle(path)
    try:
        _add_word(networks, path.stem, entries)
    except OptionsError as error:
        raise InputError(f"{path}: {error}") from error
    return path.stem


def add_bundled_embedding(
    networks: Networks, word: str, entries: Mapping[str, Any], path: Path
) -> None:
    """Add an embedding that is bundled with the LoRA in ``path``; if it does not fit, warn."""
    try:
        _add_word(networks, word, entries)
    except OptionsError as error:
        _log.warning("%s: left out its embedding %s: %s", path, word, error)


def _add_word(networks: Networks, word: str, entries: Mapping[str, Any]) -> None:
    """Add a word to all text encoders; raises OptionsError, before any is changed."""
    embeddings = _find_embeddings(entries)
    count = len(networks.encoders)
    if len(embeddings) != count:
        raise OptionsError(
            f"holds embeddings for {len(embeddings)} text encoders, this model has {count}; it is "
            "no textual inversion, or one for another family"
        )
    for encoder, vectors in zip(networks.encoders, embeddings):
        if vectors.shape[-1] != encoder.width:
            raise OptionsError(
                f"its vectors are {vectors.shape[-1]} wide, this model's text encoder takes "
                f"{encoder.width}; it was made for another family of models"
            )
    for encoder, vectors in zip(networks.encoders, embeddings):
        encoder.add_word(word, vectors)


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
