"""A stream of noise and cells in, the same noise moved along with what is filmed out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from kadr.core.seeds import derive_seed
from kadr.stylize.diffusion.sampling.noise import NoiseSource, philox_normal_at
from kadr.stylize.diffusion.temporal.drift import Cells


class CarriedNoise:
    """The noise of a batch of frames, carried along; every draw is carried alike.

    What was there in a group's first frame keeps that frame's values, which are the source's own:
    all frames have the same seed. What came to light later has values named by the frame in which
    it did, so they follow it too.
    """

    def __init__(self, source: NoiseSource, cells: Sequence[Cells], seed: int) -> None:
        self._source, self._cells = source, cells
        self._key, self._call = derive_seed(seed, "carried noise"), 0

    def draw(self) -> Tensor:
        """The next (B, C, h, w) float32 of unit variance, on the source's device."""
        drawn = self._source.draw()
        made = [self._moved(noise, cells) for noise, cells in zip(drawn, self._cells, strict=True)]
        self._call += 1
        return torch.stack(made)

    def _moved(self, noise: Tensor, cells: Cells) -> Tensor:
        channels = noise.shape[0]
        cell = torch.from_numpy(cells.cell.ravel()).to(noise.device)
        moved = noise.flatten(1)[:, cell]
        new = np.flatnonzero(~cells.original)
        if len(new):
            fresh = torch.from_numpy(self._fresh(cells, new, channels)).to(noise)
            moved[:, torch.from_numpy(new).to(noise.device)] = fresh
        return moved.reshape(noise.shape)

    def _fresh(self, cells: Cells, new: np.ndarray, channels: int) -> np.ndarray:
        """(C, n) values that name, not order, decides."""
        counter = np.zeros((4, channels, len(new)), np.uint64)
        counter[0] = self._call * channels + np.arange(channels)[:, None]
        counter[1] = cells.born.ravel()[new]
        counter[2] = cells.cell.ravel()[new]
        counter[3] = cells.turn.ravel()[new]
        return philox_normal_at(counter.reshape(4, -1), self._key).reshape(channels, -1)
