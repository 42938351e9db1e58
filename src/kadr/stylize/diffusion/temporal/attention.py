"""A network and reference images in, noise estimates whose frames attend to one another out.

In self-attention each position of an image attends to all other positions of the same image. Here
it can also attend to other images: to the other frames of its batch, and to references. References
are finished images with as much noise added as the frame has at that step. Content that is similar
in these images then gets a similar look.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kadr.stylize.diffusion.sampling.guidance import Conditioning, Eps

LayerInputs = dict[int, Tensor]
"""Number of a self-attention layer → its input, (1, T, C) for T positions."""

_GPU_MEMORY_SHARE = 0.25
"""Share of a GPU's free memory that the cache of references may use."""

_MAX_CACHE_BYTES = 1e9
"""Size limit of that cache on other devices."""


@dataclass(frozen=True, eq=False)
class AttentionReference:
    """A finished image that frames attend to.

    latent, noise: (1, 4, h, w). eps: the network for this image.
    key: identifies image and noise in the cache; None: do not cache, as only one frame uses it.
    """

    latent: Tensor
    noise: Tensor
    eps: Eps
    key: str | None = None


class FrameAttention:
    """Extends a network's self-attention to other frames; outside ``attend`` nothing changes.

    Not thread-safe.
    """

    def __init__(self, unet: Any, device: torch.device) -> None:
        self._recording: LayerInputs | None = None
        self._references: list[LayerInputs] | None = None
        self._frame_count, self._shared = 1, False
        self._texts: list[Tensor] = []
        self._cache: OrderedDict[tuple[str, float, int], LayerInputs] = OrderedDict()
        self._max_cache_bytes = _MAX_CACHE_BYTES
        if device.type == "cuda":
            self._max_cache_bytes = _GPU_MEMORY_SHARE * float(torch.cuda.mem_get_info(device)[0])
        processors = dict(unet.attn_processors)
        self_attention = [name for name in processors if name.endswith("attn1.processor")]
        for layer, name in enumerate(self_attention):
            processors[name] = _AttentionProcessor(self, processors[name], layer)
        unet.set_attn_processor(processors)

    def attend(
        self, eps: Eps, count: int, references: Sequence[AttentionReference], shared: bool
    ) -> Eps:
        """``eps`` for ``count`` frames that attend to references and, if ``shared``, to each other.

        References attend to themselves only, with the same prompts as the frames.
        """
        if not references and not (shared and count > 1):
            return eps

        def attending(x: Tensor, sigma: float, conditioning: Conditioning) -> Tensor:
            # the batch may hold the frames several times, for several prompts
            prompts = [_select(conditioning, index) for index in range(0, len(x), count)]
            layer_inputs = [
                _concatenate(
                    [self._layer_inputs(reference, sigma, prompt) for reference in references]
                )
                for prompt in prompts
            ]
            with self._attending_to(layer_inputs, count, shared):
                return eps(x, sigma, conditioning)

        return attending

    def _layer_inputs(
        self, reference: AttentionReference, sigma: float, conditioning: Conditioning
    ) -> LayerInputs:
        """The inputs of all layers for a reference at a noise level, (1, T, C) each; cached."""
        if reference.key is None:
            return self._record(reference, sigma, conditioning)
        key = (reference.key, sigma, self._text_number(conditioning.crossattn))
        cached = self._cache.pop(key, None)
        layers = self._record(reference, sigma, conditioning) if cached is None else cached
        self._cache[key] = layers
        while len(self._cache) > 1 and self._cache_bytes() > self._max_cache_bytes:
            self._cache.popitem(last=False)
        return layers

    def _record(
        self, reference: AttentionReference, sigma: float, conditioning: Conditioning
    ) -> LayerInputs:
        self._recording = {}
        try:
            reference.eps(reference.latent + reference.noise * sigma, sigma, conditioning)
            return self._recording
        finally:
            self._recording = None

    def _text_number(self, text: Tensor) -> int:
        """A number that identifies an encoded prompt."""
        for number, cached in enumerate(self._texts):
            if cached.shape == text.shape and torch.equal(cached, text):
                return number
        self._texts.append(text.clone())
        return len(self._texts) - 1

    def _cache_bytes(self) -> float:
        tensors = (tensor for layers in self._cache.values() for tensor in layers.values())
        return float(sum(tensor.numel() * tensor.element_size() for tensor in tensors))

    @contextmanager
    def _attending_to(
        self, references: list[LayerInputs], count: int, shared: bool
    ) -> Iterator[None]:
        self._references, self._frame_count, self._shared = references, count, shared
        try:
            yield
        finally:
            self._references = None

    def extend(self, hidden: Tensor, layer: int) -> tuple[Tensor, Tensor | None]:
        """Queries of a layer, and what they attend to, for (N, T, C) values of N frames.

        Frames of a batch that attend to each other become one long row of positions. The second
        value is None where each row attends to itself.
        """
        if self._recording is not None:
            self._recording[layer] = hidden
            return hidden, None
        if self._references is None:
            return hidden, None
        frames_per_row = self._frame_count if self._shared else 1
        row_count = len(hidden) // frames_per_row
        rows = hidden.reshape(row_count, frames_per_row * hidden.shape[1], hidden.shape[2])
        rows_per_prompt = self._frame_count // frames_per_row
        references = [
            layers[layer].expand(rows_per_prompt, -1, -1) for layers in self._references if layers
        ]
        if not references:
            return rows, None
        return rows, torch.cat([rows, torch.cat(references)], dim=1)


class _AttentionProcessor:
    """One self-attention layer; runs the processor that the network had before."""

    def __init__(self, attention: FrameAttention, processor: Any, layer: int) -> None:
        self._attention, self._processor, self._layer = attention, processor, layer

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        **options: Any,
    ) -> Tensor:
        queries, keys = self._attention.extend(hidden_states, self._layer)
        output: Tensor = self._processor(attn, queries, keys, attention_mask, **options)
        return output.reshape(hidden_states.shape)


def _select(conditioning: Conditioning, index: int) -> Conditioning:
    """The prompt of one image of a batch."""
    row = slice(index, index + 1)
    return Conditioning(
        conditioning.crossattn[row],
        None if conditioning.pooled is None else conditioning.pooled[row],
        None if conditioning.time_ids is None else conditioning.time_ids[row],
    )


def _concatenate(references: Sequence[LayerInputs]) -> LayerInputs:
    """Join the layer inputs of several references along their positions."""
    if len(references) < 2:
        return references[0] if references else {}
    layers = references[0].keys()
    return {
        layer: torch.cat([reference[layer] for reference in references], dim=1) for layer in layers
    }
