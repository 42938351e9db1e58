"""A file of weights in, names with shapes or tensors out; nothing that a file says is run."""

from __future__ import annotations

import hashlib
import pickle
import struct
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from kadr.errors import InputError, OptionsError

Weights = dict[str, torch.Tensor]

SUFFIXES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin")


def find_file(path: Path, what: str) -> Path:
    """``path`` if it is a file of weights; raises InputError that says what to give."""
    if path.is_dir():
        raise InputError(f"{path}: is a folder; for {what} give a file, such as .safetensors")
    if not path.is_file():
        raise InputError(f"{path}: not found; give the path of {what}, such as .safetensors")
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path}: not a file of weights; expected one of {', '.join(SUFFIXES)}")
    return path


def read_weights(path: Path) -> Weights:
    """Name → tensor on the CPU, in the file's own precision.

    A ``state_dict`` inside is unpacked; entries that are not tensors are left out.
    Raises InputError if the file is damaged or holds a pickle that would run code.
    """
    stored = _read_safetensors(path) if path.suffix.lower() == ".safetensors" else read_pickle(path)
    while isinstance(stored.get("state_dict"), Mapping):
        stored = dict(stored["state_dict"])
    weights = {name: value for name, value in stored.items() if isinstance(value, torch.Tensor)}
    if not weights:
        raise InputError(f"{path}: holds no weights; it may be an empty or another kind of file")
    return weights


def read_pickle(path: Path) -> dict[str, Any]:
    """What a ``.ckpt`` or ``.pt`` file holds, if that is data only."""
    try:
        # a zip can stay on disk until its tensors are copied; the old format cannot
        packed = zipfile.is_zipfile(path)
        with warnings.catch_warnings():  # what it says of old formats is of no use here
            warnings.simplefilter("ignore")
            stored = torch.load(path, map_location="cpu", weights_only=True, mmap=packed)
    except pickle.UnpicklingError as error:
        if _is_text(path):
            raise _damaged(path, error) from error
        raise InputError(
            f"{path}: is a pickle that would run code when opened, so it is refused; "
            "get the model as .safetensors, or convert it where you trust it: "
            "safetensors.torch.save_file(torch.load(file, weights_only=False)['state_dict'], new)"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, struct.error) as error:
        raise _damaged(path, error) from error
    if not isinstance(stored, Mapping):
        raise InputError(f"{path}: holds a {type(stored).__name__}, expected named weights")
    return dict(stored)


def _read_safetensors(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> InputError:
    first = str(error).split("\n")[0]
    if path.stat().st_size == 0:
        return InputError(f"{path}: is empty; fetch the file again")
    if _is_text(path):
        return InputError(f"{path}: is a text file, expected weights; fetch the file itself")
    return InputError(f"{path}: is damaged or not whole ({first}); fetch the file again")


def _is_text(path: Path) -> bool:
    """Whether it begins as a text does: a page with an error, or what Git LFS left in its place."""
    with path.open("rb") as file:
        return not file.read(256).translate(None, bytes(range(32, 127)) + b"\t\r\n")


def short_hash(path: Path) -> str:
    """The first ten digits of the file's SHA-256, by which pictures name their model."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:10]


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory was too small, in the words of cards and of this machine's own memory."""
    said = str(error).lower()
    known = ("not enough memory", "out of memory", "can't allocate memory", "alloc_failed")
    return isinstance(error, torch.OutOfMemoryError) or any(words in said for words in known)


def has_bfloat16(device: torch.device) -> bool:
    """Whether it computes in bfloat16 itself."""
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def pick_dtype(name: str, device: torch.device) -> torch.dtype:
    """``auto``, ``float32``, ``float16`` or ``bfloat16`` as a dtype; auto: half on a GPU only.

    Raises OptionsError for another name.
    """
    known = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
    if name == "auto":
        return torch.float32 if device.type == "cpu" else torch.float16
    if name not in known:
        raise OptionsError(f"dtype {name!r}: expected auto, {', '.join(known)}")
    return known[name]


def pick_device(name: str) -> torch.device:
    """``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``… as a device that is there.

    Raises OptionsError for one that is not.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        mps = torch.backends.mps.is_available()
        return torch.device("mps" if mps else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        first = str(error).split("\n")[0]
        raise OptionsError(f"device {name!r}: is not there ({first}); give auto or cpu") from error
    return device
