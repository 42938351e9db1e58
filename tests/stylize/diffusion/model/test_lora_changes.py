"""Changes of all kinds against their formulas, written with loops, and against PEFT."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from peft import LoHaConfig, LoKrConfig, LoraConfig, inject_adapter_in_model
from torch import Tensor, nn

from kadr.stylize.diffusion.model.lora_changes import UnfitPartsError, compute_change
from kadr.stylize.diffusion.model.lora_names import sort_lora


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _weight_change(parts: dict[str, Tensor], weight: Tensor) -> Tensor:
    change = compute_change(parts, weight)
    assert change.weight is not None
    assert change.bias is None
    return change.weight


def test_loha_is_the_product_of_two_products() -> None:
    a, b, c, d = (
        _random(*shape, seed=i) for i, shape in enumerate([(6, 2), (2, 5), (6, 2), (2, 5)])
    )
    parts = {"hada_w1_a": a, "hada_w1_b": b, "hada_w2_a": c, "hada_w2_b": d}
    found = _weight_change(parts | {"alpha": torch.tensor(1.0)}, torch.zeros(6, 5))
    for i, j in product(range(6), range(5)):
        first = sum(a[i, r] * b[r, j] for r in range(2))
        second = sum(c[i, r] * d[r, j] for r in range(2))
        assert float(found[i, j]) == pytest.approx(float(first * second) / 2, abs=1e-5)


@pytest.mark.parametrize("alpha", [None, 3.0])
def test_lokr_is_the_product_of_kronecker(alpha: float | None) -> None:
    first, a, b = _random(2, 3), _random(4, 2, seed=1), _random(2, 5, seed=2)
    parts = {"lokr_w1": first, "lokr_w2_a": a, "lokr_w2_b": b}
    if alpha is not None:
        parts["alpha"] = torch.tensor(alpha)
    found = _weight_change(parts, torch.zeros(8, 15))
    second = a @ b
    for i, j, k, m in product(range(2), range(3), range(4), range(5)):
        expected = float(first[i, j] * second[k, m]) * (1 if alpha is None else alpha / 2)
        assert float(found[4 * i + k, 5 * j + m]) == pytest.approx(expected, abs=1e-5)
    whole = {"lokr_w1": first, "lokr_w2": second, "alpha": torch.tensor(9.0)}
    torch.testing.assert_close(_weight_change(whole, torch.zeros(8, 15)), torch.kron(first, second))


def test_lokr_of_a_convolution() -> None:
    first, second = _random(2, 3), _random(4, 2, 3, 3, seed=1)
    parts = {"lokr_w1": first, "lokr_w2": second}
    found = _weight_change(parts, torch.zeros(8, 6, 3, 3))
    expected = torch.kron(first[:, :, None, None], second)
    torch.testing.assert_close(found, expected)


def test_lora_with_a_convolution_between() -> None:
    up, down, mid = _random(6, 2, 1, 1), _random(2, 5, 1, 1, seed=1), _random(2, 2, 3, 3, seed=2)
    parts = {"up": up, "down": down, "mid": mid, "alpha": torch.tensor(1.0)}
    found = _weight_change(parts, torch.zeros(6, 5, 3, 3))
    for i, j in product(range(6), range(5)):
        pairs = product(range(2), repeat=2)
        terms = [up[i, r, 0, 0] * down[s, j, 0, 0] * mid[r, s] for r, s in pairs]
        torch.testing.assert_close(found[i, j], sum(terms) / 2)


@pytest.mark.parametrize("side", ["outputs", "inputs"])
@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 3, 3), (6, 6)])
def test_dora_gives_its_magnitudes(side: str, shape: tuple[int, ...]) -> None:
    weight = _random(*shape)
    out, into = shape[:2]
    ones = [1] * (len(shape) - 2)
    size = (out, 1, *ones) if side == "outputs" else (1, into, *ones)
    magnitude = _random(*size, seed=1).abs() + 0.1
    inner = weight[0].numel()
    parts = {"up": _random(out, 2, seed=2), "down": _random(2, inner, seed=3)}
    plain = weight + _weight_change(parts, weight)
    changed = weight + _weight_change(parts | {"dora_scale": magnitude}, weight)
    axis = 0 if side == "outputs" else 1
    for index in range(shape[axis]):
        one, direction = changed.select(axis, index), plain.select(axis, index)
        expected = direction / direction.norm() * magnitude.flatten()[index]
        torch.testing.assert_close(one, expected, rtol=1e-4, atol=1e-5)


def _linear() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8))


def _convolution() -> nn.Module:
    return nn.Sequential(nn.Conv2d(6, 8, 3))


@pytest.mark.parametrize(
    ("make", "config"),
    [
        (_linear, LoHaConfig(r=3, alpha=2, init_weights=False)),
        (_convolution, LoHaConfig(r=3, alpha=2, init_weights=False)),
        (_convolution, LoHaConfig(r=3, alpha=2, init_weights=False, use_effective_conv2d=True)),
        (_linear, LoKrConfig(r=1, alpha=2, init_weights=False, decompose_both=True)),
        (_convolution, LoKrConfig(r=1, alpha=2, init_weights=False)),
        (_convolution, LoKrConfig(r=1, alpha=2, init_weights=False, use_effective_conv2d=True)),
        (_linear, LoraConfig(r=3, lora_alpha=2, init_lora_weights=False)),
        (_convolution, LoraConfig(r=3, lora_alpha=2, init_lora_weights=False)),
        (_linear, LoraConfig(r=3, lora_alpha=2, init_lora_weights=False, use_dora=True)),
    ],
)
def test_a_change_is_that_of_peft(make, config) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        network = make()
        weight = network[0].weight.detach().clone()
        config.target_modules = ["0"]
        network = inject_adapter_in_model(config, network)
        for name, value in network.named_parameters():
            if "magnitude" in name:
                value.data *= 0.5 + torch.rand_like(value)
    stored = {
        name: value.detach().clone()
        for name, value in network.state_dict().items()
        if "base_layer" not in name
    }
    content = sort_lora(stored)
    assert not content.unknown
    assert list(content.changes) == ["0"]
    network[0].merge()
    found = compute_change(content.changes["0"], weight, alpha=2.0).weight
    assert found is not None
    merged = network[0].get_base_layer().weight.detach()
    torch.testing.assert_close(weight + found, merged, rtol=1e-4, atol=1e-5)
    assert float((merged - weight).abs().max()) > 1e-3


def test_full_differences_and_biases() -> None:
    difference, bias = _random(6, 5), _random(6, seed=1)
    change = compute_change({"diff": difference, "diff_b": bias}, torch.zeros(6, 5))
    assert change.weight is not None
    assert change.bias is not None
    assert torch.equal(change.weight, difference)
    assert torch.equal(change.bias, bias)
    norm = compute_change({"w_norm": bias, "b_norm": bias}, torch.ones(6))
    assert norm.weight is not None
    assert torch.equal(norm.weight, bias)
    assert norm.bias is not None


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"up": torch.zeros(6, 2)}, "lacks down"),
        ({"up": torch.zeros(6, 2), "down": torch.zeros(3, 5)}, "sizes of its parts differ"),
        ({"diff": torch.zeros(6, 6)}, r"the weight is \(6, 5\), its change \(6, 6\)"),
        ({"lokr_w1": torch.zeros(2, 5)}, "lacks lokr_w2_a"),
        (
            {"diff": torch.zeros(6, 5), "dora_scale": torch.zeros(7)},
            r"the weight is \(6, 5\), its dora_scale \(7,\)",
        ),
    ],
)
def test_parts_that_do_not_fit(parts: dict[str, Tensor], said: str) -> None:
    with pytest.raises(UnfitPartsError, match=said):
        compute_change(parts, torch.zeros(6, 5))
