"""The record of a run as JSON text, in ``run.json`` and ``report.json``; written and read here."""

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

from kadr.core.formatting import shorten
from kadr.core.frames import FrameRange
from kadr.files import atomic_file

VERSION = 3
"""Version of the format; a record of another version is not read."""

_JSON_TYPES: Mapping[Any, tuple[type, ...]] = {
    int: (int,),
    float: (int, float),
    str: (str,),
    bool: (bool,),
}
"""Type of a field → types that its JSON value may have."""

_Kind = TypeVar("_Kind")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClipRecord:
    """The clip of a run, at the time of the run."""

    path: str
    width: int
    """In pixels, upright."""
    height: int
    frame_count: int
    frame_rate: float
    """Frames a second, average."""
    identity: str = ""
    """Hash of the content, or "" if it was not computed."""


@dataclass(frozen=True)
class KeyRecord:
    """A key and the frames that it styles, indices ``[start, stop)``; users see ``number``."""

    index: int
    number: int
    start: int
    stop: int


@dataclass(frozen=True)
class StepRecord:
    """A step of the run: its time, computed results and reused results."""

    name: str
    seconds: float
    computed: int
    """Results computed in this run: frames, passes or keys, depending on the step."""
    reused: int = 0
    """Results of earlier runs that were still valid."""


@dataclass(frozen=True)
class StageRecord:
    """A stage of a step, and the seconds of a core that it took, in all processes together.

    step: "other" for what ran outside of steps, by kind of process.
    name: "" for the rest of a step.
    """

    step: str
    name: str
    seconds: float


@dataclass(frozen=True)
class WorkerRecord:
    """A worker and the frames that it made in one step, as ranges of indices in order."""

    name: str
    """The process and, where there are several, the machine."""
    step: str
    frames: tuple[FrameRange, ...]


@dataclass(frozen=True)
class NextKey:
    """The frame to paint next, and the estimated reduction of the mean error over all frames."""

    index: int
    number: int
    gain: float
    """0–1, in the units of the measured error."""


@dataclass(frozen=True)
class RunRecord:
    """One run, finished or stopped. Frames are 0-based indices of the clip; ranges are half-open.

    measured: error of each frame from ``first_frame`` on, 0–1; None for a frame that is not
    rendered.
    predicted: error of the same frames estimated by the plan, 0–1, or None without a plan.
    numbers: frame numbers of the same frames. All three have one item for each frame of the run.
    """

    clip: ClipRecord
    keys: tuple[KeyRecord, ...]
    first_frame: int
    numbers: tuple[int, ...]
    measured: tuple[float | None, ...]
    predicted: tuple[float, ...] | None = None
    shots: tuple[FrameRange, ...] = ()
    steps: tuple[StepRecord, ...] = ()
    stages: tuple[StageRecord, ...] = ()
    options: Mapping[str, Any] | None = None
    """The options dataclass as ``plain_values``."""
    versions: Mapping[str, str] | None = None
    output: str = ""
    started: str = ""
    """Time of the start as ISO 8601 text."""
    seconds: float = 0.0
    """Duration of the run, waiting included."""
    work_bytes: int = 0
    output_bytes: int = 0
    finished: bool = True
    next_key: NextKey | None = None
    notes: tuple[str, ...] = ()
    """Lines for the user: a clip that moved, a damaged work file that was computed again."""
    shares: Mapping[str, tuple[float, ...]] | None = None
    """In one style: number of a key → the share of each frame that is its own paint, 0–1; all the
    rest comes from the key whose style it is. None without one style, or if it is not known."""

    executor: str = ""
    """Where tasks ran: inline, processes or ray; "" if none had to run."""
    workers: tuple[WorkerRecord, ...] = ()
    """Who made what in this run."""

    def __post_init__(self) -> None:
        counts = {len(self.numbers), len(self.measured)}
        if self.predicted is not None:
            counts.add(len(self.predicted))
        if len(counts) != 1 or 0 in counts:
            raise ValueError(
                f"{len(self.numbers)} numbers, {len(self.measured)} measured errors, "
                f"{'no' if self.predicted is None else len(self.predicted)} predicted: "
                "expected one of each for each frame"
            )

    @property
    def frames(self) -> FrameRange:
        """The frames of the run."""
        return FrameRange(self.first_frame, self.first_frame + len(self.numbers))

    @property
    def rendered_count(self) -> int:
        """Number of rendered frames."""
        return sum(error is not None for error in self.measured)

    @property
    def mean_error(self) -> float | None:
        """Mean measured error of the rendered frames, 0–1; None if there are none."""
        errors = [error for error in self.measured if error is not None]
        return math.fsum(errors) / len(errors) if errors else None

    def number(self, index: int) -> int:
        """The frame number of the frame at ``index``, which is one of the run."""
        return self.numbers[index - self.first_frame]

    def error(self, index: int) -> float | None:
        """Measured error of the frame at ``index``, 0–1."""
        return self.measured[index - self.first_frame]

    def computed(self, step: str) -> int:
        """How many results a step computed in this run; 0 if it is not a step of it."""
        return sum(item.computed for item in self.steps if item.name == step)

    def worst(self, count: int, apart: int = 1) -> list[int]:
        """Indices of up to ``count`` frames with the largest measured error, worst first.

        apart: smallest distance between two of them in frames, so that they show different moments.
        """
        errors = [
            (error, position) for position, error in enumerate(self.measured) if error is not None
        ]
        chosen: list[int] = []
        for _, position in sorted(errors, key=lambda item: (-item[0], item[1])):
            if len(chosen) == count:
                break
            if all(abs(position - chosen_position) >= apart for chosen_position in chosen):
                chosen.append(position)
        return [self.first_frame + position for position in chosen]


def library_versions() -> dict[str, str]:
    """Versions of kadr, Python and the libraries that results may depend on."""
    import cv2
    import numpy as np

    versions = {"kadr": _installed_version("kadr"), "python": platform.python_version()}
    versions |= {"numpy": np.__version__, "opencv": cv2.__version__}
    return versions | {name: _installed_version(name) for name in ("numba", "av")}


def _installed_version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def plain_values(value: Any) -> Any:
    """Options as JSON values: dataclasses as mappings, tuples as lists, other values as text."""
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
    """The record as JSON, one field on each line."""
    values = {"record": VERSION, **plain_values(asdict(record))}
    lines = [f"{json.dumps(name)}: {_json(value)}" for name, value in values.items()]
    return "{\n" + ",\n".join(f"  {line}" for line in lines) + "\n}\n"


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # the name of a file in an unknown encoding
        return json.dumps(value, allow_nan=False)
    return text


def write_record(record: RunRecord, path: Path) -> None:
    """Write the record to ``path`` atomically. Raises OutputError."""
    with atomic_file(path) as temporary:
        temporary.write_text(record_text(record), encoding="utf-8")


def read_record(path: Path) -> RunRecord | None:
    """The record at ``path``; None without a file, or (logged) if it cannot be used."""
    try:
        return _parse(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        reason = shorten(str(error).partition("\n")[0] or type(error).__name__)
        _log.warning("%s: not a readable record of a run (%s); ignored", path, reason)
        return None


def _parse(values: dict[str, Any]) -> RunRecord:
    """The record from JSON values; raises the error that a wrong structure causes."""
    values = dict(values)
    version = values.pop("record")
    if version != VERSION:
        raise ValueError(f"version {version!r}, expected {VERSION}")
    values["clip"] = _build(ClipRecord, values["clip"])
    values["keys"] = tuple(_build(KeyRecord, key) for key in values["keys"])
    values["shots"] = tuple(_build(FrameRange, shot) for shot in values["shots"])
    values["steps"] = tuple(_build(StepRecord, step) for step in values["steps"])
    values["stages"] = tuple(_build(StageRecord, item) for item in values["stages"])
    values["numbers"] = tuple(_checked(number, int) for number in values["numbers"])
    values["measured"] = tuple(_number(error) for error in values["measured"])
    values["workers"] = tuple(
        _build(
            WorkerRecord,
            {**item, "frames": tuple(_build(FrameRange, frames) for frames in item["frames"])},
        )
        for item in values.get("workers", ())
    )
    if values["predicted"] is not None:
        values["predicted"] = tuple(_checked(error, float) for error in values["predicted"])
    if values["next_key"] is not None:
        values["next_key"] = _build(NextKey, values["next_key"])
    values["notes"] = tuple(_checked(note, str) for note in values["notes"])
    if values.get("shares") is not None:
        values["shares"] = {
            _checked(number, str): tuple(_checked(share, float) for share in shares)
            for number, shares in values["shares"].items()
        }
    for name in ("options", "versions"):
        if not isinstance(values.get(name), dict | None):
            raise TypeError(f"{name}: expected an object")
    for version in (values.get("versions") or {}).values():
        _checked(version, str)
    if values["first_frame"] < 0:
        raise ValueError(f"first_frame {values['first_frame']}, expected 0 or more")
    return _build(RunRecord, values)


def _build(kind: type[_Kind], values: Mapping[str, Any]) -> _Kind:
    """A dataclass from JSON values, with checked types of numbers and texts."""
    for name, hint in get_type_hints(kind).items():
        if name in values and hint in _JSON_TYPES:
            _checked(values[name], hint)
    return kind(**values)


def _checked(value: Any, kind: type[_Kind]) -> _Kind:
    """The value, if it is one that a run may have written."""
    plain_type = type(value) in _JSON_TYPES[kind]
    if not plain_type or (isinstance(value, float) and not math.isfinite(value)):
        raise TypeError(f"{shorten(value)}, expected {kind.__name__}")
    if isinstance(value, int) and value.bit_length() > 63:
        raise ValueError(f"{shorten(value)}, expected a smaller number")
    result: _Kind = value
    return result


def _number(value: Any) -> float | None:
    return None if value is None else _checked(value, float)
