"""Numbers of tokens are CLIP's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from kadr.errors import InputError
from kadr.stylize.diffusion.prompt.tokenizer import Tokenizer, load_tokenizer, write_tokenizer


def test_known_sentences() -> None:
    tokenizer = load_tokenizer()
    assert tokenizer("a photo of a cat") == [320, 1125, 539, 320, 2368]
    assert tokenizer("A  Photo\nOF a CAT ") == [320, 1125, 539, 320, 2368]
    assert tokenizer(",") == [267]
    assert tokenizer("") == tokenizer("  \n") == []
    assert len(tokenizer("word " * 300)) == 300
    assert max(tokenizer("żółć 日本 🙂 naïve")) < 49406


def test_what_is_written_reads_as_the_shipped_one(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    names = ["merges.txt", "special_tokens_map.json", "tokenizer_config.json", "vocab.json"]
    assert sorted(file.name for file in tmp_path.iterdir()) == names
    text = "an oil-painting by no one's hand, 4k (sharp)"
    assert load_tokenizer(tmp_path)(text) == load_tokenizer()(text)


def test_exclamation_mark_is_text_where_it_fills_too(tmp_path: Path) -> None:
    write_tokenizer(tmp_path, pad="!")
    assert load_tokenizer(tmp_path)("a cat!") == load_tokenizer()("a cat!") == [320, 2368, 256]


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"tokenizer files are missing.*vocab\.json"):
        load_tokenizer(tmp_path)


def test_added_words_are_whole_words_whatever_their_case() -> None:
    tokenizer = Tokenizer(load_tokenizer().backend, {"Ink.v2": (49408, 49409), "ink": (49410,)})
    assert tokenizer("INK.V2 ink inks x-ink") == [
        49408,
        49409,
        49410,
        *load_tokenizer()("inks x-ink"),
    ]
