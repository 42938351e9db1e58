"""Attention across frames equals the plain formula; without it nothing changes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from kadr.stylize.diffusion.sampling.guidance import Conditioning
from kadr.stylize.diffusion.temporal.attention import AttentionReference, FrameAttention

CPU = torch.device("cpu")


class _Attention(torch.nn.Module):
    """One self-attention with the names that diffusers' processors use."""

    def __init__(self) -> None:
        super().__init__()
        self.to_q, self.to_k, self.to_v = (torch.nn.Linear(6, 6) for _ in range(3))
        self.processor: Callable[..., Tensor] = _plain

    def forward(self, hidden: Tensor) -> Tensor:
        return self.processor(self, hidden)


def _plain(attn: _Attention, hidden: Tensor, others: Tensor | None = None, mask=None) -> Tensor:
    others = hidden if others is None else others
    return functional.scaled_dot_product_attention(
        attn.to_q(hidden), attn.to_k(others), attn.to_v(others)
    )


class _Network(torch.nn.Module):
    """Two self-attentions over the places of a latent of 6 channels; prompts are added."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.ModuleList([_Attention(), _Attention()])

    @property
    def attn_processors(self) -> dict:
        # named in another order than they run
        return {f"{i}.attn1.processor": self.layers[i].processor for i in (1, 0)} | {
            "0.attn2.processor": None
        }

    def set_attn_processor(self, processors: dict) -> None:
        assert processors["0.attn2.processor"] is None
        for i in (0, 1):
            self.layers[i].processor = processors[f"{i}.attn1.processor"]

    def eps(self, x: Tensor, sigma: float, conditioning: Conditioning) -> Tensor:
        places = x.flatten(2).transpose(1, 2) + conditioning.crossattn[:, :1, :6]
        for layer in self.layers:
            places = places + layer(places)
        return places.transpose(1, 2).reshape(x.shape)


@pytest.fixture
def network() -> _Network:
    torch.manual_seed(0)
    return _Network().requires_grad_(False)


def _latents(count: int, seed: int = 1) -> Tensor:
    return torch.randn(count, 6, 3, 4, generator=torch.Generator().manual_seed(seed))


def _prompts(values: list[float]) -> Conditioning:
    return Conditioning(torch.tensor(values)[:, None, None].expand(-1, 2, 6))


def _formula(network: _Network, frames: list[Tensor], others: list[list[Tensor]]) -> list[Tensor]:
    """Each frame with what it looks at, layer by layer, one by one; (T, 6) places each."""
    layers = list(network.layers)
    for layer in layers:
        seen = [[*group] for group in others]
        frames, others = (
            [
                frame + _plain(layer, frame[None], torch.cat([frame, *looks])[None])[0]
                for frame, looks in zip(frames, seen, strict=True)
            ],
            [[look + _plain(layer, look[None])[0] for look in looks] for looks in seen],
        )
    return frames


def _places(x: Tensor) -> Tensor:
    return x.flatten(1).T


def test_nothing_changes_without_references(network: _Network) -> None:
    x, prompts = _latents(4), _prompts([0, 1, 0, 1])
    before = network.eps(x, 1.0, prompts)
    frames = FrameAttention(network, CPU)
    assert torch.equal(network.eps(x, 1.0, prompts), before)
    assert frames.attend(network.eps, 1, [], shared=True) == network.eps
    shared = frames.attend(network.eps, 4, [], shared=True)(x, 1.0, prompts)
    assert not torch.allclose(shared, before, atol=1e-3)
    assert torch.equal(network.eps(x, 1.0, prompts), before)


def test_references_are_looked_at_with_noise_and_the_same_prompt(network: _Network) -> None:
    x = _latents(2)
    twice, prompts = torch.cat([x, x]), _prompts([0.5, 0.5, -1, -1])
    frames = FrameAttention(network, CPU)
    clean, noise = _latents(2, 2), _latents(2, 3)
    references = [
        AttentionReference(clean[:1], noise[:1], network.eps, "anchor"),
        AttentionReference(clean[1:], noise[1:], network.eps),
    ]
    made = frames.attend(network.eps, 2, references, shared=False)(twice, 0.7, prompts)
    for place in range(4):
        shift = 0.5 if place < 2 else -1
        looks = [_places(clean[i] + 0.7 * noise[i]) + shift for i in range(2)]
        (wanted,) = _formula(network, [_places(twice[place]) + shift], [looks])
        assert torch.allclose(_places(made[place]), wanted, atol=1e-5)


def test_frames_of_a_batch_see_each_other_and_the_reference(network: _Network) -> None:
    x = _latents(3)
    twice, prompts = torch.cat([x, x]), _prompts([0.2] * 3 + [0.9] * 3)
    frames = FrameAttention(network, CPU)
    anchor, noise = _latents(1, 4), _latents(1, 5)
    eps = frames.attend(
        network.eps, 3, [AttentionReference(anchor, noise, network.eps, "a")], shared=True
    )
    made = eps(twice, 0.3, prompts)
    for copy, shift in enumerate((0.2, 0.9)):
        own = torch.cat([_places(frame) + shift for frame in x])
        look = _places(anchor[0] + 0.3 * noise[0]) + shift
        (wanted,) = _formula(network, [own], [[look]])
        parts = torch.cat([_places(frame) for frame in made[3 * copy : 3 * copy + 3]])
        assert torch.allclose(parts, wanted, atol=1e-5)


def test_an_anchor_runs_once_a_noise_level_and_prompt_and_memory_is_bounded(
    network: _Network,
) -> None:
    runs: list[tuple[float, float]] = []

    def watched(x: Tensor, sigma: float, conditioning: Conditioning) -> Tensor:
        runs.append((sigma, float(conditioning.crossattn[0, 0, 0])))
        return network.eps(x, sigma, conditioning)

    frames = FrameAttention(network, CPU)
    anchor = AttentionReference(_latents(1, 4), _latents(1, 5), watched, "a")
    first = frames.attend(network.eps, 1, [anchor], shared=False)
    both = torch.cat([_latents(1)] * 2)
    results = [first(both, sigma, _prompts([1, 2])) for sigma in (2.0, 1.0, 2.0, 1.0)]
    assert runs == [(2.0, 1.0), (2.0, 2.0), (1.0, 1.0), (1.0, 2.0)]
    assert torch.equal(results[0], results[2])
    frames._max_cache_bytes = 2000.0  # three of 2 layers × 12 places × 6 channels × 4 bytes
    for sigma in (3.0, 4.0, 5.0):
        first(both, sigma, _prompts([1, 2]))
    assert len(frames._cache) == 3
    runs.clear()
    assert torch.equal(first(both, 2.0, _prompts([1, 2])), results[0])
    assert len(runs) == 2


def test_after_an_error_frames_look_at_themselves_again(network: _Network) -> None:
    x, prompts = _latents(2), _prompts([0, 0])
    frames = FrameAttention(network, CPU)
    before = network.eps(x, 1.0, prompts)

    def fails(x: Tensor, sigma: float, conditioning: Conditioning) -> Tensor:
        raise RuntimeError("out of memory")

    broken = AttentionReference(_latents(1), _latents(1), fails, None)
    for eps, references in ((fails, []), (network.eps, [broken])):
        with pytest.raises(RuntimeError, match="out of memory"):
            frames.attend(eps, 2, references, shared=True)(x, 1.0, prompts)
        assert torch.equal(network.eps(x, 1.0, prompts), before)
