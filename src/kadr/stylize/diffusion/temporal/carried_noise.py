"""A noise source and noise cells in, the same noise moved along the optical flow out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from kadr.core.seeds import derive_seed
from kadr.stylize.diffusion.sampling.noise import NoiseSource, philox_normal_at
from kadr.stylize.diffusion.temporal.pixel_tracks import NoiseCells


class CarriedNoise:
    """The noise of a batch of frames, moved with their content; every draw is moved alike.

    Content that was visible in a group's first frame keeps the noise of that frame, which is the
    source's own: all frames have the same seed. Content that appeared later gets new noise. That
    noise depends only on the frame in which the content appeared, so it moves with it too.
    """

    def __init__(self, source: NoiseSource, cells: Sequence[NoiseCells], seed: int) -> None:
        self._source, self._cells = source, cells
        self._key, self._draw_count = derive_seed(seed, "carried noise"), 0

    def draw(self) -> Tensor:
        """The next (B, C, h, w) float32 of unit variance, on the source's device."""
        drawn = self._source.draw()
        moved = [self._move(noise, cells) for noise, cells in zip(drawn, self._cells, strict=True)]
        self._draw_count += 1
        return torch.stack(moved)

    def _move(self, noise: Tensor, cells: NoiseCells) -> Tensor:
        channels = noise.shape[0]
        cell = torch.from_numpy(cells.cell.ravel()).to(noise.device)
        moved = noise.flatten(1)[:, cell]
        new = np.flatnonzero(~cells.original)
        if len(new):
            new_noise = torch.from_numpy(self._new_noise(cells, new, channels)).to(noise)
            moved[:, torch.from_numpy(new).to(noise.device)] = new_noise
        return moved.reshape(noise.shape)

    def _new_noise(self, cells: NoiseCells, new: np.ndarray, channels: int) -> np.ndarray:
        """(C, n) values that depend on frame, cell and duplicate number, not on their order."""
        counter = np.zeros((4, channels, len(new)), np.uint64)
        counter[0] = self._draw_count * channels + np.arange(channels)[:, None]
        counter[1] = cells.origin_index.ravel()[new]
        counter[2] = cells.cell.ravel()[new]
        counter[3] = cells.duplicate.ravel()[new]
        return philox_normal_at(counter.reshape(4, -1), self._key).reshape(channels, -1)
