"""The parts of a layer's change in, the change of its weight out.

The kinds of change, their names and scales are those of LyCORIS, as A1111 reads them: LoRA and
LoCon (Hu et al. 2021), LoHa (Hyeon-Woo et al. 2021, FedPara), LoKr (Yeh et al. 2023), full
differences, and DoRA (Liu et al. 2024) on top of each. With ``W`` the weight of a layer, flattened
to two axes, ``∘`` the product of elements and ``⊗`` Kronecker's:

- LoRA: ``up · down``; with ``mid``, a convolution between them (CP decomposition)
- LoHa: ``(w1_a · w1_b) ∘ (w2_a · w2_b)``
- LoKr: ``w1 ⊗ w2``, each of them whole or a product
- scale: ``alpha / rank`` if there are both, else 1
- DoRA: ``m · (W + change) / ‖W + change‖ - W``, the norm over the axis that ``m`` does not have
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

Parts = Mapping[str, Tensor]


class UnfitPartsError(Exception):
    """The parts of a change are incomplete, or do not have the sizes of the layer."""


@dataclass(frozen=True, eq=False)
class Change:
    """What is added to a layer: weight, in its shape and float32, and bias; None: nothing."""

    weight: Tensor | None
    bias: Tensor | None


def compute_change(parts: Parts, weight: Tensor, alpha: float | None = None) -> Change:
    """The whole change of a layer, at a weight of 1.

    weight: that of the layer before the change. alpha: used where the parts have none.
    Raises UnfitPartsError.
    """
    if "alpha" in parts:
        alpha = float(parts["alpha"].float().mean())
    values = {name: value.float() for name, value in parts.items()}
    difference, rank = _difference(values, weight)
    if difference is not None:
        if difference.numel() != weight.numel():
            raise UnfitPartsError(_sizes(weight, "change", difference))
        if alpha is not None and rank is not None:
            difference = difference * (alpha / rank)
        difference = difference.reshape(weight.shape)
        if "dora_scale" in values:
            difference = _decompose(difference, weight.float(), values["dora_scale"])
    return Change(difference, values.get("diff_b", values.get("b_norm")))


def _difference(parts: Parts, weight: Tensor) -> tuple[Tensor | None, int | None]:
    """The change of the weight in two or more axes, and the rank that its scale divides by."""
    try:
        if "up" in parts or "down" in parts:
            return _low_rank(parts), parts["down"].shape[0]
        if any(name.startswith("hada_") for name in parts):
            product = _hadamard(parts, 1) * _hadamard(parts, 2)
            return product, parts["hada_w1_b"].shape[0]
        if any(name.startswith("lokr_") for name in parts):
            ranks = [parts[name].shape[0] for name in ("lokr_w2_b", "lokr_w1_b") if name in parts]
            first, second = _factor(parts, 1), _factor(parts, 2)
            return torch.kron(first, second), ranks[0] if ranks else None
    except KeyError as error:
        raise UnfitPartsError(f"lacks {error.args[0]}") from error
    except RuntimeError as error:
        reason = str(error).split("\n")[0]
        raise UnfitPartsError(f"the sizes of its parts differ: {reason}") from error
    return parts.get("diff", parts.get("w_norm")), None


def _low_rank(parts: Parts) -> Tensor:
    up, down = parts["up"].flatten(1), parts["down"].flatten(1)
    if "mid" in parts:
        return torch.einsum("nmkl,in,mj->ijkl", parts["mid"], up, down)
    return up @ down


def _hadamard(parts: Parts, number: int) -> Tensor:
    """One of both products of LoHa, flattened to two axes."""
    first, second = parts[f"hada_w{number}_a"], parts[f"hada_w{number}_b"]
    core = parts.get(f"hada_t{number}")
    return first @ second.flatten(1) if core is None else _tucker(core, first, second)


def _factor(parts: Parts, number: int) -> Tensor:
    """One of both factors of LoKr, flattened to two axes."""
    whole = parts.get(f"lokr_w{number}")
    if whole is not None:
        return whole.flatten(1)
    first, second = parts[f"lokr_w{number}_a"], parts[f"lokr_w{number}_b"]
    core = parts.get(f"lokr_t{number}")
    return first @ second.flatten(1) if core is None else _tucker(core, first, second)


def _tucker(core: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """A convolution of (rank, rank, k, k) between two matrices (rank, out) and (rank, in)."""
    return torch.einsum("ijkl,ip,jr->prkl", core, first, second).flatten(1)


def _decompose(difference: Tensor, weight: Tensor, magnitude: Tensor) -> Tensor:
    """DoRA: give each output or each input of the changed weight its learned magnitude."""
    changed = weight + difference
    outputs, inputs = changed.shape[0], math.prod(changed.shape[1:2])
    ones = [1] * (changed.ndim - 2)
    if magnitude.numel() == outputs and magnitude.shape[0] == outputs:
        axes, shape = tuple(range(1, changed.ndim)), (outputs, 1, *ones)
    elif magnitude.numel() == inputs:
        axes, shape = (0, *range(2, changed.ndim)), (1, inputs, *ones)
    else:
        raise UnfitPartsError(_sizes(weight, "dora_scale", magnitude))
    norm = torch.linalg.vector_norm(changed, dim=axes, keepdim=True)
    tiny = torch.finfo(torch.float32).eps
    decomposed: Tensor = changed * (magnitude.reshape(shape) / (norm + tiny)) - weight
    return decomposed


def _sizes(weight: Tensor, name: str, value: Tensor) -> str:
    return f"the weight is {tuple(weight.shape)}, its {name} {tuple(value.shape)}"
