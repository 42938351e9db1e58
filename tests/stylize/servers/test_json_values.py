"""JSON of another program: a value or a short reason, whatever it holds."""

from __future__ import annotations

import math
from copy import deepcopy
from typing import Any

import pytest

from kadr.stylize.servers.json_values import as_list, as_number, as_object, as_text, parse_json


def _nested(levels: int) -> str:
    return "[" * levels + "]" * levels


@pytest.mark.parametrize("levels", [101, 900, 100_000])
def test_deep_values_are_refused(levels: int) -> None:
    with pytest.raises(ValueError, match="more than 100 levels of brackets"):
        parse_json(_nested(levels))
    with pytest.raises(ValueError, match="more than 100 levels"):
        parse_json('{"a":' * levels + "1" + "}" * levels)


def test_values_at_the_limit_can_be_copied() -> None:
    assert deepcopy(parse_json(_nested(100))) is not None


@pytest.mark.parametrize("text", ["", "{", "\0", b"\xff\xfe", "9" * 5000])
def test_other_texts_are_refused(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"Expecting|UTF-8|utf-8|digits"):
        parse_json(text)


def test_what_is_not_json_in_json_becomes_none() -> None:
    assert parse_json("[NaN, -Infinity, 1]") == [None, None, 1]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1.0),
        (0.5, 0.5),
        (True, None),
        ("1", None),
        (None, None),
        ([1], None),
        (math.inf, None),
        (math.nan, None),
        (10**400, None),
    ],
)
def test_numbers_are_finite(value: Any, number: float | None) -> None:
    assert as_number(value) == number


@pytest.mark.parametrize("value", [None, 1, "x", [1], {"a": 1}])
def test_values_of_another_kind_are_empty(value: Any) -> None:
    assert as_object(value) == (value if isinstance(value, dict) else {})
    assert as_list(value) == (value if isinstance(value, list) else [])
    assert as_text(value) == (value if isinstance(value, str) else "")


def test_half_a_surrogate_pair_can_be_sent_and_printed() -> None:
    assert as_text(parse_json(r'"a\ud800b"')) == "a?b"
