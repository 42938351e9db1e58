"""Text of the command line: known answers, and errors that name the text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kadr import OptionsError
from kadr.cli.parse_values import parse_assignments, parse_value
from kadr.stylize.registry import stylizer_options


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("3", int, 3),
        ("2.5", float, 2.5),
        ("yes", bool, True),
        ("Off", bool, False),
        ("a b", str, "a b"),
        ("a b", Path, Path("a b")),
        ("7", int | None, 7),
        ("none", float | None, None),
        ("a,b", tuple[Path, ...], (Path("a"), Path("b"))),
    ],
)
def test_values_become_what_the_field_holds(text: str, kind: Any, value: object) -> None:
    assert parse_value(text, kind, "x") == value


@pytest.mark.parametrize(("text", "kind"), [("2.5", int), ("thick", float), ("maybe", bool)])
def test_values_that_do_not_fit_are_named(text: str, kind: Any) -> None:
    with pytest.raises(OptionsError, match=f"radius '{text}': expected"):
        parse_value(text, kind, "radius")


def test_assignments_are_read_by_the_stylizers_fields() -> None:
    kind = stylizer_options("paint")
    assert parse_assignments(["radius=3", "relief=0"], kind, "p") == {"radius": 3.0, "relief": 0.0}
    with pytest.raises(OptionsError, match="p: no option 'size'; it has radius"):
        parse_assignments(["size=3"], kind, "p")
    with pytest.raises(OptionsError, match="p: option 'radius': expected name=value"):
        parse_assignments(["radius"], kind, "p")
