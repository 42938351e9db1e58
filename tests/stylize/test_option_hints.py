"""Messages that ask for an option name it as it is typed."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

import kadr
from kadr.cli.parse_values import parse_assignments
from kadr.cli.stylizer_choice import STYLIZER_FLAGS
from kadr.stylize.option_hints import SHARED_FLAGS, with_option
from kadr.stylize.registry import stylizer_names, stylizer_options

STYLIZE = Path(kadr.__file__).parent / "stylize"
_HINT = re.compile(r"""with_option\(\s*["'](\w+)["']""")
_BARE = re.compile(r"(?:give|try|as|with) (?:another |it as )?([a-z_]+)=")


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("model", "PATH", "--model PATH"),
        ("negative_prompt", "TEXT", "--negative-prompt TEXT"),
        ("download", "yes", "--download"),
        ("vae_tiling", "yes", "-O vae-tiling=yes"),
        ("auth", "user:password", "-O auth=user:password"),
    ],
)
def test_an_option_is_written_as_on_the_command_line(name: str, value: str, text: str) -> None:
    assert with_option(name, value) == text


def test_the_flags_are_those_of_the_command_line() -> None:
    assert {*STYLIZER_FLAGS, "seed"} == SHARED_FLAGS


def test_dashes_may_be_typed() -> None:
    kind = stylizer_options("a1111")
    assert parse_assignments(["send-mask=yes"], kind, "a1111") == {"send_mask": True}


def test_hints_name_options_that_exist_and_no_other_way() -> None:
    names = {item.name for name in stylizer_names() for item in fields(stylizer_options(name))}
    hints = set()
    for path in STYLIZE.rglob("*.py"):
        source = path.read_text("utf-8")
        hints |= set(_HINT.findall(source))
        assert not set(_BARE.findall(source)) & names, path
    assert len(hints) > 15
    assert hints <= names
