"""A prompt with AND in, the prompts that it joins with their weights out.

As in A1111, ``a cat AND a dog :0.5`` steers towards both, towards the second half as much. Liu et
al. 2022, "Compositional Visual Generation with Composable Diffusion Models".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_AND = re.compile(r"\bAND\b")

_WEIGHT = re.compile(r"(.*?)(?:\s*:\s*([-+]?(?:\d+\.?|\d*\.\d+)))?\s*", re.DOTALL)


@dataclass(frozen=True)
class Subprompt:
    """One prompt of several, and how strongly it steers."""

    text: str
    weight: float = 1.0


def split_subprompts(prompt: str) -> tuple[Subprompt, ...]:
    """The prompts that AND joins; one if there is no AND.

    A number after the last colon is the weight, also without AND.
    """
    subprompts = []
    for part in _AND.split(prompt):
        match = _WEIGHT.fullmatch(part)
        assert match is not None  # it matches any text
        subprompts.append(Subprompt(match[1], float(match[2] or 1)))
    return tuple(subprompts)
