"""A prompt that changes during sampling in, its texts with the evaluations they are for out.

The notation is A1111's: ``[a:b:0.5]`` is a until half of the steps are done, then b; ``[a:5]`` adds
a after step 5, ``[a::5]`` takes it out then; ``[a|b]`` alternates from step to step. A number with
a point is a share of the steps, one without it is a step. Brackets may be nested; a backslash
before one makes it text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kadr.errors import OptionsError

ScheduledTexts = tuple[tuple[int, str], ...]
"""(last step, text) in rising order; each text holds for the steps up to its last one."""

_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*")

_PLAIN = re.compile(r"(?:[^\\\[\]():|]|\\.)+")

_ALTERNATION = re.compile(r"\[[^\[\]]*\|[^\[\]]*\]")

_DEEPEST = 100
"""Levels of brackets; deeper ones are text."""

_QUOTED = 40
"""Characters of a prompt that an error quotes."""


@dataclass(frozen=True)
class _Edit:
    """``[before:after:number]``."""

    before: _Nodes
    after: _Nodes
    number: str

    def last_step(self, steps: int) -> int:
        """The last step of ``before``; below 1 it has none."""
        share = "." in self.number
        return min(steps, int(float(self.number) * (steps if share else 1)))


@dataclass(frozen=True)
class _Alternation:
    """``[first|second|...]``."""

    options: tuple[_Nodes, ...]


_Nodes = tuple[str | _Edit | _Alternation, ...]


def parse_schedule(prompt: str, steps: int, name: str = "prompt") -> ScheduledTexts:
    """The texts of a prompt over ``steps`` steps; a prompt that does not change has one.

    Brackets that only weight words stay in the texts. name: of the option, for errors.
    Raises OptionsError for editing that A1111 itself would take for words.
    """
    nodes = _parse(prompt, name)
    ends = sorted({steps, *_ends(nodes, steps)})
    return tuple((end, _text_at(nodes, end, steps)) for end in ends)


def changes(prompt: str, name: str = "prompt") -> bool:
    """Whether a prompt holds editing or alternation. Raises OptionsError as ``parse_schedule``."""
    return any(not isinstance(node, str) for node in _parse(prompt, name))


def _ends(nodes: _Nodes, steps: int) -> Iterator[int]:
    """The last step of each text, without that of the last text."""
    for node in nodes:
        if isinstance(node, _Alternation):
            yield from range(1, steps)
            for option in node.options:
                yield from _ends(option, steps)
        elif isinstance(node, _Edit):
            last = node.last_step(steps)
            if last >= 1:
                yield last
            yield from _ends(node.before, steps)
            yield from _ends(node.after, steps)


def _text_at(nodes: _Nodes, step: int, steps: int) -> str:
    """The text at a step, counted from 1."""
    texts = []
    for node in nodes:
        if isinstance(node, _Alternation):
            option = node.options[(step - 1) % len(node.options)]
            texts.append(_text_at(option, step, steps))
        elif isinstance(node, _Edit):
            part = node.before if step <= node.last_step(steps) else node.after
            texts.append(_text_at(part, step, steps))
        else:
            texts.append(node)
    return "".join(texts)


def _parse(prompt: str, name: str) -> _Nodes:
    """The whole prompt; brackets and colons that belong to nothing are text.

    A1111 takes no brackets at all for editing in a prompt with ``|`` outside of an alternation, or
    with a backslash at the end of a line.
    """
    parser, nodes, position = _Parser(prompt), list[str | _Edit | _Alternation](), 0
    stray: int | None = None
    while position < len(prompt):
        group = parser.sequence(position, 0)
        nodes += group.nodes
        position = group.end
        if position < len(prompt):
            if prompt[position] in "|\\" and stray is None:
                stray = position
            nodes.append(prompt[position])
            position += 1
    if stray is None:
        return tuple(nodes)
    if any(not isinstance(node, str) for node in nodes) or _ALTERNATION.search(prompt):
        context = prompt[max(0, stray - _QUOTED // 2) : stray + _QUOTED // 2].strip()
        problem = "belongs to no alternation [a|b]" if prompt[stray] == "|" else "ends a line"
        raise OptionsError(
            f"{name}: {prompt[stray]!r} in {context!r} {problem}, and beside it A1111 reads no "
            "editing in brackets; take it out, or write a backslash before it"
        )
    return (prompt,)


@dataclass(frozen=True)
class _Group:
    """What was read: nodes, and the position after them."""

    nodes: _Nodes
    end: int


class _Parser:
    """Reads brackets that are complete; the others are left to the caller."""

    def __init__(self, prompt: str) -> None:
        self._prompt = prompt
        self._brackets: dict[int, _Group | None] = {}

    def sequence(self, position: int, depth: int) -> _Group:
        """Text and complete brackets, up to what is neither."""
        nodes: list[str | _Edit | _Alternation] = []
        while position < len(self._prompt):
            if match := _PLAIN.match(self._prompt, position):
                nodes.append(match[0])
                position = match.end()
                continue
            group = self._bracket(position, depth)
            if group is None:
                break
            nodes += group.nodes
            position = group.end
        return _Group(tuple(nodes), position)

    def _bracket(self, position: int, depth: int) -> _Group | None:
        """The complete bracket that begins here, or None."""
        if position not in self._brackets:
            is_open = self._prompt[position] in "[(" and depth < _DEEPEST
            self._brackets[position] = self._read_bracket(position, depth) if is_open else None
        return self._brackets[position]

    def _read_bracket(self, start: int, depth: int) -> _Group | None:
        prompt, closing = self._prompt, "])"[self._prompt[start] == "("]
        parts, separators, position = list[_Group](), "", start + 1
        starts = [position]
        while True:
            part = self.sequence(position, depth + 1)
            parts.append(part)
            position = part.end
            if position == len(prompt):
                return None
            if prompt[position] == closing:
                break
            if prompt[position] not in ":|":
                return None
            separators += prompt[position]
            position += 1
            starts.append(position)
        nodes = _combine(closing, separators, parts, prompt[starts[-1] : position])
        return None if nodes is None else _Group(nodes, position + 1)


def _combine(
    closing: str, separators: str, parts: Sequence[_Group], last_text: str
) -> _Nodes | None:
    """The nodes of a bracket with these parts, or None if it is no bracket of the notation."""
    nodes = [part.nodes for part in parts]
    if closing == ")" and separators in ("", ":"):
        between = () if len(nodes) < 2 else (":", *nodes[1])
        return ("(", *nodes[0], *between, ")")
    if closing == ")":
        return None
    if not separators:
        return ("[", *nodes[0], "]")
    if set(separators) == {"|"}:
        return (_Alternation(tuple(nodes)),)
    number = _NUMBER.fullmatch(last_text)
    if separators not in (":", "::") or number is None:
        return None
    before: _Nodes = nodes[0] if separators == "::" else ()
    return (_Edit(before, nodes[-2], number[1]),)
