"""A name as a person wrote it and a server's list in, the name as the server has it out."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher

from kadr.errors import OptionsError
from kadr.stylize.servers.error_text import join_names

log = logging.getLogger(__name__)


def find_name(names: Mapping[str, str], name: str) -> str | None:
    """The value of a key: exactly as written, or else the only one in upper or lower case.

    names: what may be written → what the server calls it. None if there is none, or several.
    """
    if name in names:
        return names[name]
    folded = {value for key, value in names.items() if key.casefold() == name.casefold()}
    return folded.pop() if len(folded) == 1 else None


def unknown_name(option: str, name: str, available: Sequence[str]) -> OptionsError:
    """The error for a name that a server does not have; it lists those that it has."""
    if not available:
        return OptionsError(f"{option} {name!r}: the server has none")

    def distance(other: str) -> float:
        return -SequenceMatcher(None, name.casefold(), other.casefold()).ratio()

    nearest = sorted(available, key=distance)
    order = ", nearest first" if len(nearest) > 1 else ""
    return OptionsError(f"{option} {name!r}: the server has {join_names(nearest)}{order}")


def warn_unchecked(option: str, name: str, address: str) -> None:
    """Tell that a server has no list in which a name could be looked up."""
    log.warning(
        "%s: has no list of names for %s, so %r could not be checked; "
        "servers use another one without an error",
        address, option, name,
    )  # fmt: skip
