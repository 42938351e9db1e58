"""A network and pictures to look at in, noise estimates in which frames see one another out.

Self-attention lets each place of a picture look at all its other places. Here it may look at other
pictures too: at those of its batch, and at references, finished ones with as much noise added as
the frame has at that step. What is alike in them then comes out alike.
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

Layers = dict[int, Tensor]
"""Self-attention by its number → what it was given, (1, T, C) for T places."""

_SHARE = 0.25
"""Part of a card's free memory that references may keep."""

_MOST = 1e9
"""Bytes that they may keep elsewhere."""


@dataclass(frozen=True, eq=False)
class AttentionReference:
    """A finished picture that frames look at.

    latent, noise: (1, 4, h, w). eps: the network as it sees this picture.
    key: names picture and noise; None for one that only one frame looks at.
    """

    latent: Tensor
    noise: Tensor
    eps: Eps
    key: str | None = None


class FrameAttention:
    """Lets frames of a network look at one another; as before wherever it is not asked to.

    Not for two threads at once.
    """

    def __init__(self, unet: Any, device: torch.device) -> None:
        self._record: Layers | None = None
        self._seen: list[Layers] | None = None
        self._count, self._shared = 1, False
        self._texts: list[Tensor] = []
        self._kept: OrderedDict[tuple[str, float, int], Layers] = OrderedDict()
        self._most = _MOST
        if device.type == "cuda":
            self._most = _SHARE * float(torch.cuda.mem_get_info(device)[0])
        processors = dict(unet.attn_processors)
        own = [name for name in processors if name.endswith("attn1.processor")]
        for layer, name in enumerate(own):
            processors[name] = _Layer(self, processors[name], layer)
        unet.set_attn_processor(processors)

    def attend(
        self, eps: Eps, count: int, references: Sequence[AttentionReference], shared: bool
    ) -> Eps:
        """``eps`` for ``count`` frames that look at references and, if ``shared``, at each other.

        References see themselves alone, with the same prompts as the frames.
        """
        if not references and not (shared and count > 1):
            return eps

        def attending(x: Tensor, sigma: float, conditioning: Conditioning) -> Tensor:
            # the batch may hold the frames several times, for several prompts
            firsts = [_row(conditioning, place) for place in range(0, len(x), count)]
            seen = [
                _joined([self._look(item, sigma, first) for item in references]) for first in firsts
            ]
            with self._seeing(seen, count, shared):
                return eps(x, sigma, conditioning)

        return attending

    def _look(
        self, reference: AttentionReference, sigma: float, conditioning: Conditioning
    ) -> Layers:
        """What a reference has in each layer at a noise level, (1, T, C) each."""
        if reference.key is None:
            return self._run(reference, sigma, conditioning)
        key = (reference.key, sigma, self._text(conditioning.crossattn))
        found = self._kept.pop(key, None)
        layers = self._run(reference, sigma, conditioning) if found is None else found
        self._kept[key] = layers
        while len(self._kept) > 1 and self._bytes() > self._most:
            self._kept.popitem(last=False)
        return layers

    def _run(
        self, reference: AttentionReference, sigma: float, conditioning: Conditioning
    ) -> Layers:
        self._record = {}
        try:
            reference.eps(reference.latent + reference.noise * sigma, sigma, conditioning)
            return self._record
        finally:
            self._record = None

    def _text(self, text: Tensor) -> int:
        """A number for a prompt, the same for the same."""
        for place, known in enumerate(self._texts):
            if known.shape == text.shape and torch.equal(known, text):
                return place
        self._texts.append(text.clone())
        return len(self._texts) - 1

    def _bytes(self) -> float:
        kept = (value for layers in self._kept.values() for value in layers.values())
        return float(sum(value.numel() * value.element_size() for value in kept))

    @contextmanager
    def _seeing(self, seen: list[Layers], count: int, shared: bool) -> Iterator[None]:
        self._seen, self._count, self._shared = seen, count, shared
        try:
            yield
        finally:
            self._seen = None

    def widen(self, hidden: Tensor, layer: int) -> tuple[Tensor, Tensor | None]:
        """What a layer's places are and what they look at, for (N, T, C) values of N frames.

        Frames of a batch that see each other become one long row of places.
        """
        if self._record is not None:
            self._record[layer] = hidden
            return hidden, None
        if self._seen is None:
            return hidden, None
        length = self._count if self._shared else 1
        rows = hidden.reshape(len(hidden) // length, length * hidden.shape[1], hidden.shape[2])
        others = [
            layers[layer].expand(self._count // length, -1, -1) for layers in self._seen if layers
        ]
        if not others:
            return rows, None
        return rows, torch.cat([rows, torch.cat(others)], dim=1)


class _Layer:
    """One self-attention, run by the processor that the network had."""

    def __init__(self, frames: FrameAttention, before: Any, layer: int) -> None:
        self._frames, self._before, self._layer = frames, before, layer

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        **more: Any,
    ) -> Tensor:
        rows, looked_at = self._frames.widen(hidden_states, self._layer)
        made: Tensor = self._before(attn, rows, looked_at, attention_mask, **more)
        return made.reshape(hidden_states.shape)


def _row(conditioning: Conditioning, place: int) -> Conditioning:
    """The prompt of one image of a batch."""
    own = slice(place, place + 1)
    return Conditioning(
        conditioning.crossattn[own],
        None if conditioning.pooled is None else conditioning.pooled[own],
        None if conditioning.time_ids is None else conditioning.time_ids[own],
    )


def _joined(references: Sequence[Layers]) -> Layers:
    """Several references' layers, one after another along their places."""
    if len(references) < 2:
        return references[0] if references else {}
    layers = references[0].keys()
    return {layer: torch.cat([seen[layer] for seen in references], dim=1) for layer in layers}
