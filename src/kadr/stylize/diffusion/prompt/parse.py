"""A prompt in, its conditioning out: emphasis, chunks of 75 tokens, encoded text.

The notation is A1111's: ``(word)`` multiplies the weight by 1.1, ``[word]`` divides it by 1.1,
``(word:1.3)`` multiplies it by 1.3, nested brackets multiply; a backslash before a bracket makes it
text; BREAK begins a new chunk. Editing and AND have modules of their own, which come before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from kadr.stylize.diffusion.prompt.text_encoder import pad_chunk
from kadr.stylize.diffusion.prompt.tokenizer import END, VOCABULARY
from kadr.stylize.diffusion.sampling.guidance import Conditioning

CHUNK = 75
"""Number of prompt tokens in a chunk, without start and end."""

COMMA = 267

_BACKTRACK = 20
"""A full chunk is split after its last comma, if that is at most this many tokens back."""

_EMPHASIS = 1.1

_SYMBOLS = re.compile(
    r"\\(?P<escaped>[()\[\]\\]?)|(?P<open>[(\[])|:\s*(?P<weight>[+-]?[.\d]+)\s*\)"
    r"|[)\]]|[^\\()\[\]:]+|:"
)

_BREAK = re.compile(r"\s*\bBREAK\b\s*")


@dataclass(frozen=True)
class WeightedText:
    """Part of a prompt with its weight; ``is_break``: no text, but a new chunk begins here."""

    text: str
    weight: float = 1.0
    is_break: bool = False


@dataclass
class PromptChunk:
    """Up to ``CHUNK`` token numbers and the weight of each."""

    numbers: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)

    def add(self, numbers: Sequence[int], weights: Sequence[float]) -> None:
        """Append tokens."""
        self.numbers += numbers
        self.weights += weights

    def split(self, position: int) -> PromptChunk:
        """Keep the tokens before ``position``; return the rest."""
        rest = PromptChunk(self.numbers[position:], self.weights[position:])
        del self.numbers[position:], self.weights[position:]
        return rest


@dataclass(frozen=True)
class PromptEncoder:
    """One text encoder of a model.

    tokenize: returns the token numbers of a text, without start and end. Numbers from
    ``VOCABULARY`` on belong to added words; the numbers of one word are consecutive and stay
    together.
    encode: takes chunks of 77 numbers, returns ((chunks, 77, D), (1, P) of the first or None).
    pad: the token number that fills a chunk after its end.
    """

    tokenize: Callable[[str], Sequence[int]]
    encode: Callable[[Sequence[Sequence[int]]], tuple[Tensor, Tensor | None]]
    pad: int = END


def encode_prompt(prompt: str, encoders: Sequence[PromptEncoder]) -> Conditioning:
    """The conditioning of one prompt that does not change; see ``encode_texts``."""
    return encode_texts([prompt], encoders)[0]


def encode_texts(
    texts: Sequence[str], encoders: Sequence[PromptEncoder], counts: Sequence[int] | None = None
) -> list[Conditioning]:
    """The conditioning of each text, (1, 77 * chunks, D), where D is the sum over all encoders.

    Texts of one prompt that changes are encoded together, as in A1111: shorter ones are filled with
    empty chunks, and emphasis keeps the mean over all of them. counts: how often each occurs.
    Emphasis is A1111's "Original": each token's vector is multiplied by its weight, then the chunk
    is scaled so that its mean does not change. pooled: of the last encoder that returns it.
    """
    parsed = [parse_prompt(text) for text in texts]
    crossattn: list[Tensor] = []
    pooled: list[Tensor] | None = None
    for encoder in encoders:
        chunks = [make_chunks(items, encoder.tokenize) for items in parsed]
        longest = max(map(len, chunks))
        chunks = [[*some, *[PromptChunk()] * (longest - len(some))] for some in chunks]
        encoded = [
            encoder.encode([pad_chunk(chunk.numbers, encoder.pad) for chunk in some])
            for some in chunks
        ]
        vectors = torch.stack([vectors for vectors, _ in encoded])
        weights = torch.tensor([[_pad_weights(chunk.weights) for chunk in some] for some in chunks])
        crossattn.append(emphasize(vectors, weights.to(vectors), counts).flatten(1, 2))
        vectors_of_texts = [vector for _, vector in encoded if vector is not None]
        pooled = vectors_of_texts or pooled
    if len({part.shape[1] for part in crossattn}) > 1:
        raise ValueError("the text encoders split the prompt into different numbers of chunks")
    joined = torch.cat(crossattn, dim=2)
    return [
        Conditioning(joined[i : i + 1], None if pooled is None else pooled[i])
        for i in range(len(texts))
    ]


def parse_prompt(prompt: str) -> list[WeightedText]:
    """Split a prompt into texts with weights; neighbours of equal weight are joined.

    A bracket that is never closed extends to the end, a closing bracket without an opening is text.
    """
    texts: list[WeightedText] = []
    open_brackets: dict[str, list[int]] = {"(": [], "[": []}
    for symbol in _SYMBOLS.finditer(prompt):
        text, weight = symbol[0], _parse_number(symbol["weight"])
        if symbol["escaped"] is not None:
            texts.append(WeightedText(symbol["escaped"]))
        elif symbol["open"]:
            open_brackets[text].append(len(texts))
        elif weight is not None and open_brackets["("]:
            _multiply_weights(texts, open_brackets["("].pop(), weight)
        elif text == ")" and open_brackets["("]:
            _multiply_weights(texts, open_brackets["("].pop(), _EMPHASIS)
        elif text == "]" and open_brackets["["]:
            _multiply_weights(texts, open_brackets["["].pop(), 1 / _EMPHASIS)
        else:
            texts += _split_at_breaks(text)
    for bracket, factor in (("(", _EMPHASIS), ("[", 1 / _EMPHASIS)):
        for start in open_brackets[bracket]:
            _multiply_weights(texts, start, factor)
    return _join_equal_weights(texts) or [WeightedText("")]


def make_chunks(
    texts: Sequence[WeightedText], tokenize: Callable[[str], Sequence[int]]
) -> list[PromptChunk]:
    """Token numbers in chunks of at most ``CHUNK``; at least one chunk, which may be empty.

    A full chunk is split after a comma among its last 20 tokens, if there is one.
    """
    chunks: list[PromptChunk] = []
    chunk, comma = PromptChunk(), -1
    for item in texts:
        if item.is_break:
            chunks.append(chunk)
            chunk, comma = PromptChunk(), -1
        for word in _group_words(tokenize(item.text)):
            is_full = len(chunk.numbers) == CHUNK
            if word[0] == COMMA:
                comma = len(chunk.numbers)
            elif is_full and comma != -1 and CHUNK - comma <= _BACKTRACK:
                rest = chunk.split(comma + 1)
                chunks.append(chunk)
                chunk, comma = rest, -1
            if len(chunk.numbers) + len(word) > CHUNK:
                chunks.append(chunk)
                chunk, comma = PromptChunk(), -1
            chunk.add(word, [item.weight] * len(word))
    if chunk.numbers or not chunks:
        chunks.append(chunk)
    return chunks


def emphasize(vectors: Tensor, weights: Tensor, counts: Sequence[int] | None = None) -> Tensor:
    """Multiply vectors (texts, chunks, T, D) by weights (texts, chunks, T), then restore the mean.

    The mean of a chunk is taken over all texts, of which each counts ``counts`` times; None: once.
    """
    shares = torch.tensor(counts or [1] * len(vectors)).to(vectors)[:, None, None, None]
    shares = shares / shares.sum()
    weighted = vectors * weights[..., None]
    mean = (vectors.mean(dim=(2, 3), keepdim=True) * shares).sum(dim=0)
    weighted_mean = (weighted.mean(dim=(2, 3), keepdim=True) * shares).sum(dim=0)
    return torch.where(mean == weighted_mean, weighted, weighted * (mean / weighted_mean))


def _parse_number(text: str | None) -> float | None:
    """The weight between ":" and ")", if it is a number."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _split_at_breaks(text: str) -> Iterator[WeightedText]:
    """The text with a break item at each BREAK in it."""
    for i, part in enumerate(_BREAK.split(text)):
        if i:
            yield WeightedText("", is_break=True)
        yield WeightedText(part)


def _multiply_weights(texts: list[WeightedText], start: int, factor: float) -> None:
    """Multiply the weights of the items from ``start`` on."""
    texts[start:] = [replace(item, weight=item.weight * factor) for item in texts[start:]]


def _join_equal_weights(texts: Sequence[WeightedText]) -> list[WeightedText]:
    """Join neighbours of equal weight; drop items that have neither text nor a break."""
    joined: list[WeightedText] = []
    for item in texts:
        last = joined[-1] if joined else None
        if item.is_break:
            joined.append(WeightedText("", is_break=True))
        elif last is not None and not last.is_break and last.weight == item.weight:
            joined[-1] = WeightedText(last.text + item.text, item.weight)
        elif item.text:
            joined.append(item)
    return joined


def _group_words(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    """Token numbers one by one; those of an added word together, up to the length of a chunk."""
    word: list[int] = []
    for number in numbers:
        follows = bool(word) and number == word[-1] + 1 and number > VOCABULARY
        if not follows or word[-1] < VOCABULARY or len(word) == CHUNK:
            if word:
                yield word
            word = []
        word.append(number)
    if word:
        yield word


def _pad_weights(weights: Sequence[float]) -> list[float]:
    """A weight for each of the 77 tokens of a chunk."""
    return [1.0, *weights, *[1.0] * (CHUNK + 1 - len(weights))]
