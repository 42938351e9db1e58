"""Chunks of token numbers in, the vectors of a model's text encoder out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from kadr.errors import OptionsError
from kadr.stylize.diffusion.prompt.tokenizer import END, START, VOCABULARY, Tokenizer


class TextEncoder:
    """One CLIP text encoder with its tokenizer.

    network: CLIPTextModel, or CLIPTextModelWithProjection where ``projects``.
    pad: the token number that fills a chunk after its end.
    penultimate: use the last but one layer without the last norm, as SDXL does.
    projects: whether it also returns a pooled vector.
    """

    def __init__(
        self,
        network: Any,
        tokenizer: Tokenizer,
        *,
        pad: int,
        penultimate: bool = False,
        projects: bool = False,
    ) -> None:
        self.network, self.tokenizer, self.pad = network, tokenizer, pad
        self.penultimate, self.projects = penultimate, projects

    @property
    def width(self) -> int:
        """The length of the vector for each token."""
        return int(self.network.config.hidden_size)

    @torch.inference_mode()
    def encode(
        self,
        chunks: Sequence[Sequence[int]],
        *,
        clip_skip: int = 1,
        device: torch.device | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Encode to ((chunks, T, width) float32, (1, P) float32 of the first chunk or None).

        chunks: of equal length, with start and end. clip_skip: 1 uses the last layer, 2 the one
        before it and so on, then the last norm; SDXL always uses its own layer and ignores this.
        device: where it runs, if its weights are offloaded; None: where the weights are.
        Raises OptionsError for a clip_skip larger than the number of layers.
        """
        layers = int(self.network.config.num_hidden_layers)
        if not 1 <= clip_skip <= layers:
            raise OptionsError(f"clip_skip {clip_skip}: expected 1 to {layers}")
        numbers = torch.tensor([list(chunk) for chunk in chunks], device=device or self.device)
        output = self.network(input_ids=numbers, output_hidden_states=True)
        hidden = output.hidden_states
        if self.penultimate:
            tokens = hidden[-2]
        else:
            tokens = self._apply_norm(hidden[-clip_skip])
        pooled = self._pool_text(hidden[-1], numbers) if self.projects else None
        return tokens.float(), pooled

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        device: torch.device = self._embedding.weight.device
        return device

    def add_word(self, word: str, vectors: Tensor) -> None:
        """Add a word that stands for new tokens with these embeddings, (count, width).

        Raises OptionsError for vectors of another family of models.
        """
        if vectors.ndim != 2 or vectors.shape[1] != self.width:
            raise OptionsError(
                f"embedding {word!r}: its vectors are {vectors.shape[-1]} wide, this model's text "
                f"encoder takes {self.width}; it was made for another family of models"
            )
        table = self._embedding
        first_number = table.weight.shape[0]
        joined = torch.cat([table.weight.data, vectors.to(table.weight)])
        table.weight = torch.nn.Parameter(joined, requires_grad=False)
        table.num_embeddings = len(joined)
        assert first_number >= VOCABULARY
        self.tokenizer.added[word.lower()] = tuple(range(first_number, len(joined)))

    def _pool_text(self, last: Tensor, numbers: Tensor) -> Tensor:
        """The projected vector of the first end token of the first chunk.

        The search compares with END, as added tokens have higher numbers.
        """
        end = int((numbers[0] == END).int().argmax())
        pooled: Tensor = self.network.text_projection(self._apply_norm(last[:1])[:, end])
        return pooled.float()

    @property
    def _inner(self) -> Any:
        return getattr(self.network, "text_model", self.network)

    @property
    def _embedding(self) -> Any:
        return self._inner.embeddings.token_embedding

    def _apply_norm(self, hidden: Tensor) -> Tensor:
        normed: Tensor = self._inner.final_layer_norm(hidden)
        return normed


def pad_chunk(numbers: Sequence[int], pad: int, length: int = 75) -> list[int]:
    """Put up to ``length`` token numbers between start and end, and fill the rest with ``pad``."""
    chunk = [START, *numbers, END]
    return chunk + [pad] * (length + 2 - len(chunk))
