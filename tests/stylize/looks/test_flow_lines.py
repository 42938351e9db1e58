"""Lines of edges whose place and direction are known."""

from __future__ import annotations

import numpy as np
import pytest
from look_samples import grey, step

from kadr.stylize.looks.lines import flow_lines


@pytest.mark.parametrize("width", [1.0, 2.0, 6.0])
def test_a_step_has_one_line_on_its_dark_side(width: float) -> None:
    lines = flow_lines(step(60, 180), width)[45]
    peak = int(lines.argmax())
    assert 60 - 1.5 * width - 1 <= peak < 60
    # one hill: it only rises before its peak, and only falls after it
    assert (np.diff(lines[: peak + 1]) > -0.2).all()
    assert (np.diff(lines[peak:]) < 0.2).all()
    assert lines[64:].max() < 0.1
    assert lines[: 60 - int(6 * width)].max() < 0.1


def test_grey_has_none() -> None:
    assert flow_lines(grey(120), 2.0).max() < 1e-3


def test_a_stronger_edge_has_a_stronger_line() -> None:
    peaks = [flow_lines(step(60, light), 2.0).max() for light in (80, 120, 200)]
    assert peaks[0] < peaks[1] < peaks[2]
    # linear in the contrast
    assert peaks[2] / peaks[0] == pytest.approx(7, rel=0.05)


def test_a_dark_line_is_found_whatever_its_direction() -> None:
    y, x = np.mgrid[0:80, 0:80]
    for degrees in (0, 30, 77, 120):
        angle = np.radians(degrees)
        distance = (x - 40) * np.sin(angle) - (y - 40) * np.cos(angle)
        image = np.repeat((220 - 150 * np.exp(-(distance**2) / 3))[..., None], 3, axis=2)
        lines = flow_lines(image.astype(np.uint8), 2.0)[15:-15, 15:-15]
        near = np.abs(distance[15:-15, 15:-15])
        assert lines[near < 0.7].min() > 10
        assert lines[near > 6].max() < 1


def test_noise_that_has_no_direction_leaves_little() -> None:
    noise = np.random.default_rng(0).normal(0, 6, (90, 120, 1))
    noisy = np.clip(step(60, 180) + noise, 0, 255).astype(np.uint8)
    lines = flow_lines(noisy, 2.0)
    assert lines[10:-10, 10:45].mean() < 0.12 * lines[10:-10].max(axis=1).mean()


def test_threads_change_nothing() -> None:
    image = np.random.default_rng(0).integers(0, 256, (70, 40, 3)).astype(np.uint8)
    np.testing.assert_array_equal(
        flow_lines(image, 2.0, threads=1), flow_lines(image, 2.0, threads=4)
    )
