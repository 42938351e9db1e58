"""A prompt in, what a model is steered by out: emphasis, chunks of 75 tokens, encoded text.

The notation is A1111's: ``(word)`` weighs 1.1 times as much, ``[word]`` that much less,
``(word:1.3)`` as much as it says, nested ones multiply; a backslash takes a bracket at its word;
BREAK begins a new chunk. Scheduled prompts (``[a:b:0.5]``, ``[a|b]``) and AND are not part of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from kadr.stylize.diffusion.sampling.guidance import Conditioning

CHUNK = 75
"""Tokens of a prompt that a text encoder reads at once, start and end not counted."""

CLIP_START, CLIP_END, CLIP_COMMA, CLIP_WORDS = 49406, 49407, 267, 49408

_BACKTRACK = 20
"""A full chunk is cut after its last comma, if that is at most so many tokens back."""

_STRONGER = 1.1

_SYMBOLS = re.compile(
    r"\\(?P<escaped>[()\[\]\\]?)|(?P<open>[(\[])|:\s*(?P<weight>[+-]?[.\d]+)\s*\)"
    r"|[)\]]|[^\\()\[\]:]+|:"
)

_BREAK = re.compile(r"\s*\bBREAK\b\s*")


@dataclass(frozen=True)
class Piece:
    """Part of a prompt with its weight; ``cut``: a new chunk begins here, and there is no text."""

    text: str
    weight: float = 1.0
    cut: bool = False


@dataclass
class PromptChunk:
    """Up to ``CHUNK`` token numbers and the weight of each."""

    numbers: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)

    def add(self, numbers: Sequence[int], weights: Sequence[float]) -> None:
        """Append tokens."""
        self.numbers += numbers
        self.weights += weights

    def split(self, place: int) -> PromptChunk:
        """Keep what stands before ``place``; give the rest."""
        rest = PromptChunk(self.numbers[place:], self.weights[place:])
        del self.numbers[place:], self.weights[place:]
        return rest


@dataclass(frozen=True)
class TextSource:
    """One text encoder of a model.

    tokenize: the token numbers of a text, without start and end. Numbers from ``CLIP_WORDS`` on
    are those of added words; the numbers of one word follow one another and are kept together.
    encode: for chunks of 77 numbers, ((chunks, 77, D), (1, P) of the first or None).
    pad: the number that fills a chunk after its end.
    """

    tokenize: Callable[[str], Sequence[int]]
    encode: Callable[[Sequence[Sequence[int]]], tuple[Tensor, Tensor | None]]
    pad: int = CLIP_END


def encode_prompt(prompt: str, sources: Sequence[TextSource]) -> Conditioning:
    """Conditioning of one prompt, (1, 77 * chunks, D), D being that of all encoders together.

    Emphasis is A1111's "Original": each token's vector is multiplied by its weight, then all of a
    chunk so that their mean is what it was. pooled: the last that an encoder gives, as it gives it.
    """
    pieces = parse_prompt(prompt)
    parts, pooled = [], None
    for source in sources:
        chunks = make_chunks(pieces, source.tokenize)
        vectors, first = source.encode([_framed(chunk.numbers, source.pad) for chunk in chunks])
        weights = torch.tensor([_spread(chunk.weights) for chunk in chunks])
        parts.append(emphasize(vectors, weights.to(vectors)).flatten(0, 1)[None])
        pooled = pooled if first is None else first
    if len({part.shape[1] for part in parts}) > 1:
        raise ValueError("the text encoders cut the prompt into different numbers of chunks")
    return Conditioning(torch.cat(parts, dim=2), pooled)


def parse_prompt(prompt: str) -> list[Piece]:
    """The pieces of a prompt with their weights; neighbours of one weight are joined.

    A bracket that nothing closes reaches to the end, one that nothing opened is text.
    """
    pieces: list[Piece] = []
    opened: dict[str, list[int]] = {"(": [], "[": []}
    for symbol in _SYMBOLS.finditer(prompt):
        text, weight = symbol[0], _number(symbol["weight"])
        if symbol["escaped"] is not None:
            pieces.append(Piece(symbol["escaped"]))
        elif symbol["open"]:
            opened[text].append(len(pieces))
        elif weight is not None and opened["("]:
            _weigh(pieces, opened["("].pop(), weight)
        elif text == ")" and opened["("]:
            _weigh(pieces, opened["("].pop(), _STRONGER)
        elif text == "]" and opened["["]:
            _weigh(pieces, opened["["].pop(), 1 / _STRONGER)
        else:
            pieces += _divided(text)
    for bracket, factor in (("(", _STRONGER), ("[", 1 / _STRONGER)):
        for place in opened[bracket]:
            _weigh(pieces, place, factor)
    return _joined(pieces) or [Piece("")]


def make_chunks(
    pieces: Sequence[Piece], tokenize: Callable[[str], Sequence[int]]
) -> list[PromptChunk]:
    """Token numbers in chunks of at most ``CHUNK``, at least one chunk, which may be empty.

    A chunk that is full is cut after a comma among its last 20 tokens, where there is one.
    """
    done: list[PromptChunk] = []
    chunk, comma = PromptChunk(), -1
    for piece in pieces:
        if piece.cut:
            done.append(chunk)
            chunk, comma = PromptChunk(), -1
        for word in _words(tokenize(piece.text)):
            full = len(chunk.numbers) == CHUNK
            if word[0] == CLIP_COMMA:
                comma = len(chunk.numbers)
            elif full and comma != -1 and CHUNK - comma <= _BACKTRACK:
                rest = chunk.split(comma + 1)
                done.append(chunk)
                chunk, comma = rest, -1
            if len(chunk.numbers) + len(word) > CHUNK:
                done.append(chunk)
                chunk, comma = PromptChunk(), -1
            chunk.add(word, [piece.weight] * len(word))
    if chunk.numbers or not done:
        done.append(chunk)
    return done


def emphasize(vectors: Tensor, weights: Tensor) -> Tensor:
    """Vectors (chunks, T, D) multiplied by weights (chunks, T), then each chunk to its old mean."""
    weighted = vectors * weights[..., None]
    means = vectors.mean(dim=(1, 2), keepdim=True), weighted.mean(dim=(1, 2), keepdim=True)
    return torch.where(means[0] == means[1], weighted, weighted * (means[0] / means[1]))


def _number(text: str | None) -> float | None:
    """What stands between ":" and ")", if it is a number."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _divided(text: str) -> Iterator[Piece]:
    """Text, and a cut at each BREAK in it."""
    for i, part in enumerate(_BREAK.split(text)):
        if i:
            yield Piece("", cut=True)
        yield Piece(part)


def _weigh(pieces: list[Piece], start: int, factor: float) -> None:
    """Multiply the weights of the pieces from ``start`` on."""
    pieces[start:] = [replace(piece, weight=piece.weight * factor) for piece in pieces[start:]]


def _joined(pieces: Sequence[Piece]) -> list[Piece]:
    """Neighbours of one weight as one; what holds neither text nor a cut is left out."""
    joined: list[Piece] = []
    for piece in pieces:
        last = joined[-1] if joined else None
        if piece.cut:
            joined.append(Piece("", cut=True))
        elif last is not None and not last.cut and last.weight == piece.weight:
            joined[-1] = Piece(last.text + piece.text, piece.weight)
        elif piece.text:
            joined.append(piece)
    return joined


def _words(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    """Token numbers one by one; those of an added word together, as far as a chunk holds them."""
    word: list[int] = []
    for number in numbers:
        follows = bool(word) and number == word[-1] + 1 and number > CLIP_WORDS
        if not follows or word[-1] < CLIP_WORDS or len(word) == CHUNK:
            if word:
                yield word
            word = []
        word.append(number)
    if word:
        yield word


def _framed(numbers: Sequence[int], pad: int) -> list[int]:
    """A chunk between start and end, filled to 77."""
    ended = [CLIP_START, *numbers, CLIP_END]
    return ended + [pad] * (CHUNK + 2 - len(ended))


def _spread(weights: Sequence[float]) -> list[float]:
    """A weight for each of the 77 places."""
    return [1.0, *weights, *[1.0] * (CHUNK + 1 - len(weights))]
