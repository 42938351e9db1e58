"""Text in, CLIP token numbers out; the tokenizer can be built from the token list in the package.

All families of Stable Diffusion use the same 49408 tokens, so one list is enough.
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
"""Number of tokens; words that textual inversion adds have numbers from here on."""

_MERGE_COUNT = VOCABULARY - 2 - 2 * 256
_LIST = "bpe_simple_vocab_16e6.txt.gz"


class Tokenizer:
    """CLIP's tokenizer, with words that textual inversion added.

    added: word → its token numbers, from 49408 on.
    """

    def __init__(self, backend: Any, added: Mapping[str, Sequence[int]] | None = None) -> None:
        self.backend = backend
        self.added = {word.lower(): tuple(numbers) for word, numbers in (added or {}).items()}

    def __call__(self, text: str) -> list[int]:
        """The token numbers of a text, without start and end."""
        if not self.added:
            return self._tokenize_plain(text)
        words = "|".join(map(re.escape, sorted(self.added, key=len, reverse=True)))
        numbers: list[int] = []
        for part in re.split(rf"(?<![\w-])({words})(?![\w-])", text, flags=re.IGNORECASE):
            added = self.added.get(part.lower())
            numbers += self._tokenize_plain(part) if added is None else added
        return numbers

    def _tokenize_plain(self, text: str) -> list[int]:
        if not text.strip():
            return []
        # no truncation to 77 tokens, the length of a chunk: texts are divided into chunks later
        encoded = self.backend(text, add_special_tokens=False, truncation=False, verbose=False)
        return [int(number) for number in encoded["input_ids"]]


def load_tokenizer(folder: Path | None = None) -> Tokenizer:
    """Load the tokenizer of a model folder; None: the one in the package.

    Raises InputError if the files in the folder are missing.
    """
    if folder is None:
        return Tokenizer(_packaged_backend())
    has_files = (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file()
    if not has_files and not (folder / "tokenizer.json").is_file():
        raise InputError(
            f"{folder}: tokenizer files are missing; expected vocab.json and merges.txt: "
            "download the complete folder, or remove it to use kadr's own CLIP tokenizer"
        )
    return Tokenizer(_load_backend(folder))


def write_tokenizer(folder: Path, *, pad: str = "<|endoftext|>") -> Path:
    """Write the tokenizer of the package in the files of a diffusers folder."""
    folder.mkdir(parents=True, exist_ok=True)
    merges = _load_merges()
    (folder / "vocab.json").write_text(json.dumps(_build_vocabulary(merges)), encoding="utf-8")
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
def _packaged_backend() -> Any:
    with TemporaryDirectory() as folder:
        return _load_backend(write_tokenizer(Path(folder)))


def _load_backend(folder: Path) -> Any:
    from transformers import CLIPTokenizer

    try:
        # SD2's folders use "!" for padding, and every "!" of a prompt would become padding
        return CLIPTokenizer.from_pretrained(
            str(folder), pad_token="<|endoftext|>", local_files_only=True
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackendError(f"{folder}: the tokenizer cannot be read ({error})") from error


def _load_merges() -> list[str]:
    """The pairs that are merged, most frequent first; the file lists more than CLIP uses."""
    packed = files("kadr.stylize.diffusion").joinpath("configs", _LIST).read_bytes()
    lines = gzip.decompress(packed).decode("utf-8").split("\n")
    return lines[1 : 1 + _MERGE_COUNT]


def _build_vocabulary(merges: Sequence[str]) -> dict[str, int]:
    """Token → number: bytes, bytes at the end of a word, merged pairs, start and end."""
    single = _byte_symbols()
    tokens = [*single, *(symbol + "</w>" for symbol in single)]
    tokens += [merge.replace(" ", "") for merge in merges]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    return {token: number for number, token in enumerate(tokens)}


def _byte_symbols() -> list[str]:
    """A printable character for each byte: its own if it has one, else a character from 256 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(printable)]
    return [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(others))]
