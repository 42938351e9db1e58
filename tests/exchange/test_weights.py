"""EbSynth's sliders and ours: defaults are defaults, doubles are doubles, and back again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kadr import PropagateOptions
from kadr.exchange.ebs import EbsWeights
from kadr.exchange.weights import DETAILS, FIELDS, factor, from_ebsynth, highest, to_ebsynth
from kadr.options import DETAIL

_NAMES = st.sampled_from(list(FIELDS))


def test_defaults_are_defaults() -> None:
    assert from_ebsynth(EbsWeights()) == {}
    assert to_ebsynth(PropagateOptions(), EbsWeights()) == EbsWeights()


def test_the_factors_are_those_written_down() -> None:
    """As docs/notes/0007 gives them; who changes our defaults looks there too."""
    ours = PropagateOptions()
    theirs = {"key": 1.0, "video": 4.0, "mapping": 10.0, "deflicker": 1.0, "diversity": 3500.0}
    for name, usual in theirs.items():
        assert factor(name) == pytest.approx(getattr(ours, FIELDS[name]) / usual)
    known = {name: round(factor(name), 6) for name in FIELDS}
    assert known == {"key": 1, "video": 8, "mapping": 0.2, "deflicker": 3, "diversity": 1}


@given(_NAMES, st.floats(0.01, 3.0))
def test_a_slider_moved_moves_ours_as_far(name: str, by: float) -> None:
    moved = replace(EbsWeights(), **{name: getattr(EbsWeights(), name) * by})
    options = replace(PropagateOptions(), **from_ebsynth(moved))
    usual = getattr(PropagateOptions(), FIELDS[name])
    assert getattr(options, FIELDS[name]) == pytest.approx(usual * by)
    others = [field for field in FIELDS.values() if field != FIELDS[name]]
    assert all(getattr(options, f) == getattr(PropagateOptions(), f) for f in others)


@given(st.lists(st.floats(0, 5000, width=32), min_size=6, max_size=6))
def test_what_was_read_goes_out_as_it_was(values: list[float]) -> None:
    weights = EbsWeights(*values)
    options = replace(PropagateOptions(), **from_ebsynth(weights))
    assert to_ebsynth(options, weights) == weights


@given(_NAMES, st.floats(0, 100))
def test_ours_come_back_as_near_as_the_file_can_say(name: str, value: float) -> None:
    options = replace(PropagateOptions(), **{FIELDS[name]: value})
    stored = EbsWeights(
        **{
            key: float(np.float32(number))
            for key, number in vars(to_ebsynth(options, EbsWeights())).items()
        }
    )
    again = replace(PropagateOptions(), **from_ebsynth(stored))
    assert getattr(again, FIELDS[name]) == pytest.approx(value, rel=1e-6, abs=1e-30)


def test_a_weight_beyond_ours_is_our_highest() -> None:
    wild = replace(EbsWeights(), video=1e6)
    assert from_ebsynth(wild) == {"video_weight": 1000.0}
    assert highest("video") == pytest.approx(125)
    PropagateOptions(**from_ebsynth(wild))


def test_every_detail_has_its_name() -> None:
    assert list(DETAILS.values()) == list(DETAIL)
    assert list(DETAILS) == [1, 2, 3, 4]
