"""Prompts that change: the texts that A1111's own parser gives, and what it would not read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kadr.errors import OptionsError
from kadr.stylize.diffusion.prompt.schedule import changes, parse_schedule

_ONE_TO_FOUR = (1, 2, 3, 4)

_OF_A1111 = [
    ("test", [(4, "test")]),
    ("a [b:3]", [(3, "a "), (4, "a b")]),
    ("a [b: 3 ]", [(3, "a "), (4, "a b")]),
    ("a [[[b]]:2]", [(2, "a "), (4, "a [[b]]")]),
    ("[(a:2):3]", [(3, ""), (4, "(a:2)")]),
    ("a [b : c : 1] d", [(1, "a b  d"), (4, "a  c  d")]),
    ("a[b:[c:d:2]:1]e", [(1, "abe"), (2, "ace"), (4, "ade")]),
    ("a [unbalanced", [(4, "a [unbalanced")]),
    ("a [b:.5] c", [(2, "a  c"), (4, "a b c")]),
    ("((a][:b:c [d:3]", [(3, "((a][:b:c "), (4, "((a][:b:c d")]),
    ("[fe|]male", [(1, "female"), (2, "male"), (3, "female"), (4, "male")]),
    ("[a:b:0]", [(4, "b")]),
    ("[a:b:1.0]", [(4, "a")]),
    ("[a:b:1]", [(1, "a"), (4, "b")]),
    ("[a::0.25]x", [(1, "ax"), (4, "x")]),
    ("[a|[b:c:2]]", [(1, "a"), (2, "b"), (3, "a"), (4, "c")]),
    ("[a:b:20]", [(4, "a")]),
    ("[a:b:x]", [(4, "[a:b:x]")]),
    ("[a:b:c:3]", [(4, "[a:b:c:3]")]),
    (r"\[a:b:3]", [(4, r"\[a:b:3]")]),
    (r"[a\|b:c\]:3]", [(3, r"a\|b"), (4, r"c\]")]),
    ("(a [b|c]:1.2)", [(step, f"(a {'cb'[step % 2]}:1.2)") for step in _ONE_TO_FOUR]),
    ("[:b:2]", [(2, ""), (4, "b")]),
    ("a | b", [(4, "a | b")]),
    ("(a|b)", [(4, "(a|b)")]),
]
"""Prompt → what A1111 1.10.1 makes of it for four steps."""


@pytest.mark.parametrize(("prompt", "texts"), _OF_A1111, ids=[prompt for prompt, _ in _OF_A1111])
def test_texts_are_those_of_a1111(prompt: str, texts: list[tuple[int, str]]) -> None:
    assert list(parse_schedule(prompt, 4)) == texts
    assert changes(prompt) == (len({text for _, text in texts}) > 1 or prompt in _CONSTANT)


_CONSTANT = ("[a:b:0]", "[a:b:1.0]", "[a:b:20]")
"""Edits that take place before the first step or after the last."""


def test_a_complete_edit_is_read_beside_a_loose_bracket() -> None:
    # where A1111's grammar is ambiguous and takes the edit for words
    assert parse_schedule("[a:b:0.5]: c", 4) == ((2, "a: c"), (4, "b: c"))
    assert parse_schedule("([a:b:0.5]", 4) == ((2, "(a"), (4, "(b"))


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("a | b, [c:d:0.5]", r"prompt: '\|' in 'a \| b, \[c:d:0.5\]' belongs to no alternation"),
        ("[a|b:0.5]", r"prompt: '\|' .* a backslash before it"),
        ("(c:1.2) [a|(b|c)]", "belongs to no alternation"),
        ("[a|b] c\\", r"prompt: '\\\\' in .* ends a line"),
    ],
)
def test_editing_that_a1111_takes_for_words_is_refused(prompt: str, message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        parse_schedule(prompt, 4)
    with pytest.raises(OptionsError, match=r"^negative-prompt: "):
        changes(prompt, "negative-prompt")


def test_deep_brackets_are_text() -> None:
    prompt = "[" * 5000 + "a" + "]" * 5000
    assert parse_schedule(prompt, 4) == ((4, prompt),)
    assert len(parse_schedule("[" * 60 + "a" + ":3]" * 60, 4)) == 2


@given(st.text("[]():|ab.5\\ \n"), st.integers(1, 5))
def test_any_text_can_be_read(prompt: str, steps: int) -> None:
    try:
        texts = parse_schedule(prompt, steps)
    except OptionsError:
        return
    ends = [last for last, _ in texts]
    assert ends == sorted(set(ends))
    assert ends[-1] == steps
    assert all(set(text) <= set(prompt) for _, text in texts)
