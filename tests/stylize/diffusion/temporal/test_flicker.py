"""Each option for temporal consistency lowers flicker and warp error, with a small trained model.

The model paints in one of two inks. The prompt does not say which: the noise decides, as it decides
the details of an image in large models. With a seed for each frame the ink changes often.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fake_context import FakeContext
from trained_models import train_model

from kadr.core.frames import Image
from kadr.core.warp import warp
from kadr.stylize.registry import create_stylizer

INKS = (((250, 120, 60), (120, 20, 20)), ((60, 150, 250), (20, 30, 130)))
"""Colours for light and for dark."""

DEFAULTS: dict[str, Any] = {
    "prompt": "painting",
    "sampler": "Euler a",
    "steps": 10,
    "pixels": 4096,
    "cfg_scale": 1.5,
    "denoising_strength": 0.8,
}

Restyle = Callable[..., list[Image]]


def _in_ink(image: Image, ink: int) -> Image:
    light, dark = (np.array(tone) for tone in INKS[ink])
    share = np.clip((image.mean(axis=2, keepdims=True) - 60) / 120, 0, 1)
    return (dark + (light - dark) * share).astype(np.uint8)


@pytest.fixture(scope="module")
def inked_model(tmp_path_factory: pytest.TempPathFactory, disc_frames: list[Image]) -> Path:
    paintings = [_in_ink(frame, ink) for ink in range(2) for frame in disc_frames]
    folder = tmp_path_factory.mktemp("inked") / "model"
    # few steps: a model that is trained longer prefers one of the inks, and nothing flickers
    return train_model(disc_frames * 2, folder, paintings=paintings, steps=110, rate=3e-3)


@pytest.fixture(scope="module")
def restyle(inked_model: Path, disc_frames: list[Image]) -> Restyle:
    """Restyle the disc's frames, with one seed for each unless the options name one."""

    def run(frames: Sequence[Image] = disc_frames[:8], **options: Any) -> list[Image]:
        settings = DEFAULTS | {"seed": None} | options
        return FakeContext(frames).run(
            create_stylizer("diffusion", model=str(inked_model), **settings)
        )

    return run


@pytest.fixture(scope="module")
def independent(restyle: Restyle) -> list[Image]:
    """The frames without any option for temporal consistency."""
    return restyle()


def _flicker(images: Sequence[Image]) -> float:
    """Mean change from frame to frame above and below the disc, where nothing moves."""
    still = np.r_[0:14, 50:64]
    return float(np.mean([cv2.absdiff(a[still], b[still]).mean() for a, b in pairwise(images)]))


def _warp_error(frames: Sequence[Image], images: Sequence[Image]) -> float:
    """Mean change along the optical flow of the input, outside occluded areas."""
    fake = FakeContext(frames)
    errors = []
    for index in range(1, len(frames)):
        warped = warp(images[index - 1], fake.flow(index, index - 1))
        visible = ~fake.occlusion(index, index - 1)
        errors.append(cv2.absdiff(images[index], warped).mean(axis=2)[visible].mean())
    return float(np.mean(errors))


def _away(frames: Sequence[Image], images: Sequence[Image]) -> float:
    """Mean difference from each frame's nearest painting."""
    looks = [[_in_ink(frame, ink) for ink in range(2)] for frame in frames]
    return float(
        np.mean(
            [
                min(cv2.absdiff(look, image).mean() for look in own)
                for own, image in zip(looks, images, strict=True)
            ]
        )
    )


WAYS: dict[str, tuple[dict[str, Any], float]] = {
    "same noise": ({"seed": 3}, 0.3),
    "inverted noise": (
        {"inversion": "refined", "original_prompt": "photo", "sampler": "Euler"},
        0.75,
    ),
    "carried noise": ({"seed": 3, "carry_noise": True}, 0.4),
    "previous as start": ({"previous_start": 0.6}, 0.75),
    "previous blended": ({"previous_blend": 0.5}, 0.75),
    "attention to the anchor": ({"cross_frame": "anchor"}, 0.8),
    "attention to the one before": ({"cross_frame": "previous"}, 0.8),
    "attention to both": ({"cross_frame": "both"}, 0.7),
    "all": ({"seed": 3, "carry_noise": True, "previous_blend": 0.5, "cross_frame": "both"}, 0.3),
}
"""Options, and the limit of the error as a share of the error without them."""


@pytest.mark.parametrize("way", WAYS)
def test_every_way_lowers_warp_error_and_flicker(
    way: str, restyle: Restyle, independent: list[Image], disc_frames: list[Image]
) -> None:
    frames = disc_frames[:8]
    options, limit = WAYS[way]
    consistent = restyle(**options)
    assert _flicker(consistent) < limit * _flicker(independent)
    assert _warp_error(frames, consistent) < limit * _warp_error(frames, independent)
    # the images are still paintings of the frames
    assert _away(frames, consistent) < 1.3 * _away(frames, independent)


@pytest.mark.parametrize("joint", ["attention", "grid"])
def test_joint_keys_match(joint: str, restyle: Restyle, disc_frames: list[Image]) -> None:
    frames = disc_frames[:8]
    # it was not trained on sheets, and at full strength would paint one image over all of it
    strength = 0.8 if joint == "attention" else 0.6
    independent = restyle(denoising_strength=strength)
    consistent = restyle(denoising_strength=strength, joint=joint, joint_size=4)
    assert _flicker(consistent) < 0.7 * _flicker(independent)
    assert _away(frames, consistent) < 1.3 * _away(frames, independent)


def test_carried_noise_moves_details_with_a_pan(
    inked_model: Path,
) -> None:
    random = np.random.default_rng(1)
    wide = cv2.resize(random.integers(40, 200, (8, 20, 3)).astype(np.uint8), (160, 64))
    frames = [np.ascontiguousarray(wide[:, 16 * i : 16 * i + 64]) for i in range(5)]
    positions = {id(frame): index for index, frame in enumerate(frames)}

    def pan(a: Image, b: Image) -> np.ndarray:
        return np.full((64, 64, 2), (16 * (positions[id(a)] - positions[id(b)]), 0), np.float32)

    errors = {}
    for carried in (False, True):
        fake = FakeContext(frames, find_flow=pan)
        stylizer = create_stylizer(
            "diffusion", model=str(inked_model), carry_noise=carried, **DEFAULTS
        )
        images = fake.run(stylizer)
        pairs = zip(images[1:], images)
        # without the last 16 columns, which are new in each frame
        errors[carried] = np.mean([cv2.absdiff(b[:, :48], a[:, 16:]).mean() for b, a in pairs])
    assert errors[True] < 0.8 * errors[False]
