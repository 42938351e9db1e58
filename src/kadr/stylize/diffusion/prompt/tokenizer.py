"""Text in, CLIP token numbers out; and the tokenizer itself, built from the one shipped list.

All families of Stable Diffusion read the same 49408 tokens, so one file serves them all.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kadr.errors import BackendError, InputError

START, END = 49406, 49407
"""The tokens that begin and end a chunk."""

VOCABULARY = 49408

_MERGES = VOCABULARY - 2 - 2 * 256
_LIST = "bpe_simple_vocab_16e6.txt.gz"


class Tokenizer:
    """CLIP's tokens, and words that textual inversion added to them.

    added: word → the numbers it stands for, from 49408 on.
    """

    def __init__(self, backend: Any, added: Mapping[str, Sequence[int]] | None = None) -> None:
        self.backend = backend
        self.added = {word.lower(): tuple(numbers) for word, numbers in (added or {}).items()}

    def __call__(self, text: str) -> list[int]:
        """The numbers of a text, without start and end."""
        if not self.added:
            return self._plain(text)
        words = "|".join(map(re.escape, sorted(self.added, key=len, reverse=True)))
        numbers: list[int] = []
        for part in re.split(rf"(?<![\w-])({words})(?![\w-])", text, flags=re.IGNORECASE):
            known = self.added.get(part.lower())
            numbers += self._plain(part) if known is None else known
        return numbers

    def _plain(self, text: str) -> list[int]:
        if not text.strip():
            return []
        # 77 is the length of a chunk, and chunks are made elsewhere: long texts are wanted whole
        found = self.backend(text, add_special_tokens=False, truncation=False, verbose=False)
        return [int(number) for number in found["input_ids"]]


def load_tokenizer(folder: Path | None = None) -> Tokenizer:
    """The tokenizer of a model folder, or with None the one that is shipped.

    Raises InputError if the folder lacks its files.
    """
    if folder is None:
        return Tokenizer(_shipped())
    files_there = (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file()
    if not files_there and not (folder / "tokenizer.json").is_file():
        raise InputError(
            f"{folder}: tokenizer files are missing; expected vocab.json and merges.txt: "
            "fetch the folder whole, or remove it to have the CLIP tokenizer that kadr carries"
        )
    return Tokenizer(_from_folder(folder))


def write_tokenizer(folder: Path, *, pad: str = "<|endoftext|>") -> Path:
    """Write the shipped tokenizer as the files that a diffusers folder holds."""
    folder.mkdir(parents=True, exist_ok=True)
    merges = _merges()
    (folder / "vocab.json").write_text(json.dumps(_vocabulary(merges)), encoding="utf-8")
    (folder / "merges.txt").write_text(
        "#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8"
    )
    special = {
        "bos_token": "<|startoftext|>",
        "eos_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
        "pad_token": pad,
    }
    settings = special | {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    (folder / "special_tokens_map.json").write_text(json.dumps(special), encoding="utf-8")
    return folder


@cache
def _shipped() -> Any:
    with TemporaryDirectory() as folder:
        return _from_folder(write_tokenizer(Path(folder)))


def _from_folder(folder: Path) -> Any:
    from transformers import CLIPTokenizer

    try:
        # SD2's folders fill with "!", and would take every "!" of a prompt for filling
        return CLIPTokenizer.from_pretrained(
            str(folder), pad_token="<|endoftext|>", local_files_only=True
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackendError(f"{folder}: this tokenizer cannot be read ({error})") from error


def _merges() -> list[str]:
    """The pairs that are joined, most frequent first; the file lists more than CLIP uses."""
    packed = files("kadr.stylize.diffusion").joinpath("configs", _LIST).read_bytes()
    lines = gzip.decompress(packed).decode("utf-8").split("\n")
    return lines[1 : 1 + _MERGES]


def _vocabulary(merges: Sequence[str]) -> dict[str, int]:
    """Token → number: bytes, bytes that end a word, joined pairs, start and end."""
    single = _byte_symbols()
    tokens = [*single, *(symbol + "</w>" for symbol in single)]
    tokens += [merge.replace(" ", "") for merge in merges]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    return {token: number for number, token in enumerate(tokens)}


def _byte_symbols() -> list[str]:
    """A printable character for each byte: itself where it has one, else from 256 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in set(printable)]
    return [chr(byte) for byte in printable] + [chr(256 + place) for place in range(len(rest))]
