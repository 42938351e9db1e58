"""Names in the package say what they hold: no vague word stands for a thing that has a name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kadr

ROOT = Path(kadr.__file__).parent

VAGUE_NAMES = {
    "made":     "result, image, frame, path, or a verb: render, create",
    "found":    "match, entry, path, result",
    "known":    "cached, valid, existing",
    "told":     "message, notice, ranges",
    "born":     "created, start_time",
    "shown":    "visible, reference_image, thumbnail",
    "past":     "previous_frames, history",
    "plate":    "model_input, image",
    "lend":     "provide, limit",
    "lent":     "context, provider, limited",
    "account":  "recorder, record",
    "board":    "queue",
    "foretold": "dry_run, estimated, predicted",
    "given":    "requested, manual, options",
    "said":     "text, message",
    "heed":     "use, apply",
}  # fmt: skip
"""Word → terms to use instead."""


def _bindings(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """(name, line) of every variable, attribute, parameter, function and class that is bound."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or (
            isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name
        ):
            yield node.name, node.lineno
        elif isinstance(node, ast.MatchMapping) and node.rest:
            yield node.rest, node.lineno
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((alias.asname, alias.lineno) for alias in node.names if alias.asname)


def _vague_bindings(source: str, path: str) -> list[str]:
    """One line for each vague name: file, line, word and hint."""
    return [
        f"{path}:{line}: {name}: use {VAGUE_NAMES[word]}"
        for name, line in _bindings(ast.parse(source, path))
        if (word := name.strip("_").lower()) in VAGUE_NAMES
    ]


def _modules() -> list[Path]:
    return sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))


@pytest.mark.parametrize("module", _modules(), ids=str)
def test_names_say_what_they_hold(module: Path) -> None:
    vague = _vague_bindings((ROOT / module).read_text(encoding="utf-8"), str(module))
    assert not vague, "\n".join(["vague names", *vague])


_BINDINGS = [
    "{} = 1",
    "{}: int = 1",
    "x.{} = 1",
    "x, ({}, *y) = 1, (2, 3)",
    "for {} in x: pass",
    "[1 for {} in x]",
    "with x as {}: pass",
    "print({} := 1)",
    "def {}(): pass",
    "async def {}(): pass",
    "def f({}): pass",
    "def f(*{}): pass",
    "def f(*, {}=1): pass",
    "lambda {}: 1",
    "class {}: pass",
    "import x as {}",
    "from x import y as {}",
    "try: pass\nexcept x as {}: pass",
    "match x:\n case [1, *{}]: pass",
    "match x:\n case {{**{}}}: pass",
    "match x:\n case y as {}: pass",
]


@given(st.sampled_from(_BINDINGS), st.sampled_from(sorted(VAGUE_NAMES)), st.sampled_from("_ "))
def test_every_kind_of_binding_is_read(binding: str, word: str, prefix: str) -> None:
    source = "x = 1\n" + binding.format(prefix.strip() + word)
    line = 1 + source[: source.index(word)].count("\n")
    (message,) = _vague_bindings(source, "a.py")
    assert message == f"a.py:{line}: {prefix.strip()}{word}: use {VAGUE_NAMES[word]}"


@pytest.mark.parametrize("source", ["x = made", "made()", "x.told", "made_up = 1", "'made'"])
def test_uses_and_longer_names_are_allowed(source: str) -> None:
    assert _vague_bindings(source, "a.py") == []
