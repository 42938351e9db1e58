"""Whether keys differ as if several hands had made them."""

from __future__ import annotations

import cv2
import numpy as np

from kadr.match.differ import DIFFERENT, style_differences
from kadr.match.match_key import KeyView
from scenes import texture


def _filmed(seed: int) -> np.ndarray:
    wall = cv2.GaussianBlur(texture(90, 120, seed=seed), (0, 0), 3)
    return (0.6 * wall + 50).astype(np.uint8)


def _strokes(height: int, width: int, seed: int) -> np.ndarray:
    """(H, W, 1) fine strokes."""
    noise = np.random.default_rng(seed).standard_normal((height, width))
    noise = cv2.GaussianBlur(noise, (0, 0), 0.8)
    return (10 * noise / noise.std())[..., None]


def _hand(filmed: np.ndarray, gain: tuple[float, float, float], seed: int) -> np.ndarray:
    strokes = _strokes(90, 120, seed)
    painted = filmed * np.array(gain) * 0.8 + 20 + strokes
    return np.clip(painted, 0, 255).astype(np.uint8)


def test_strokes_do_not_make_another_hand() -> None:
    views = [KeyView.of(_filmed(s), _hand(_filmed(s), (1, 1, 1), s)) for s in range(4)]
    assert max(style_differences(views)) < DIFFERENT


def test_another_colour_does() -> None:
    gains = [(1, 1, 1), (1, 1, 1), (1.15, 1, 0.8), (1, 1, 1)]
    views = [KeyView.of(_filmed(s), _hand(_filmed(s), gains[s], s)) for s in range(4)]
    differences = style_differences(views)
    assert int(np.argmax(differences)) == 2
    assert differences[2] > DIFFERENT


def test_only_what_is_painted_counts() -> None:
    mask = np.zeros((90, 120), bool)
    mask[:, :60] = True
    views = []
    for seed in range(2):
        painted = _hand(_filmed(seed), (1, 1, 1), seed)
        painted[:, 60:] = 0 if seed else 255
        views.append(KeyView.of(_filmed(seed), painted, mask))
    assert max(style_differences(views)) < DIFFERENT
