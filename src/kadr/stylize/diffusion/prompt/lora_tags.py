"""A prompt with ``<lora:name:weight>`` in, the prompt without it and the files named out."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from kadr.core.formatting import shorten
from kadr.errors import InputError, OptionsError

SUFFIXES = (".safetensors", ".pt", ".ckpt")
"""Suffixes of LoRA files; others in the folder are not looked at."""

_TAG = re.compile(r"<(\w+):([^>]+)>")
_KINDS = frozenset({"lora", "lyco"})

_MOST_HEADER_BYTES = 1 << 24
"""Of a safetensors file; more is no header."""


@dataclass(frozen=True)
class LoraTag:
    """``<lora:name:text_weight:unet_weight>``: weights for the text encoders and the network."""

    name: str
    text_weight: float
    unet_weight: float


@dataclass(frozen=True)
class TaggedLora:
    """A file that a tag names, with the weights of the tag."""

    path: Path
    text_weight: float
    unet_weight: float


def split_lora_tags(prompt: str, name: str = "prompt") -> tuple[str, tuple[LoraTag, ...]]:
    """The prompt without its tags, and the tags; name: of the option, for errors.

    A tag has one weight for all, or two: ``<lora:ink:0.8>``, ``<lora:ink:0.5:1>``,
    ``<lora:ink:te=0.5:unet=1>``; without any it is 1. ``lyco`` is the same as ``lora``.
    Raises OptionsError for a tag of another kind, or one that cannot be read.
    """
    tags: list[LoraTag] = []

    def read(match: re.Match[str]) -> str:
        tags.append(_read_tag(match, name))
        return ""

    return _TAG.sub(read, prompt), tuple(tags)


def find_lora_files(tags: Iterable[LoraTag], folder: Path) -> tuple[TaggedLora, ...]:
    """The files of tags in a folder and its subfolders, by their names without suffix.

    As in A1111, a tag may also have the name that kohya's scripts stored in a file as its output
    name. Raises InputError for a name that no file or several have.
    """
    tags = tuple(tags)
    if not tags:
        return ()
    if not folder.is_dir():
        raise InputError(f"{folder}: not found; lora-dir is the folder of the LoRA files")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    by_name: dict[str, list[Path]] = {}
    for path in files:
        by_name.setdefault(path.stem, []).append(path)
    if any(tag.name not in by_name for tag in tags):  # only then the files have to be opened
        stems = frozenset(by_name)
        for path in files:
            if (alias := _output_name(path)) and alias not in stems:
                by_name.setdefault(alias, []).append(path)
    return tuple(
        TaggedLora(_one_file(tag.name, by_name, folder), tag.text_weight, tag.unet_weight)
        for tag in tags
    )


def _read_tag(match: re.Match[str], option: str) -> LoraTag:
    text, kind = shorten(match[0]), match[1]
    if kind not in _KINDS:
        raise OptionsError(
            f"{option}: {text}: kadr has no networks of the kind {shorten(kind)}; expected "
            "<lora:NAME:WEIGHT>, take it out"
        )
    named: dict[str, str] = {}
    positional: list[str] = []
    for item in match[2].split(":"):
        key, equals, value = item.partition("=")
        if equals:
            named[key] = value
        else:
            positional.append(item)
    unknown = [key for key in named if key not in ("te", "unet")]
    if unknown or not 1 <= len(positional) <= 3:
        raise OptionsError(
            f"{option}: {text}: expected <lora:NAME>, <lora:NAME:WEIGHT> or "
            "<lora:NAME:TEXT_WEIGHT:UNET_WEIGHT>"
        )
    text_weight = named.get("te", positional[1] if len(positional) > 1 else "1")
    unet_weight = named.get("unet", positional[2] if len(positional) > 2 else text_weight)
    # A1111 takes the weight of the text encoders for the network too if that has none of its own
    return LoraTag(
        positional[0], _weight(text_weight, option, text), _weight(unet_weight, option, text)
    )


def _weight(value: str, option: str, text: str) -> float:
    try:
        weight = float(value)
    except ValueError:
        weight = math.nan
    if not math.isfinite(weight):
        raise OptionsError(f"{option}: {text}: weight {shorten(value)!r}: expected a number")
    return weight


def _one_file(name: str, by_name: Mapping[str, list[Path]], folder: Path) -> Path:
    files = by_name.get(name, [])
    if len(files) == 1:
        return files[0]
    if files:
        raise InputError(
            f"{folder}: {len(files)} LoRAs are called {shorten(name)!r}: {files[0]} and "
            f"{files[1]}; rename one"
        )
    similar = get_close_matches(shorten(name), by_name, 1)
    hint = f"did you mean {similar[0]!r}?" if similar else _listing(by_name)
    raise InputError(f"{folder}: holds no LoRA called {shorten(name)!r}; {hint}")


def _listing(by_name: Mapping[str, list[Path]], most: int = 5) -> str:
    if not by_name:
        return f"it has no file that ends in {', '.join(SUFFIXES)}"
    names = sorted(by_name)
    return f"it holds {', '.join(names[:most])}{' …' if len(names) > most else ''}"


def _output_name(path: Path) -> str:
    """The name in a safetensors file that kohya's scripts wrote; "" if there is none."""
    if path.suffix.lower() != ".safetensors":
        return ""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > _MOST_HEADER_BYTES:
                return ""
            header = json.loads(file.read(length))
        return str(header.get("__metadata__", {}).get("ss_output_name", ""))
    except (OSError, ValueError, AttributeError, RecursionError):
        return ""  # the file is refused where it is loaded
