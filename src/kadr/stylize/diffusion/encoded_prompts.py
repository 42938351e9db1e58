"""The prompts of a run in, the conditioning that a model's text encoders make of them out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from kadr.stylize.diffusion.model.model import Model
from kadr.stylize.diffusion.options import DiffusionOptions
from kadr.stylize.diffusion.prompt.lora_tags import split_lora_tags
from kadr.stylize.diffusion.prompt.parse import PromptEncoder, encode_texts
from kadr.stylize.diffusion.prompt.schedule import parse_schedule
from kadr.stylize.diffusion.prompt.subprompts import split_subprompts
from kadr.stylize.diffusion.sampling.changing_prompt import JoinedPrompt, PromptSchedule
from kadr.stylize.diffusion.sampling.guidance import Conditioning, Prompt
from kadr.stylize.diffusion.sampling.img2img import Prompts, prompt_steps
from kadr.stylize.diffusion.sampling_settings import create_sampling_settings
from kadr.stylize.layout.sizes import Size


class EncodedPrompts:
    """The four prompts of a run, encoded once for each image size, as SDXL depends on the size."""

    def __init__(self, model: Model, options: DiffusionOptions) -> None:
        self._model, self._options = model, options
        self._steps = prompt_steps(create_sampling_settings(options))
        self._cache: dict[tuple[Size, torch.dtype], Prompts] = {}

    def for_size(self, size: Size) -> Prompts:
        """The prompts for images of ``size`` (width, height)."""
        # after a change of precision they are encoded again: an overflow must not stay cached
        key = size, self._model.dtype
        if key not in self._cache:
            options = self._options
            original = original_negative = None
            cond = self._encode_prompt(options.prompt, size)
            uncond = self._encode_schedule(options.negative_prompt, size, negative=True)
            if options.inversion != "none":  # an empty one stays empty, as in A1111
                original = self._encode([options.original_prompt], size)[0]
                original_negative = self._encode(
                    [options.original_negative_prompt], size, negative=True
                )[0]
            self._cache[key] = Prompts(cond, uncond, original, original_negative)
        return self._cache[key]

    def _encode_prompt(self, prompt: str, size: Size) -> Prompt:
        """A prompt in the whole notation: tags were applied to the model, AND, editing."""
        text, _ = split_lora_tags(prompt)
        subprompts = split_subprompts(text)
        schedules = [
            replace(self._encode_schedule(subprompt.text, size), weight=subprompt.weight)
            for subprompt in subprompts
        ]
        return schedules[0] if len(schedules) == 1 else JoinedPrompt(schedules)

    def _encode_schedule(
        self, prompt: str, size: Size, *, negative: bool = False
    ) -> PromptSchedule:
        """A prompt whose text may change; each of its texts is encoded once."""
        texts = parse_schedule(prompt, self._steps)
        counts = Counter(text for _, text in texts)
        encoded = self._encode(list(counts), size, list(counts.values()), negative=negative)
        by_text = dict(zip(counts, encoded, strict=True))
        return PromptSchedule([(last, by_text[text]) for last, text in texts])

    def _encode(
        self,
        texts: Sequence[str],
        size: Size,
        counts: Sequence[int] | None = None,
        *,
        negative: bool = False,
    ) -> list[Conditioning]:
        """The texts of one prompt; counts: how often each occurs in it."""
        model, clip_skip = self._model, self._options.clip_skip

        def encoder_function(index: int) -> Callable[..., tuple[Tensor, Tensor | None]]:
            return lambda chunks: model.encode_text(index, chunks, clip_skip)

        encoders = [
            PromptEncoder(encoder.tokenizer, encoder_function(index), encoder.pad)
            for index, encoder in enumerate(model.networks.encoders)
        ]
        encoded = encode_texts(texts, encoders, counts)
        if negative and model.networks.zero_empty and not any(text.strip() for text in texts):
            encoded = [_zeros(conditioning) for conditioning in encoded]
        if not model.is_xl:
            return [Conditioning(conditioning.crossattn) for conditioning in encoded]
        # original size, top-left corner of the crop, target size; each as (height, width)
        ids = torch.tensor([[size[1], size[0], 0, 0, size[1], size[0]]], dtype=torch.float32)
        return [
            replace(conditioning, time_ids=ids.to(conditioning.crossattn.device))
            for conditioning in encoded
        ]


def _zeros(conditioning: Conditioning) -> Conditioning:
    pooled = None if conditioning.pooled is None else torch.zeros_like(conditioning.pooled)
    return Conditioning(torch.zeros_like(conditioning.crossattn), pooled)
