"""What a user calls a model in, where it is and what kind of thing it is out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kadr.errors import BackendError, InputError

OWN_PIPELINES = frozenset(
    {
        "StableDiffusionPipeline",
        "StableDiffusionImg2ImgPipeline",
        "StableDiffusionInpaintPipeline",
        "StableDiffusionXLPipeline",
        "StableDiffusionXLImg2ImgPipeline",
        "StableDiffusionXLInpaintPipeline",
    }
)
"""The pipelines whose networks kadr's own loop runs."""

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class ModelSource:
    """A model on this machine.

    kind: "file" (a checkpoint), "folder" (diffusers, for kadr's own loop) or "pipeline"
    (diffusers, another kind of model).
    index: a folder's ``model_index.json``.
    name: what pictures call it.
    """

    path: Path
    kind: Literal["file", "folder", "pipeline"]
    name: str
    index: Mapping[str, Any]


def find_source(model: str, *, download: bool = False) -> ModelSource:
    """Find a model: a path of a file or folder, or a hub name such as ``owner/name``.

    A hub name is looked for in the hub's own cache, and fetched only with ``download``.
    Raises InputError that says where to put a model that is not there.
    """
    if not model:
        raise InputError(
            "model: none is given; give model=PATH of a .safetensors or .ckpt file or of a "
            "diffusers folder, or a hub name such as owner/name together with download=yes"
        )
    path = Path(model).expanduser()
    if path.is_file():
        return ModelSource(path, "file", path.stem, {})
    if path.is_dir():
        return _folder(path, path.name)
    if _HUB_NAME.fullmatch(model) and path.suffix != ".safetensors":
        return _folder(_from_hub(model, download), model)
    raise InputError(
        f"{model}: no such model; give the path of a .safetensors or .ckpt file or of a diffusers "
        "folder (one that holds model_index.json), or a hub name such as owner/name"
    )


def read_json(path: Path) -> dict[str, Any]:
    """An object from a JSON file; raises InputError that names it."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path}: not found; the model's folder is not whole") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error}); fetch it again") from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: holds a {type(value).__name__}, expected an object")
    return value


def _folder(path: Path, name: str) -> ModelSource:
    if not (path / "model_index.json").is_file():
        raise InputError(
            f"{path}: no model_index.json in it, so no diffusers folder; give the folder that "
            "holds it, or one .safetensors file"
        )
    index = read_json(path / "model_index.json")
    own = index.get("_class_name") in OWN_PIPELINES
    return ModelSource(path, "folder" if own else "pipeline", name, index)


def _from_hub(name: str, download: bool) -> Path:
    from diffusers import DiffusionPipeline
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        found: str = DiffusionPipeline.download(name, local_files_only=not download)
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError, ValueError) as error:
        first = str(error).split("\n")[0]
        if not download:
            raise InputError(
                f"{name}: is not on this machine, and nothing is fetched unasked; give "
                "download=yes to fetch it, or the path of a model"
            ) from error
        raise BackendError(
            f"{name}: could not be fetched ({first}); run again to go on where it stopped, or "
            "give the path of a model"
        ) from error
    return Path(found)
