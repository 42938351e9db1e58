"""What in a prompt only A1111's notation gives a meaning."""

from __future__ import annotations

import pytest

from kadr.stylize.diffusion.prompt.notation import find_notation


@pytest.mark.parametrize(
    ("prompt", "found"),
    [
        ("a man (left), 16:9 [x], <3", ""),
        ("a <lora:ink:1> [b:c:3]", "<lora:…>, [a:b:0.5] or [a|b]"),
        ("<hypernet:ink:1>", "<lora:…>"),
        ("a | [b|c]", "[a:b:0.5] or [a|b]"),
        ("a AND b BREAK (c: 1.2 )", "AND, BREAK, (word:1.2)"),
    ],
)
def test_notation_is_named(prompt: str, found: str) -> None:
    assert find_notation(prompt) == found
    assert find_notation(prompt, weights=False) == found.removesuffix(", (word:1.2)")
