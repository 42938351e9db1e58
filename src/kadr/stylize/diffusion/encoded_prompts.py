"""A run's prompts in, what a model's text encoders make of them out."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from kadr.stylize.diffusion.model.model import Model
from kadr.stylize.diffusion.options import DiffusionOptions
from kadr.stylize.diffusion.prompt.parse import TextSource, encode_prompt
from kadr.stylize.diffusion.sampling.guidance import Conditioning
from kadr.stylize.diffusion.sampling.img2img import Prompts
from kadr.stylize.layout.sizes import Size


class EncodedPrompts:
    """The four prompts of a run; encoded once for each size, as SDXL is told the size as well."""

    def __init__(self, model: Model, options: DiffusionOptions) -> None:
        self._model, self._options = model, options
        self._known: dict[tuple[Size, torch.dtype], Prompts] = {}

    def of_size(self, size: Size) -> Prompts:
        """The prompts for pictures of ``size`` (width, height)."""
        # in another precision they are encoded anew: what overflowed must not stay
        known = size, self._model.dtype
        if known not in self._known:
            chosen = self._options
            given = bool(chosen.original_prompt or chosen.original_negative_prompt)
            self._known[known] = Prompts(
                self._encoded(chosen.prompt, size),
                self._encoded(chosen.negative_prompt, size, negative=True),
                self._encoded(chosen.original_prompt, size) if given else None,
                self._encoded(chosen.original_negative_prompt, size, negative=True)
                if given
                else None,
            )
        return self._known[known]

    def _encoded(self, text: str, size: Size, *, negative: bool = False) -> Conditioning:
        model, skip = self._model, self._options.clip_skip

        def encoder(place: int) -> Callable[..., tuple[Tensor, Tensor | None]]:
            return lambda chunks: model.encode_text(place, chunks, skip)

        sources = [
            TextSource(part.tokenizer, encoder(place), part.pad)
            for place, part in enumerate(model.networks.encoders)
        ]
        made = encode_prompt(text, sources)
        if negative and model.networks.zero_empty and not text.strip():
            pooled = None if made.pooled is None else torch.zeros_like(made.pooled)
            made = Conditioning(torch.zeros_like(made.crossattn), pooled)
        if not model.is_xl:
            return Conditioning(made.crossattn)
        # as large as it is, nothing cut off, to be this large
        ids = torch.tensor([[size[1], size[0], 0, 0, size[1], size[0]]], dtype=torch.float32)
        return Conditioning(made.crossattn, made.pooled, ids.to(made.crossattn.device))
