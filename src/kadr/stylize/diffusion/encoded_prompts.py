"""The prompts of a run in, the conditioning that a model's text encoders make of them out."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from kadr.stylize.diffusion.model.model import Model
from kadr.stylize.diffusion.options import DiffusionOptions
from kadr.stylize.diffusion.prompt.parse import PromptEncoder, encode_prompt
from kadr.stylize.diffusion.sampling.guidance import Conditioning
from kadr.stylize.diffusion.sampling.img2img import Prompts
from kadr.stylize.layout.sizes import Size


class EncodedPrompts:
    """The four prompts of a run, encoded once for each image size, as SDXL depends on the size."""

    def __init__(self, model: Model, options: DiffusionOptions) -> None:
        self._model, self._options = model, options
        self._cache: dict[tuple[Size, torch.dtype], Prompts] = {}

    def for_size(self, size: Size) -> Prompts:
        """The prompts for images of ``size`` (width, height)."""
        # after a change of precision they are encoded again: an overflow must not stay cached
        key = size, self._model.dtype
        if key not in self._cache:
            options = self._options
            original = original_negative = None
            cond = self._encode(options.prompt, size)
            uncond = self._encode(options.negative_prompt, size, negative=True)
            if options.inversion != "none":  # an empty one stays empty, as in A1111
                original = self._encode(options.original_prompt, size)
                original_negative = self._encode(
                    options.original_negative_prompt, size, negative=True
                )
            self._cache[key] = Prompts(cond, uncond, original, original_negative)
        return self._cache[key]

    def _encode(self, text: str, size: Size, *, negative: bool = False) -> Conditioning:
        model, clip_skip = self._model, self._options.clip_skip

        def encoder_function(index: int) -> Callable[..., tuple[Tensor, Tensor | None]]:
            return lambda chunks: model.encode_text(index, chunks, clip_skip)

        encoders = [
            PromptEncoder(encoder.tokenizer, encoder_function(index), encoder.pad)
            for index, encoder in enumerate(model.networks.encoders)
        ]
        encoded = encode_prompt(text, encoders)
        if negative and model.networks.zero_empty and not text.strip():
            pooled = None if encoded.pooled is None else torch.zeros_like(encoded.pooled)
            encoded = Conditioning(torch.zeros_like(encoded.crossattn), pooled)
        if not model.is_xl:
            return Conditioning(encoded.crossattn)
        # original size, top-left corner of the crop, target size; each as (height, width)
        ids = torch.tensor([[size[1], size[0], 0, 0, size[1], size[0]]], dtype=torch.float32)
        return Conditioning(encoded.crossattn, encoded.pooled, ids.to(encoded.crossattn.device))
