"""Prompts: weights as A1111's own examples have them, chunks, emphasis."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from kadr.stylize.diffusion.prompt.parse import (
    CHUNK,
    COMMA,
    VOCABULARY,
    PromptEncoder,
    WeightedText,
    emphasize,
    encode_prompt,
    encode_texts,
    make_chunks,
    parse_prompt,
)
from kadr.stylize.diffusion.prompt.tokenizer import END, START


def _numbers(text: str) -> list[int]:
    """A word is its number, a comma CLIP's, "<n>" an added word of n tokens."""
    numbers: list[int] = []
    for word in text.replace(",", " , ").split():
        if word.startswith("<"):
            numbers += range(VOCABULARY, VOCABULARY + int(word.strip("<>")))
        else:
            numbers.append(COMMA if word == "," else int(word))
    return numbers


def _words(count: int, first: int = 1000) -> str:
    return " ".join(str(first + i) for i in range(count))


def _encode(chunks: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor | None]:
    """Vectors that tell the number; pooled tells how many chunks there were."""
    numbers = torch.tensor([list(chunk) for chunk in chunks], dtype=torch.float32)
    return torch.stack([numbers / 1000, torch.ones_like(numbers)], dim=2), None


@pytest.mark.parametrize(
    ("prompt", "pieces"),
    [
        ("normal text", [("normal text", 1)]),
        ("an (important) word", [("an ", 1), ("important", 1.1), (" word", 1)]),
        ("(unbalanced", [("unbalanced", 1.1)]),
        (r"\(literal\]", [("(literal]", 1)]),
        ("(unnecessary)(parens)", [("unnecessaryparens", 1.1)]),
        (
            "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
            [
                *[("a ", 1), ("house", 1.3 * 1.1**2), (" ", 1.1), ("on", 1), (" a ", 1.1)],
                *[("hill", 0.55), (", sun, ", 1.1), ("sky", 1.1**4), (".", 1.1)],
            ],
        ),
        ("[less] 12:30 x)", [("less", 1 / 1.1), (" 12:30 x)", 1)]),
        ("(a: 1.5 )", [("a", 1.5)]),
        ("(a:-0.5)", [("a", -0.5)]),
        ("(a:1.2.3)", [("a:1.2.3)", 1.1)]),
        ("a:1.2)", [("a:1.2)", 1)]),
        (r"back\\slash", [("back\\slash", 1)]),
        ("", [("", 1)]),
    ],
)
def test_weights_are_read_as_in_a1111(prompt: str, pieces: list[tuple[str, float]]) -> None:
    found = parse_prompt(prompt)
    assert [piece.text for piece in found] == [text for text, _ in pieces]
    assert [piece.weight for piece in found] == pytest.approx([weight for _, weight in pieces])


def test_break_cuts_inside_brackets_too() -> None:
    cut = WeightedText("", is_break=True)
    assert parse_prompt("a BREAK (b BREAK c:1.2) BREAKS") == [
        *[
            WeightedText("a"),
            cut,
            WeightedText("b", 1.2),
            cut,
            WeightedText("c", 1.2),
            WeightedText(" BREAKS"),
        ],
    ]


@given(st.text(st.characters(exclude_characters="()[]\\:", codec="utf-8")))
def test_plain_text_stays_as_it_is(text: str) -> None:
    if "BREAK" not in text:
        assert parse_prompt(text) == [WeightedText(text)]


@given(st.text("()[]\\:.15 aB,"))
def test_any_text_can_be_read(text: str) -> None:
    pieces = parse_prompt(text)
    assert pieces
    assert all(piece.weight > 0 for piece in pieces)
    left = "".join(piece.text for piece in pieces)
    assert set(left) <= set(text)


def test_chunks_hold_75_tokens() -> None:
    chunks = make_chunks([WeightedText(_words(100))], _numbers)
    assert [len(chunk.numbers) for chunk in chunks] == [75, 25]
    assert make_chunks([WeightedText("")], _numbers)[0].numbers == []


@pytest.mark.parametrize(
    ("before", "lengths"), [(60, [61, 39]), (55, [56, 44]), (54, [75, 25]), (75, [75, 25])]
)
def test_a_full_chunk_is_cut_after_a_near_comma(before: int, lengths: list[int]) -> None:
    text = f"{_words(before)}, {_words(99 - before, 3000)}"
    chunks = make_chunks([WeightedText(text, 1.3)], _numbers)
    assert [len(chunk.numbers) for chunk in chunks] == lengths
    assert [number for chunk in chunks for number in chunk.numbers] == _numbers(text)


def test_break_begins_a_chunk() -> None:
    chunks = make_chunks(parse_prompt("1 2 BREAK (3 BREAK 4:1.5)"), _numbers)
    assert [(chunk.numbers, chunk.weights) for chunk in chunks] == [
        *[([1, 2], [1, 1]), ([3], [1.5]), ([4], [1.5])]
    ]


def test_the_tokens_of_an_added_word_stay_together() -> None:
    chunks = make_chunks([WeightedText(f"{_words(72)} <4> 7")], _numbers)
    assert [len(chunk.numbers) for chunk in chunks] == [72, 5]
    long = make_chunks([WeightedText("<100>")], _numbers)
    assert [len(chunk.numbers) for chunk in long] == [75, 25]


@given(st.lists(st.tuples(st.integers(0, 40), st.floats(0.1, 2), st.booleans()), max_size=8))
def test_chunks_lose_nothing(parts: list[tuple[int, float, bool]]) -> None:
    pieces = [WeightedText(_words(n) + ("," if comma else ""), w) for n, w, comma in parts]
    chunks = make_chunks(pieces, _numbers)
    numbers = [number for piece in pieces for number in _numbers(piece.text)]
    weights = [piece.weight for piece in pieces for _ in _numbers(piece.text)]
    assert [number for chunk in chunks for number in chunk.numbers] == numbers
    assert [weight for chunk in chunks for weight in chunk.weights] == weights
    assert all(len(chunk.numbers) <= CHUNK for chunk in chunks)


def test_emphasis_keeps_the_mean_of_each_chunk() -> None:
    generator = torch.Generator().manual_seed(0)
    vectors = 0.2 + torch.randn(2, 77, 16, generator=generator)
    weights = torch.ones(2, 77)
    weights[0, 3:5] = 1.5
    (weighted,) = emphasize(vectors[None], weights[None])
    factor = vectors[0].mean() / (vectors[0] * weights[0][:, None]).mean()
    torch.testing.assert_close(weighted[0, 3], vectors[0, 3] * 1.5 * factor)
    torch.testing.assert_close(weighted[0, 8], vectors[0, 8] * factor)
    assert float(weighted[0].mean()) == pytest.approx(float(vectors[0].mean()), rel=1e-5)
    assert torch.equal(weighted[1], vectors[1])


@pytest.mark.parametrize("pad", [END, 0])
def test_a_prompt_becomes_framed_chunks_side_by_side(pad: int) -> None:
    source = PromptEncoder(_numbers, _encode, pad)
    cond = encode_prompt(f"(5:2) 6 BREAK {_words(75)}", [source])
    assert cond.crossattn.shape == (1, 2 * 77, 2)
    assert cond.pooled is None
    numbers = (cond.crossattn[0, 77:, 0] * 1000).round().int().tolist()
    assert numbers == [START, *_numbers(_words(75)), END]
    first = cond.crossattn[0, :77]
    ratio = first[:, 1] / first[0, 1]
    assert ratio[:4].tolist() == pytest.approx([1, 2, 1, 1])
    plain = (first[:, 0] / first[:, 1] * 1000).round().int().tolist()
    assert plain == [START, 5, 6, END, *[pad] * 73]


def test_texts_of_one_prompt_share_chunks_and_mean() -> None:
    source = PromptEncoder(_numbers, _encode)
    texts, counts = ["(5:2) 6", f"7 BREAK {_words(3)}"], [3, 1]
    short, long = encode_texts(texts, [source], counts)
    assert short.crossattn.shape == long.crossattn.shape == (1, 154, 2)
    empty = [START, END, *[END] * 75]
    assert (short.crossattn[0, 77:, 0] * 1000).round().int().tolist() == empty
    plain, _ = _encode([[START, 5, 6, END, *[END] * 73], [START, 7, END, *[END] * 74]])
    weights = torch.ones(2, 77)
    weights[0, 1] = 2
    weighted = plain * weights[..., None]
    shares = torch.tensor([0.75, 0.25])[:, None, None]
    factor = (plain * shares).sum() / (weighted * shares).sum()
    torch.testing.assert_close(short.crossattn[0, :77], weighted[0] * factor)
    torch.testing.assert_close(long.crossattn[0, :77], weighted[1] * factor)


def test_two_encoders_stand_side_by_side() -> None:
    def second(chunks: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor | None]:
        return torch.full((len(chunks), 77, 3), 0.5), torch.full((1, 5), float(len(chunks)))

    sources = [PromptEncoder(_numbers, _encode), PromptEncoder(_numbers, second, 0)]
    cond = encode_prompt(_words(80), sources)
    assert cond.crossattn.shape == (1, 154, 5)
    assert cond.crossattn[..., 2:].unique().tolist() == [0.5]
    assert cond.pooled is not None
    assert cond.pooled.tolist() == [[2.0] * 5]
