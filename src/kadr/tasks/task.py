"""A task as a value: plain values in, items and notices out of the function that it names.

A task can be sent to another process or another machine: it holds no pixels, only where they are.
Its function is a generator ``function(task, context)``. It stores results where its values say,
and yields an Item for each; a task that runs again finds what it stored before.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import re
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self, TypeAlias

from kadr.core.events import CancelToken
from kadr.core.formatting import shorten
from kadr.errors import OptionsError

_FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


@dataclass(frozen=True)
class InputFrames:
    """An input: a path or URI, and which frames of it are read, ``[start, stop)``."""

    uri: str
    start: int
    stop: int

    def __post_init__(self) -> None:
        if not self.uri:
            raise OptionsError("input without a path or URI; say where the input is")
        if not 0 <= self.start < self.stop:
            raise OptionsError(
                f"{self.uri}: frames [{self.start}, {self.stop}); expected 0 <= start < stop"
            )


@dataclass(frozen=True)
class Task:
    """What to do, as plain values; ``from_json`` of ``to_json`` is an equal task.

    Raises OptionsError when a value is out of range or is not plain.
    """

    id: str
    """Unique among the tasks of a run."""
    function: str
    """``package.module:name`` of a generator of items."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """None, booleans, finite numbers, text, and lists and mappings of these; lists become tuples.
    """
    inputs: tuple[InputFrames, ...] = ()
    cores: int = 1
    """How many it asks for; it may get fewer where the machine has fewer, or more."""
    memory: int = 0
    """Bytes at its peak, with the process it runs in."""
    retries: int = 2
    """How often it is tried again after its worker was lost."""
    seed: int = 0
    after: tuple[str, ...] = ()
    """Ids of tasks that must be done before; all of them come before this one in the run."""
    priority: float = 0.0
    """The ready task with the highest priority starts first, of equals the one submitted first."""
    type: str = ""
    """The name of its type of work, for the reader of its events; executors do not use it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", tuple(self.inputs))
        object.__setattr__(self, "after", tuple(self.after))
        if not self.id:
            raise OptionsError("task without an id; give it one")
        if not _FUNCTION.fullmatch(self.function):
            raise OptionsError(
                f"task {self.id}: function {shorten(self.function)!r}; expected "
                "'package.module:name'"
            )
        for name, least in (("cores", 1), ("memory", 0), ("retries", 0), ("seed", 0)):
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise OptionsError(
                    f"task {self.id}: {name} {shorten(repr(value))}; expected a whole number from "
                    f"{least} up"
                )
        if not isinstance(self.priority, (int, float)) or not abs(self.priority) < math.inf:
            raise OptionsError(
                f"task {self.id}: priority {shorten(self.priority)}; expected a number"
            )
        if self.id in self.after:
            raise OptionsError(f"task {self.id}: comes after itself; leave that out of 'after'")
        plain = {name: _plain(value, f"task {self.id}: {name}") for name, value in _items(self)}
        object.__setattr__(self, "values", plain)

    def to_json(self) -> str:
        """The task as JSON text; equal tasks give the same text."""
        return json.dumps(asdict(self), sort_keys=True, allow_nan=False, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what ``to_json`` gave. Raises OptionsError naming what is wrong with it."""
        try:
            content = json.loads(text)
            unknown = content.keys() - {item.name for item in fields(cls)}
            if unknown:
                raise OptionsError(f"task: unknown field {shorten(min(unknown))!r}; leave it out")
            content["inputs"] = tuple(InputFrames(**entry) for entry in content.get("inputs", ()))
            return cls(**content)
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            if isinstance(error, OptionsError):
                raise
            raise OptionsError(f"task: not the JSON text of a task ({shorten(error)})") from error


@dataclass(frozen=True)
class Item:
    """A stored result: its index in the clip, where it is stored, a hash of its content."""

    index: int
    reference: str
    digest: str


@dataclass(frozen=True)
class Notice:
    """A line for people."""

    text: str


@dataclass(frozen=True)
class PartialProgress:
    """How much of a task is done; for tasks that run long before their first item."""

    done: int
    total: int


Yielded: TypeAlias = Item | Notice | PartialProgress


@dataclass
class TaskContext:
    """What a task's function may use while it runs."""

    threads: int
    """Cores it may use now; the number can change at each ``yield``."""
    cancel: CancelToken = field(default_factory=CancelToken)
    """Checked between frames; the executor checks it too, at each ``yield``."""
    notify: Callable[[str], None] = lambda text: None
    """Show a line to the user at once, from any thread, where a ``yield`` has to wait."""


TaskFunction: TypeAlias = Callable[[Task, TaskContext], Iterator[Yielded]]


def run_function(task: Task, context: TaskContext) -> Generator[Yielded, None, None]:
    """Run the function that a task names. Raises OptionsError if it does not exist."""
    module, name = task.function.split(":")
    try:
        function: TaskFunction = getattr(importlib.import_module(module), name)
    except (ModuleNotFoundError, AttributeError) as error:
        raise OptionsError(
            f"task {task.id}: no function {task.function!r} ({error}); "
            "expected one that can be imported"
        ) from error
    yield from function(task, context)


def digest_of(items: Mapping[int, str]) -> str:
    """A hash of all items of a task, by index → digest; their order does not matter."""
    text = json.dumps(sorted(items.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _items(task: Task) -> Iterator[tuple[str, object]]:
    if not isinstance(task.values, Mapping):
        raise OptionsError(f"task {task.id}: values {task.values!r}; expected a mapping")
    yield from task.values.items()


def _plain(value: object, where: str) -> object:
    """A deep copy of plain values; raises OptionsError for others, which JSON would change."""
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float and math.isfinite(value):
        return value
    if isinstance(value, (list, tuple)):
        return tuple(_plain(item, f"{where}[{i}]") for i, item in enumerate(value))
    if isinstance(value, Mapping):
        for key in value:
            if type(key) is not str:
                raise OptionsError(f"{where}: key {key!r}; expected text")
        return {key: _plain(item, f"{where}.{key}") for key, item in value.items()}
    raise OptionsError(
        f"{where}: {value!r} is not plain; give text, finite numbers, lists and mappings of them"
    )
