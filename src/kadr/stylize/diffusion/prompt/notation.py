"""A prompt in, what in it only A1111's notation gives a meaning out."""

from __future__ import annotations

import re
from collections.abc import Callable

from kadr.errors import OptionsError
from kadr.stylize.diffusion.prompt.lora_tags import split_lora_tags
from kadr.stylize.diffusion.prompt.schedule import changes
from kadr.stylize.diffusion.prompt.subprompts import split_subprompts

_BREAK = re.compile(r"\bBREAK\b")
_WEIGHT = re.compile(r"\([^()]*:\s*[.\d]+\s*\)")


def find_notation(prompt: str, *, weights: bool = True) -> str:
    """Names of what a prompt holds, such as "<lora:…>, AND"; "" if it holds nothing.

    weights: whether "(word:1.2)" counts too.
    """
    kinds = {
        "<lora:…>": _has(lambda: bool(split_lora_tags(prompt)[1])),
        "[a:b:0.5] or [a|b]": _has(lambda: changes(prompt)),
        "AND": len(split_subprompts(prompt)) > 1,
        "BREAK": _BREAK.search(prompt) is not None,
        "(word:1.2)": weights and _WEIGHT.search(prompt) is not None,
    }
    return ", ".join(kind for kind, is_there in kinds.items() if is_there)


def _has(test: Callable[[], bool]) -> bool:
    """The result of a test, or True where it refuses what it finds."""
    try:
        return test()
    except OptionsError:
        return True
