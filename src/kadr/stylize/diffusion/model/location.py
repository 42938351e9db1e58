"""The name of a model as the user gives it in, its location and kind out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kadr.errors import BackendError, InputError, OptionsError
from kadr.stylize.option_hints import with_option

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
"""The pipelines whose networks kadr's own sampling loop runs."""

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class ModelLocation:
    """A model on this machine.

    kind: "file" (a checkpoint), "folder" (diffusers, for kadr's own sampling loop) or "pipeline"
    (diffusers, another kind of model).
    index: a folder's ``model_index.json``.
    name: the model's name in the infotext.
    """

    path: Path
    kind: Literal["file", "folder", "pipeline"]
    name: str
    index: Mapping[str, Any]


def locate_model(model: str, *, download: bool = False) -> ModelLocation:
    """Find a model: the path of a file or folder, or a hub name such as ``owner/name``.

    A hub name is searched in the hub's local cache, and downloaded only with ``download``.
    Raises InputError that says where to get a missing model.
    """
    if not model:
        raise InputError(
            f"model: none is given; give {with_option('model', 'PATH')} of a .safetensors or .ckpt "
            "file or of a diffusers folder, or a hub name such as owner/name together with "
            f"{with_option('download')}"
        )
    path = Path(model).expanduser()
    if path.is_file():
        return ModelLocation(path, "file", path.stem, {})
    if path.is_dir():
        return _locate_folder(path, path.name)
    if _HUB_NAME.fullmatch(model) and path.suffix != ".safetensors":
        return _locate_folder(_find_in_hub(model, download), model)
    raise InputError(
        f"{model}: no such model; give the path of a .safetensors or .ckpt file or of a diffusers "
        "folder (one that holds model_index.json), or a hub name such as owner/name"
    )


def missing_model(model: str, *, download: bool = False) -> str:
    """Why a run could not begin with a model, or that it would download it; "" if it is here.

    Imports neither torch nor diffusers.
    """
    path = Path(model).expanduser()
    is_hub_name = _HUB_NAME.fullmatch(model) and path.suffix != ".safetensors"
    if not is_hub_name or path.exists():
        try:
            locate_model(model)
        except InputError as error:
            return str(error)
        return ""
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return (
            f"{model}: the package huggingface_hub is not installed; pip install 'kadr[diffusion]'"
        )
    if isinstance(try_to_load_from_cache(model, "model_index.json"), str):
        return ""
    if download:
        return f"{model}: is not on this machine; the run would download it"
    return _not_here(model)


def _not_here(name: str) -> str:
    return (
        f"{name}: is not on this machine, and kadr downloads nothing by itself; give "
        f"{with_option('download')} to download it, or the path of a model"
    )


def split_path_and_weight(text: str) -> tuple[Path, float]:
    """Path and weight of ``PATH`` or ``PATH:WEIGHT``; the default weight is 1."""
    path, colon, weight = text.rpartition(":")
    if colon and path:
        try:
            return Path(path).expanduser(), float(weight)
        except ValueError:
            if Path(path).expanduser().exists():
                raise OptionsError(f"{text}: weight {weight!r}: expected a number") from None
    return Path(text).expanduser(), 1.0


def read_json(path: Path) -> dict[str, Any]:
    """Read an object from a JSON file; raises InputError that names the file."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path}: not found; the model's folder is incomplete") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error}); download it again") from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: holds a {type(value).__name__}, expected an object")
    return value


def _locate_folder(path: Path, name: str) -> ModelLocation:
    if not (path / "model_index.json").is_file():
        raise InputError(
            f"{path}: is no diffusers folder (it has no model_index.json); give the folder that "
            "holds it, or one .safetensors file"
        )
    index = read_json(path / "model_index.json")
    is_own = index.get("_class_name") in OWN_PIPELINES
    return ModelLocation(path, "folder" if is_own else "pipeline", name, index)


def _find_in_hub(name: str, download: bool) -> Path:
    from diffusers import DiffusionPipeline
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder: str = DiffusionPipeline.download(name, local_files_only=not download)
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError, ValueError) as error:
        reason = str(error).split("\n")[0]
        if not download:
            raise InputError(_not_here(name)) from error
        raise BackendError(
            f"{name}: could not be downloaded ({reason}); run again to resume the download, or "
            "give the path of a model"
        ) from error
    return Path(folder)
