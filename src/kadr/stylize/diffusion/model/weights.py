"""A file of weights in, named tensors out; code inside a file is never run."""

from __future__ import annotations

import hashlib
import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from kadr.errors import InputError, OptionsError
from kadr.stylize.diffusion.model.pickle_globals import ALLOWED_GLOBALS

Weights = dict[str, torch.Tensor]

_NAMES_CODE = re.compile(
    r"GLOBAL ([\w.]+)|unrecognized function (.+)|but got (?!None)(.+)|Unsupported operand"
)
"""What torch says of a pickle that names more than data; an operand may be a hidden name."""

_DAMAGE = (LookupError, TypeError, AttributeError, AssertionError)
"""What torch raises beside its own errors where bytes of a pickle were changed."""

SUFFIXES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin")


def find_file(path: Path, kind: str) -> Path:
    """Return ``path`` if it is a file of weights; else raise InputError that says what to give."""
    if path.is_dir():
        raise InputError(f"{path}: is a folder; for {kind} give a file, such as .safetensors")
    if not path.is_file():
        raise InputError(f"{path}: not found; give the path of {kind}, such as .safetensors")
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path}: is no file of weights; expected one of {', '.join(SUFFIXES)}")
    return path


def read_weights(path: Path) -> Weights:
    """Name → tensor on the CPU, in the precision of the file.

    A ``state_dict`` inside is unpacked; entries that are no tensors are dropped.
    Raises InputError if the file is damaged or holds a pickle that would run code.
    """
    entries = (
        _read_safetensors(path) if path.suffix.lower() == ".safetensors" else read_pickle(path)
    )
    while isinstance(entries.get("state_dict"), Mapping):
        entries = dict(entries["state_dict"])
    weights = {name: value for name, value in entries.items() if isinstance(value, torch.Tensor)}
    if not weights:
        raise InputError(f"{path}: holds no weights; it may be empty, or a file of another kind")
    return weights


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata of a ``.safetensors`` file; empty for other files."""
    from safetensors import SafetensorError, safe_open

    if path.suffix.lower() != ".safetensors":
        return {}
    try:
        with safe_open(path, "pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError, ValueError) as error:
        raise _damaged(path, error) from error


def read_pickle(path: Path) -> dict[str, Any]:
    """The content of a ``.ckpt`` or ``.pt`` file, if it is only data.

    The classes of ``pickle_globals`` are let through, as inert objects. Raises InputError for any
    other, and names it.
    """
    try:
        # only zip files can be memory-mapped, the old format cannot
        is_zip = zipfile.is_zipfile(path)
        with (
            warnings.catch_warnings(),  # warnings about old formats do not help users
            torch.serialization.safe_globals(list(ALLOWED_GLOBALS)),
        ):
            warnings.simplefilter("ignore")
            entries = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    except pickle.UnpicklingError as error:
        match = _NAMES_CODE.search(str(error))
        if match is None or _is_text(path):
            raise _damaged(path, error) from error
        name = next(filter(None, match.groups()), "")
        raise InputError(
            f"{path}: is a pickle that would run code when opened"
            f"{f' (it names {name})' if name else ''}, so it is refused; "
            "get the model as .safetensors, or convert it if you trust it: "
            "safetensors.torch.save_file(torch.load(file, weights_only=False)['state_dict'], new)"
        ) from error
    except (*_DAMAGE, RuntimeError, EOFError, OSError, ValueError, struct.error) as error:
        raise _damaged(path, error) from error
    if not isinstance(entries, Mapping):
        raise InputError(f"{path}: holds a {type(entries).__name__}, expected named weights")
    return dict(entries)


def _read_safetensors(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> InputError:
    reason = str(error).split("\n")[0]
    if path.stat().st_size == 0:
        return InputError(f"{path}: is empty; download the file again")
    if _is_text(path):
        return InputError(f"{path}: is a text file, expected weights; download the file itself")
    return InputError(f"{path}: is damaged or incomplete ({reason}); download the file again")


def _is_text(path: Path) -> bool:
    """Whether it begins like text: an error page, or a pointer file of Git LFS."""
    with path.open("rb") as file:
        return not file.read(256).translate(None, bytes(range(32, 127)) + b"\t\r\n")


def short_hash(path: Path) -> str:
    """The first ten digits of the file's SHA-256, which name the model in the infotext."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:10]


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error of torch says that memory is too small, on a GPU or the CPU."""
    message = str(error).lower()
    phrases = ("not enough memory", "out of memory", "can't allocate memory", "alloc_failed")
    return isinstance(error, torch.OutOfMemoryError) or any(phrase in message for phrase in phrases)


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device computes in bfloat16 without emulation."""
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def pick_dtype(name: str, device: torch.device) -> torch.dtype:
    """The dtype named ``auto``, ``float32``, ``float16`` or ``bfloat16``.

    auto: float32 on the CPU, float16 elsewhere.

    Raises OptionsError for another name.
    """
    dtypes = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
    if name == "auto":
        return torch.float32 if device.type == "cpu" else torch.float16
    if name not in dtypes:
        raise OptionsError(f"dtype {name!r}: expected auto, {', '.join(dtypes)}")
    return dtypes[name]


def pick_device(name: str) -> torch.device:
    """The device named ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``…

    Raises OptionsError for one that is not available.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        has_mps = torch.backends.mps.is_available()
        return torch.device("mps" if has_mps else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split("\n")[0]
        raise OptionsError(
            f"device {name!r}: is not available ({reason}); use auto or cpu"
        ) from error
    return device
