"""What a run was in, JSON text out, and back: ``run.json`` and ``report.json`` are this text."""

from __future__ import annotations

import importlib.metadata
import json
import logging
import math
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from kadr.core.frames import FrameRange
from kadr.files import atomic_file

VERSION = 1
"""Of the text; a record of another version is not read."""

_FITS: Mapping[Any, tuple[type, ...]] = {
    int: (int,),
    float: (int, float),
    str: (str,),
    bool: (bool,),
}
"""Type of a field → what JSON may hold for it."""

_Kind = TypeVar("_Kind")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClipFacts:
    """The clip of a run, as it was then."""

    path: str
    width: int
    """Pixels, turned the right way up."""
    height: int
    frame_count: int
    frame_rate: float
    """Frames a second, average."""
    identity: str = ""
    """Hash of the content, or "" where it was not taken."""


@dataclass(frozen=True)
class KeyRecord:
    """A key and the frames it styles: indices ``[start, stop)``; people know it by ``number``."""

    index: int
    number: int
    start: int
    stop: int


@dataclass(frozen=True)
class StepRecord:
    """A step of the run: how long it took, what it made and what stood there already."""

    name: str
    seconds: float
    computed: int
    """Results made in this run: frames, passes or keys, whatever the step counts."""
    reused: int = 0
    """Results of earlier runs that still held."""


@dataclass(frozen=True)
class NextKey:
    """The frame most worth painting next, and the mean error over all frames that it would save."""

    index: int
    number: int
    gain: float
    """0–1, in the units of the measured error."""


@dataclass(frozen=True)
class RunRecord:
    """One run, finished or stopped. Frames are 0-based indices of the clip; ranges are half-open.

    measured: error of each frame from ``first_frame`` on, 0–1; None where a frame is not made.
    predicted: what the plan expected of the same frames, 0–1, or None without a plan.
    numbers: what people call the same frames. All three are as long as the run has frames.
    """

    clip: ClipFacts
    keys: tuple[KeyRecord, ...]
    first_frame: int
    numbers: tuple[int, ...]
    measured: tuple[float | None, ...]
    predicted: tuple[float, ...] | None = None
    shots: tuple[FrameRange, ...] = ()
    steps: tuple[StepRecord, ...] = ()
    options: Mapping[str, Any] | None = None
    """Plain values, as ``plain_values`` gives them of an options dataclass."""
    versions: Mapping[str, str] | None = None
    output: str = ""
    began: str = ""
    """When, as ISO 8601 text."""
    seconds: float = 0.0
    """From beginning to end, waiting included."""
    work_bytes: int = 0
    output_bytes: int = 0
    finished: bool = True
    next_key: NextKey | None = None
    notes: tuple[str, ...] = ()
    """Lines for people: a clip found elsewhere, a damaged work file that was made again."""

    def __post_init__(self) -> None:
        counts = {len(self.numbers), len(self.measured)}
        if self.predicted is not None:
            counts.add(len(self.predicted))
        if len(counts) != 1 or 0 in counts:
            raise ValueError(
                f"{len(self.numbers)} numbers, {len(self.measured)} measured errors, "
                f"{'no' if self.predicted is None else len(self.predicted)} predicted: "
                "expected one of each a frame"
            )

    @property
    def frames(self) -> FrameRange:
        """The frames of the run."""
        return FrameRange(self.first_frame, self.first_frame + len(self.numbers))

    @property
    def made(self) -> int:
        """How many frames have been made."""
        return sum(error is not None for error in self.measured)

    @property
    def mean_error(self) -> float | None:
        """Mean measured error of the frames made, 0–1; None if none is."""
        known = [error for error in self.measured if error is not None]
        return math.fsum(known) / len(known) if known else None

    def number(self, index: int) -> int:
        """What people call the frame at ``index``, which is one of the run."""
        return self.numbers[index - self.first_frame]

    def error(self, index: int) -> float | None:
        """Measured error of the frame at ``index``, 0–1."""
        return self.measured[index - self.first_frame]

    def worst(self, count: int, apart: int = 1) -> list[int]:
        """Indices of up to ``count`` frames of the largest measured error, worst first.

        apart: frames between any two of them at least, so that they are not all of one moment.
        """
        known = [(error, at) for at, error in enumerate(self.measured) if error is not None]
        chosen: list[int] = []
        for _, at in sorted(known, key=lambda item: (-item[0], item[1])):
            if len(chosen) == count:
                break
            if all(abs(at - other) >= apart for other in chosen):
                chosen.append(at)
        return [self.first_frame + at for at in chosen]


def library_versions() -> dict[str, str]:
    """Versions of kadr, Python and the libraries that a result may depend on."""
    import cv2
    import numpy as np

    found = {"kadr": _installed("kadr"), "python": platform.python_version()}
    found |= {"numpy": np.__version__, "opencv": cv2.__version__}
    return found | {name: _installed(name) for name in ("numba", "av")}


def _installed(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def plain_values(value: Any) -> Any:
    """Options as JSON holds them: dataclasses as mappings, tuples as lists, the rest as text."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain_values(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain_values(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_values(inner) for inner in value]
    return str(value)


def record_text(record: RunRecord) -> str:
    """The record as JSON, one field a line."""
    facts = {"record": VERSION, **plain_values(asdict(record))}
    lines = [f"{json.dumps(name)}: {_json(value)}" for name, value in facts.items()]
    return "{\n" + ",\n".join(f"  {line}" for line in lines) + "\n}\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def write_record(record: RunRecord, path: Path) -> None:
    """Write the record to ``path``, whole or not at all. Raises OutputError."""
    with atomic_file(path) as temporary:
        temporary.write_text(record_text(record), encoding="utf-8")


def read_record(path: Path) -> RunRecord | None:
    """The record at ``path``; None without one, or with a logged note if it cannot be used."""
    try:
        return _parse(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        _log.warning("%s: not a record of a run that can be read (%s); left aside", path, reason)
        return None


def _parse(facts: dict[str, Any]) -> RunRecord:
    """The record of what JSON held; raises what comes of a wrong shape."""
    facts = dict(facts)
    version = facts.pop("record")
    if version != VERSION:
        raise ValueError(f"version {version!r}, expected {VERSION}")
    facts["clip"] = _build(ClipFacts, facts["clip"])
    facts["keys"] = tuple(_build(KeyRecord, key) for key in facts["keys"])
    facts["shots"] = tuple(_build(FrameRange, shot) for shot in facts["shots"])
    facts["steps"] = tuple(_build(StepRecord, step) for step in facts["steps"])
    facts["numbers"] = tuple(int(number) for number in facts["numbers"])
    facts["measured"] = tuple(_number(error) for error in facts["measured"])
    if facts["predicted"] is not None:
        facts["predicted"] = tuple(float(error) for error in facts["predicted"])
    if facts["next_key"] is not None:
        facts["next_key"] = _build(NextKey, facts["next_key"])
    facts["notes"] = tuple(str(note) for note in facts["notes"])
    return _build(RunRecord, facts)


def _build(kind: type[_Kind], facts: Mapping[str, Any]) -> _Kind:
    """A dataclass of what JSON held, its numbers and texts checked: JSON promises no types."""
    for name, hint in get_type_hints(kind).items():
        fit = _FITS.get(hint, (object,))
        if name in facts and not isinstance(facts[name], fit):
            raise TypeError(f"{name} {facts[name]!r}, expected {hint.__name__}")
    return kind(**facts)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
