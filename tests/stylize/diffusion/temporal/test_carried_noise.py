"""Carried noise stays white and follows the optical flow over any number of frames."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kadr.stylize.diffusion.sampling.noise import create_noise
from kadr.stylize.diffusion.temporal.carried_noise import CarriedNoise
from kadr.stylize.diffusion.temporal.pixel_tracks import (
    PixelTracks,
    advance_tracks,
    find_noise_cells,
    start_tracks,
)
from kadr.stylize.layout.sizes import RESIZE_MODES, fit_to_size, frame_points

SIZE = 64


def _still(height: int = SIZE, width: int = SIZE) -> np.ndarray:
    return np.zeros((height, width), bool)


def _shift(x: float, y: float, hidden: np.ndarray | None = None):
    """Flow and occlusion of a frame whose content came from (x, y) further."""
    flow = np.full((SIZE, SIZE, 2), (x, y), np.float32)
    return flow, _still() if hidden is None else hidden


def _cells(tracks: PixelTracks, step: int = 8):
    height, width = tracks.origin_index.shape
    points = frame_points((width, height), (width, height), "stretch", step)
    return find_noise_cells(tracks, points, (step, step))


def _noise(tracks: PixelTracks, draws: int = 1, source: str = "cpu", seed: int = 5) -> torch.Tensor:
    height, width = tracks.origin_index.shape
    source_noise = create_noise(source, [seed], (4, height // 8, width // 8))
    carried = CarriedNoise(source_noise, [_cells(tracks)], seed)
    return torch.cat([carried.draw() for _ in range(draws)])


@pytest.mark.parametrize("source", ["cpu", "nv"])
def test_a_first_frame_has_the_noise_of_its_seed(source: str) -> None:
    plain = create_noise(source, [5], (4, 8, 8))
    carried = _noise(start_tracks(3, SIZE, SIZE), 3, source)
    assert torch.equal(carried, torch.cat([plain.draw() for _ in range(3)]))


def test_noise_moves_by_whole_cells_after_steps_of_fractions() -> None:
    tracks = start_tracks(0, SIZE, SIZE)
    start = _noise(tracks, 2)
    for index in range(1, 17):  # half a pixel a step, never a whole cell at once
        tracks = advance_tracks(tracks, index, *_shift(-0.5, 0))
    moved = _noise(tracks, 2)
    assert torch.equal(moved[..., 1:], start[..., :-1])
    assert not torch.isin(moved[..., 0], start).any()


def test_uncovered_pixels_get_new_noise_that_then_stays() -> None:
    hidden = _still()
    hidden[16:32, 16:32] = True
    first = start_tracks(0, SIZE, SIZE)
    uncovered = advance_tracks(first, 1, *_shift(0, 0, hidden))
    later = advance_tracks(uncovered, 2, *_shift(0, 0))
    start, now = _noise(first), _noise(uncovered)
    same = (start == now)[0].all(dim=0)
    assert not same[2:4, 2:4].any()
    assert same.sum() == 64 - 4
    assert torch.equal(now, _noise(later))
    # another frame in which something comes to light: other noise
    again = advance_tracks(later, 3, *_shift(0, 0, hidden))
    assert not torch.isin(_noise(again)[0, :, 2:4, 2:4], now).any()


@settings(max_examples=25, deadline=None)
@given(
    zoom=st.floats(0.6, 1.6),
    angle=st.floats(-0.5, 0.5),
    x=st.floats(-20, 20),
    y=st.floats(-20, 20),
    seed=st.integers(0, 2**40),
)
def test_no_value_twice_whatever_the_motion(zoom, angle, x, y, seed) -> None:
    middle = (SIZE - 1) / 2
    rows, columns = np.mgrid[:SIZE, :SIZE].astype(np.float32) - middle
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    there = np.stack([columns, rows], axis=2) @ turn.T + (x, y)
    flow = (there - np.stack([columns, rows], axis=2)).astype(np.float32)
    tracks = advance_tracks(start_tracks(0, SIZE, SIZE), 1, flow, _still())
    cells = _cells(tracks, 2)
    assert cells.cell.max() < cells.cell.size
    names = np.stack([cells.origin_index, cells.cell, cells.duplicate]).reshape(3, -1)
    assert np.unique(names, axis=1).shape[1] == cells.cell.size
    noise = CarriedNoise(create_noise("cpu", [seed], (4, 32, 32)), [cells], seed).draw()
    assert torch.unique(noise).numel() > 0.999 * noise.numel()
    assert abs(float(noise.mean())) < 0.1
    assert abs(float(noise.std()) - 1) < 0.1


def test_carried_values_are_of_unit_variance_and_independent() -> None:
    hidden = np.ones((256, 256), bool)
    tracks = advance_tracks(
        start_tracks(0, 256, 256), 1, np.zeros((256, 256, 2), np.float32), hidden
    )
    noise = _noise(tracks, 4).flatten(1)
    assert abs(float(noise.mean())) < 0.03
    assert abs(float(noise.std()) - 1) < 0.03
    assert np.abs(np.corrcoef(noise) - np.eye(4)).max() < 0.08
    beside = np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1]
    assert abs(beside) < 0.05


@pytest.mark.parametrize("mode", RESIZE_MODES)
def test_points_lie_where_fit_takes_pixels_from(mode: str) -> None:
    own, size = (96, 40), (64, 64)
    x, y = np.meshgrid(np.arange(own[0]), np.arange(own[1]))
    ramp = np.stack([2 * x, 4 * y, np.zeros_like(x)], axis=2).astype(np.uint8)
    points = frame_points(size, own, mode, 8)
    if mode == "latent":  # its picture has the frame's own size
        size = own
    fitted = fit_to_size(ramp, size, mode)
    if mode == "latent":
        assert points[0, 0] == pytest.approx([5.5, 2.0])
        assert points[-1, -1] == pytest.approx([95 - 5.5, 39 - 2.0])
        return
    for row in range(8):
        for column in range(8):
            px, py = points[row, column]
            if 3 <= px <= own[0] - 4 and 3 <= py <= own[1] - 4:
                around = fitted[8 * row + 3 : 8 * row + 5, 8 * column + 3 : 8 * column + 5]
                colour = around.reshape(-1, 3).mean(axis=0)
                assert colour[:2] == pytest.approx([2 * px, 4 * py], abs=3)
