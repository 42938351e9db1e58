"""Why the server does not do what a page asks, with the status of the answer."""

from __future__ import annotations

from typing import Any

from kadr.errors import KadrError

MALFORMED, MISSING, CONFLICT, NO_LENGTH, TOO_LARGE, REFUSED, READ_ONLY, FULL = (
    400, 404, 409, 411, 413, 422, 423, 507,
)  # fmt: skip
"""HTTP statuses."""

_FULL_TEXTS = ("free some space", "disk is full", "No space left")


class Refusal(KadrError):  # noqa: N818 - a page that asks too much is no error of the server
    """A request that is not carried out. facts: more members of the answer."""

    def __init__(self, status: int, message: str, kind: str = "Refused", **facts: Any) -> None:
        super().__init__(message)
        self.status, self.kind, self.facts = status, kind, facts

    def body(self) -> dict[str, Any]:
        """The answer."""
        error = {"kind": self.kind, "message": str(self), "remedy": None}
        return {"error": error, **self.facts}


def status_of(facts: dict[str, Any]) -> int:
    """The status for an error of kadr: ``kind`` and ``message``."""
    if any(text in facts["message"] for text in _FULL_TEXTS):
        return FULL
    kinds = {"Fault": 500, "FolderInUseError": READ_ONLY, "Cancelled": CONFLICT}
    return kinds.get(facts["kind"], REFUSED)
