"""A key in the colours of others."""

from __future__ import annotations

import cv2
import numpy as np

from kadr.core.warp import grid
from kadr.match.correspondence import Correspondence
from kadr.match.match_key import KeyView, colour_difference, match_key
from scenes import texture

HEIGHT, WIDTH = 200, 300
FILMED = cv2.GaussianBlur(texture(HEIGHT, WIDTH, seed=3), (0, 0), 2)


def _strokes(height: int, width: int, seed: int) -> np.ndarray:
    """(H, W, 1) fine strokes."""
    noise = np.random.default_rng(seed).standard_normal((height, width))
    noise = cv2.GaussianBlur(noise, (0, 0), 0.8)
    return (10 * noise / noise.std())[..., None]


def _hand(gain: tuple[float, float, float], seed: int, filmed: np.ndarray = FILMED) -> np.ndarray:
    strokes = _strokes(HEIGHT, WIDTH, seed)
    painted = filmed * np.array(gain) * 0.8 + 20 + strokes
    return np.clip(painted, 0, 255).astype(np.uint8)


def _everywhere(confidence: float = 1.0) -> Correspondence:
    sure = np.full((HEIGHT, WIDTH), confidence, np.float32)
    return Correspondence(grid(HEIGHT, WIDTH).copy(), sure)


REFERENCE = KeyView.of(FILMED, _hand((1, 1, 1), 0))
OTHER = _hand((1.1, 0.95, 0.8), 1)


def _match(style: np.ndarray, **options: float) -> np.ndarray:
    matched = match_key(
        style, KeyView.of(FILMED, style[..., :3]), [(REFERENCE, _everywhere())], **options
    )
    assert matched is not None
    return matched


def test_a_key_gets_the_colours_of_the_reference() -> None:
    before = colour_difference(KeyView.of(FILMED, OTHER), REFERENCE, _everywhere())
    after = colour_difference(KeyView.of(FILMED, _match(OTHER)), REFERENCE, _everywhere())
    assert before > 4
    assert after < 0.2 * before


def test_fine_strokes_stay_its_own() -> None:
    def fine(image: np.ndarray) -> np.ndarray:
        luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
        return (luma - cv2.GaussianBlur(luma, (0, 0), 1.0)).ravel()

    matched = _match(OTHER)
    own, other = fine(OTHER), fine(REFERENCE.painted)
    assert np.corrcoef(fine(matched), own)[0, 1] > 0.9
    assert np.corrcoef(fine(matched), other)[0, 1] < 0.5


def test_half_a_strength_is_half_the_way() -> None:
    half, whole = _match(OTHER, strength=0.5), _match(OTHER)
    middle = (OTHER.astype(np.float32) + whole) / 2
    assert np.abs(half - middle).mean() < 1.5


def test_keys_that_agree_stay_exact() -> None:
    own = _hand((1, 1, 1), 5)
    view = KeyView.of(FILMED, own)
    assert match_key(own, view, [(REFERENCE, _everywhere())]) is None


def test_a_change_of_light_in_the_film_is_no_difference_of_hands() -> None:
    darker = np.clip(FILMED.astype(np.float32) - 25, 0, 255).astype(np.uint8)
    own = np.clip(_hand((1, 1, 1), 0).astype(np.float32) - 25, 0, 255).astype(np.uint8)
    view = KeyView.of(darker, own)
    assert match_key(own, view, [(REFERENCE, _everywhere())]) is None


def test_keys_meet_at_their_mean() -> None:
    own, other = KeyView.of(FILMED, OTHER), REFERENCE
    a = match_key(OTHER, own, [(other, _everywhere())], own_share=1.0)
    b = match_key(other.painted, other, [(own, _everywhere())], own_share=1.0)
    assert a is not None
    assert b is not None
    before = colour_difference(own, other, _everywhere())
    after = colour_difference(KeyView.of(FILMED, a), KeyView.of(FILMED, b), _everywhere())
    assert after < 0.25 * before


def test_alpha_stays() -> None:
    alpha = np.full((HEIGHT, WIDTH, 1), 255, np.uint8)
    alpha[:50] = 0
    style = np.concatenate([OTHER, alpha], axis=2)
    np.testing.assert_array_equal(_match(style)[..., 3:], alpha)
