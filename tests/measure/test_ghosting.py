"""Ghosting of single frames: known shares, and frames where it cannot be told."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from measure_samples import KEYS, clean_frames, paint_frames, shifted

from kadr.core.frames import Image
from kadr.guides.flow import gray
from kadr.measure import frames as measured_frames
from kadr.measure.curves import Curves
from kadr.measure.frames import KeySource, Pair
from kadr.measure.ghosting import TonePrediction, ghost_share
from scenes import texture

CLEAN = clean_frames()
PAINTED = paint_frames(CLEAN)


def _share(output: Image, filmed: Image, key: Image, painted: Image) -> float | None:
    tones = TonePrediction(key, painted)
    others = [(gray(key), tones.gradients(key))]
    return ghost_share(gray(output), gray(filmed), tones.gradients(filmed), others)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.6])
def test_the_share_of_a_double_image(share: float) -> None:
    output = cv2.addWeighted(PAINTED[6], 1 - share, PAINTED[0], share, 0)
    assert _share(output, CLEAN[6], CLEAN[0], PAINTED[0]) == pytest.approx(share, abs=0.05)


def test_nothing_is_told_where_next_to_nothing_moved() -> None:
    filmed = CLEAN[0].copy()
    filmed[10:13, 10:13] = 255 - filmed[10:13, 10:13]
    assert _share(PAINTED[0], filmed, CLEAN[0], PAINTED[0]) is None


def test_a_flash_is_no_ghost() -> None:
    key = shifted(128 + (CLEAN[0].astype(float) - 128) * 0.6, 0)
    assert _share(shifted(PAINTED[0], 30), shifted(key, 30), key, PAINTED[0]) is None


def test_an_output_that_shows_neither_frame_has_no_ghost() -> None:
    flat = np.full_like(PAINTED[0], 90)
    assert _share(flat, CLEAN[6], CLEAN[0], PAINTED[0]) is None
    unrelated = texture(*flat.shape[:2], seed=33)
    share = _share(shifted(unrelated, 0), CLEAN[6], CLEAN[0], PAINTED[0])
    assert share is None or 0 <= share <= 1


def test_the_structure_of_two_keys_is_held_at_most() -> None:
    source = KeySource(KEYS, lambda key: PAINTED[key], lambda key: CLEAN[key])
    around, curves = measured_frames._KeyFrames(source), Curves()
    for position, filmed in enumerate(CLEAN):
        around.measure(position, Pair(filmed, PAINTED[position]), curves)
        assert len(around.structures) <= 2
    assert sorted(around.histograms) == list(KEYS)
