"""Errors for inputs that do not fit together."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from synth_samples import identity, noise, quick

from kadr.errors import BackendError, InputError, OptionsError
from kadr.options import SynthOptions
from kadr.synth import Guide, StyleSource, prepare, synthesize

STYLE, GUIDE, TARGET = noise(12, 14, 3), noise(12, 14, 2), noise(10, 11, 2)


def _frame(guides: list[np.ndarray] | None = None, **inputs: Any) -> None:
    prepared = prepare([StyleSource(STYLE, [GUIDE])], [1.0], options=quick())
    prepared.synthesize([TARGET] if guides is None else guides, **inputs)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"guides": []}, "target guides have [] channels; the sources' have [2]"),
        ({"guides": [noise(10, 11, 3)]}, "target guides have [3] channels"),
        ({"guides": [TARGET.astype(np.int32)]}, "image of int32; expected uint8"),
        ({"guides": [TARGET[:0]]}, "image of shape (0, 11, 2)"),
        ({"mask": np.ones((10, 12), np.bool_)}, "mask is 12x10; the target is 11x10"),
        ({"mask": np.ones((10, 11), np.uint8)}, "mask is uint8"),
        ({"start_nnf": identity(11, 11)}, "start nnf is 11x11; the target is 11x10"),
        ({"start_nnf": np.zeros((10, 11, 3))}, "start nnf has shape (10, 11, 3)"),
        ({"start_source": np.ones((10, 11), np.uint8)}, "start source 1: there are 1 sources"),
        ({"modulation": np.ones((10, 11))}, "modulation has shape (10, 11)"),
        ({"modulation": np.ones((10, 11, 2))}, "expected (H, W, 1), one channel a guide"),
    ],
)
def test_frames_that_do_not_fit(inputs: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        _frame(**inputs)


@pytest.mark.parametrize(
    ("sources", "weights", "message"),
    [
        ([], [1.0], "no sources; give at least one style"),
        ([StyleSource(STYLE, [])], [1.0], "source 1 has 0 guides for 1 weights"),
        ([StyleSource(STYLE, [TARGET])], [1.0], "source 1: a guide is 11x10, its style 14x12"),
        ([StyleSource(STYLE, [GUIDE], np.ones((3, 3), np.bool_))], [1.0], "a mask is 3x3"),
        (
            [StyleSource(STYLE, [GUIDE], np.zeros((12, 14), np.bool_))],
            [1.0],
            "mask leaves no pixel",
        ),
        ([StyleSource(STYLE.astype(np.float32), [GUIDE])], [1.0], "style 1: float32, 3 channels"),
        ([StyleSource(noise(12, 14, 9), [GUIDE])], [1.0], "expected uint8, 1 to 8 channels"),
        (
            [StyleSource(STYLE, [GUIDE]), StyleSource(STYLE, [noise(12, 14, 1)])],
            [1.0],
            "source 2: its channels differ from the first source's",
        ),
        (
            [StyleSource(STYLE, [GUIDE])] * 256,
            [1.0],
            "256 sources; expected at most 255",
        ),
    ],
)
def test_sources_that_do_not_fit(
    sources: list[StyleSource], weights: list[float], message: str
) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        prepare(sources, weights)


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_invalid_weights(weight: float) -> None:
    with pytest.raises(OptionsError, match=f"weight {weight}: expected a number, 0 or more"):
        prepare([StyleSource(STYLE, [GUIDE])], [weight])
    with pytest.raises(OptionsError, match=f"weight {weight}: expected a number, 0 or more"):
        prepare([StyleSource(STYLE, [GUIDE])], [1.0], style_weight=weight)


def test_unknown_backends() -> None:
    with pytest.raises(BackendError, match="'cuda': not in this release; use 'cpu'"):
        prepare([StyleSource(STYLE, [GUIDE])], [1.0], backend="cuda")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("patch_size", 4),
        ("patch_size", 1),
        ("patch_size", 17),
        ("vote_iterations", 0),
        ("search_iterations", 0),
        ("levels", 0),
        ("uniformity", -1.0),
        ("uniformity", float("nan")),
        ("stop_threshold", 256.0),
        ("search_radius", 0),
        ("search_threshold", -0.1),
        ("seed", -1),
    ],
)
def test_options_out_of_range(name: str, value: float) -> None:
    with pytest.raises(OptionsError, match=rf"{name.replace('_', '-')} {value}: expected"):
        SynthOptions(**{name: value})


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (30, 1), (2, 2)])
def test_images_smaller_than_a_patch(size: tuple[int, int]) -> None:
    """They are edge-padded, so they need no special case."""
    style, guide = noise(*size, 3, 1), noise(*size, 1, 2)
    result = synthesize(
        style, [Guide(guide, guide, 1.0)], options=quick(), start_nnf=identity(*size)
    )
    assert (result.nnf == identity(*size)).mean() > 0.9
    assert np.abs(result.image.astype(int) - style).mean() < 10
    larger = synthesize(style, [Guide(guide, noise(20, 21, 1), 1.0)], options=quick())
    assert larger.image.shape == (20, 21, 3)
