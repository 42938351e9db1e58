"""Prompts that AND joins."""

from __future__ import annotations

import pytest

from kadr.stylize.diffusion.prompt.subprompts import Subprompt, split_subprompts


@pytest.mark.parametrize(
    ("prompt", "parts"),
    [
        ("a cat", [("a cat", 1)]),
        ("a cat AND a dog", [("a cat", 1), (" a dog", 1)]),
        ("a cat :1.2 AND\na dog: -0.5 ", [("a cat", 1.2), ("\na dog", -0.5)]),
        ("SAND AND ANDY", [("SAND", 1), (" ANDY", 1)]),
        ("(a:1.2) AND b:2.", [("(a:1.2)", 1), (" b", 2)]),
        ("a AND", [("a", 1), ("", 1)]),
        ("castle :.5", [("castle", 0.5)]),
        ("a and b: x", [("a and b: x", 1)]),
        ("", [("", 1)]),
    ],
)
def test_parts_and_weights_are_those_of_a1111(prompt: str, parts: list[tuple[str, float]]) -> None:
    assert split_subprompts(prompt) == tuple(Subprompt(*part) for part in parts)
