"""Seeds in, unit noise out; each image has a stream of its own and does not depend on its batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kadr.errors import OptionsError

Shape = tuple[int, ...]

NOISE_SOURCES = ("cpu", "nv")
"""torch's CPU generator, or the numbers that torch draws on NVIDIA GPUs."""

_MULTIPLIERS = np.array([0xD2511F53, 0xCD9E8D57], np.uint64)
_WEYL = np.array([0x9E3779B9, 0xBB67AE85], np.uint64)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


class NoiseSource(Protocol):
    """A stream of unit noise for a batch of images."""

    def draw(self) -> Tensor:
        """The next (B, *shape) float32 of unit variance, on the run's device."""
        ...


def create_noise(
    source: str,
    seeds: Sequence[int],
    shape: Shape,
    *,
    device: torch.device | str = "cpu",
    reseed: int = 0,
    first: Tensor | None = None,
) -> NoiseSource:
    """Create a noise source with one image for each seed, each of ``shape``, e.g. (4, h, w).

    source: "cpu" or "nv". reseed: "eta noise seed delta" of A1111: unless it is 0, all draws but
    the first come from ``seed + reseed``. first: (B or 1, *shape), replaces the first draw; later
    draws do not change.
    Raises OptionsError for an unknown source.
    """
    if source not in NOISE_SOURCES:
        raise OptionsError(f"noise source {source!r}: expected one of {', '.join(NOISE_SOURCES)}")
    return _BatchNoise(source, tuple(seeds), shape, torch.device(device), reseed, first)


def batch_seeds(seed: int, count: int, *, same: bool = False) -> tuple[int, ...]:
    """Seeds of a batch as in A1111: image i has ``seed + i``; with ``same`` all have ``seed``."""
    return tuple(seed if same else seed + i for i in range(count))


def philox_normal(seed: int, call: int, count: int) -> NDArray[np.float32]:
    """(count,) unit noise as an NVIDIA GPU draws it at the ``call``-th draw after seeding.

    Philox4x32-10 with the seed as key and (call, 0, index, 0) as counter; Box and Muller's sine
    turns its first two words into a normal number. GPUs do this for up to as many numbers as they
    have threads, and all common latents are smaller.
    """
    counter = np.zeros((4, count), np.uint64)
    counter[0] = call
    counter[2] = np.arange(count)
    return philox_normal_at(counter, seed)


def philox_normal_at(counter: NDArray[np.uint64], seed: int) -> NDArray[np.float32]:
    """(N,) unit noise, one number for each of (4, N) counters, which decide it alone."""
    random_words = philox4x32(counter, seed).astype(np.float64)
    radius = (random_words[0] + 0.5) * 2.0**-32
    angle = (random_words[1] + 0.5) * (2 * np.pi * 2.0**-32)
    normal: NDArray[np.float32] = (np.sqrt(-2 * np.log(radius)) * np.sin(angle)).astype(np.float32)
    return normal


def philox4x32(counter: NDArray[np.uint64], key: int) -> NDArray[np.uint32]:
    """Ten rounds of Philox4x32 (Salmon et al. 2011): (4, N) 32-bit counters to (4, N) words.

    key: 64 bits, the lower half is used first; other bits are ignored.
    """
    a, b, c, d = counter
    keys = np.array([key & 0xFFFFFFFF, key >> 32 & 0xFFFFFFFF], np.uint64)
    for _ in range(10):
        first, second = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
        a, b, c, d = (
            second >> _HALF ^ b ^ keys[0],
            second & _LOW,
            first >> _HALF ^ d ^ keys[1],
            first & _LOW,
        )
        keys = keys + _WEYL & _LOW
    return np.stack([a, b, c, d]).astype(np.uint32)


class _Stream:
    """The draws of one image: from torch's generator, or from Philox with a counter."""

    def __init__(self, source: str, seed: int) -> None:
        self._seed, self._call = seed, 0
        self._generator = torch.Generator().manual_seed(seed) if source == "cpu" else None

    def draw(self, shape: Shape) -> Tensor:
        if self._generator is not None:
            return torch.randn(shape, generator=self._generator)
        noise = philox_normal(self._seed, self._call, int(np.prod(shape)))
        self._call += 1
        return torch.from_numpy(noise).reshape(shape)


class _BatchNoise:
    """The stacked draws of one stream for each seed."""

    def __init__(
        self,
        source: str,
        seeds: tuple[int, ...],
        shape: Shape,
        device: torch.device,
        reseed: int,
        first: Tensor | None,
    ) -> None:
        self._shape, self._device = shape, device
        self._streams = [_Stream(source, seed) for seed in seeds]
        self._reseeded = (
            [_Stream(source, (seed + reseed) % 2**64) for seed in seeds] if reseed else None
        )
        self._first_noise = first

    def draw(self) -> Tensor:
        drawn = torch.stack([stream.draw(self._shape) for stream in self._streams])
        if self._reseeded is not None:
            self._streams, self._reseeded = self._reseeded, None
        if self._first_noise is not None:
            drawn, self._first_noise = self._first_noise.float().expand_as(drawn).clone(), None
        return drawn.to(self._device)
