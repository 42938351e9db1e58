"""EbSynth's weights and kadr's: defaults map to defaults, ratios are kept, and back again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kadr import PropagateOptions
from kadr.exchange.ebs import EbsWeights
from kadr.exchange.weights import (
    DETAILS,
    FIELDS,
    from_ebsynth,
    max_weight,
    to_ebsynth,
    weight_factor,
)
from kadr.options import DETAIL

_NAMES = st.sampled_from(list(FIELDS))


def test_defaults_are_defaults() -> None:
    assert from_ebsynth(EbsWeights()) == {}
    assert to_ebsynth(PropagateOptions(), EbsWeights()) == EbsWeights()


def test_the_factors_are_those_documented() -> None:
    """As in docs/notes/0007; update it if kadr's defaults change."""
    defaults = PropagateOptions()
    ebsynth_defaults = {
        "key": 1.0,
        "video": 4.0,
        "mapping": 10.0,
        "deflicker": 1.0,
        "diversity": 3500.0,
    }
    for name, default in ebsynth_defaults.items():
        assert weight_factor(name) == pytest.approx(getattr(defaults, FIELDS[name]) / default)
    factors = {name: round(weight_factor(name), 6) for name in FIELDS}
    assert factors == {"key": 1, "video": 8, "mapping": 0.2, "deflicker": 3, "diversity": 1}


@given(_NAMES, st.floats(0.01, 3.0))
def test_a_changed_weight_changes_the_option_by_the_same_ratio(name: str, ratio: float) -> None:
    changed = replace(EbsWeights(), **{name: getattr(EbsWeights(), name) * ratio})
    options = replace(PropagateOptions(), **from_ebsynth(changed))
    default = getattr(PropagateOptions(), FIELDS[name])
    assert getattr(options, FIELDS[name]) == pytest.approx(default * ratio)
    others = [field for field in FIELDS.values() if field != FIELDS[name]]
    assert all(getattr(options, f) == getattr(PropagateOptions(), f) for f in others)


@given(st.lists(st.floats(0, 5000, width=32), min_size=6, max_size=6))
def test_imported_weights_are_exported_unchanged(values: list[float]) -> None:
    weights = EbsWeights(*values)
    options = replace(PropagateOptions(), **from_ebsynth(weights))
    assert to_ebsynth(options, weights) == weights


@given(_NAMES, st.floats(0, 100))
def test_options_survive_the_precision_of_the_file(name: str, value: float) -> None:
    options = replace(PropagateOptions(), **{FIELDS[name]: value})
    stored = EbsWeights(
        **{
            key: float(np.float32(number))
            for key, number in vars(to_ebsynth(options, EbsWeights())).items()
        }
    )
    reloaded = replace(PropagateOptions(), **from_ebsynth(stored))
    assert getattr(reloaded, FIELDS[name]) == pytest.approx(value, rel=1e-6, abs=1e-30)


def test_a_weight_above_the_maximum_is_the_maximum() -> None:
    too_large = replace(EbsWeights(), video=1e6)
    assert from_ebsynth(too_large) == {"video_weight": 1000.0}
    assert max_weight("video") == pytest.approx(125)
    PropagateOptions(**from_ebsynth(too_large))


def test_every_detail_has_its_name() -> None:
    assert list(DETAILS.values()) == list(DETAIL)
    assert list(DETAILS) == [1, 2, 3, 4]
