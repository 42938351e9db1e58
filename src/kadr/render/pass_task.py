"""One segment of one key's pass in, its frames kept in a store out: the task a worker runs.

A pass starts at its key and walks one way. Each frame is kept with its error and motion, both
small, and every few frames the state from which the pass can go on. So a pass that was stopped
goes on from the last state, and any frame of it is a few steps away from one.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Frame
from kadr.core.prefetch import prefetch
from kadr.errors import ResumeError
from kadr.guides.flow import FlowPair, flow_pair, gray
from kadr.options import PropagateOptions
from kadr.propagate import (
    STATE_INTERVAL,
    KeyStyle,
    PassFrame,
    PassState,
    pack_state,
    propagate,
    unpack_state,
)
from kadr.storage.store import FolderStore, Store, fingerprint
from kadr.tasks.task import InputFrames, Item, Task, TaskContext
from kadr.video.base import Clip
from kadr.video.clips import open_clip

STEP = "propagate"
VERSION = 2

SEGMENT = 2 * STATE_INTERVAL
"""The most frames of one task: what a lost worker can hold up, and the grain of sharing out."""

_SMALL_SIDE = 240
"""Errors and motion are kept at this longest side or up to twice it: joining needs no more."""
_FLOW_UNITS = np.float32(64)
_FLOW_ZERO = np.float32(32768)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClipSource:
    """A clip as a task names it: a path and how it is opened."""

    path: str
    identity: str
    """Hash of its content."""
    allow_truncated: bool = False
    frame_rate: str | None = None

    def open(self) -> Clip:
        """The clip; raises InputError if it is not there any more."""
        rate = None if self.frame_rate is None else Fraction(self.frame_rate)
        return open_clip(self.path, allow_truncated=self.allow_truncated, frame_rate=rate)


@dataclass(frozen=True)
class Pass:
    """One key's way through its span in one direction, and where its frames are kept.

    key, last: frame indices; the pass makes the frames after ``key`` up to and with ``last``.
    name: of its entries; all that its pixels depend on is in it, the length of the way is not.
    """

    key: int
    last: int
    name: str

    @property
    def direction(self) -> int:
        """1 forward, −1 backward."""
        return 1 if self.last > self.key else -1

    def __len__(self) -> int:
        return abs(self.last - self.key)

    def index(self, distance: int) -> int:
        """The frame so many steps from the key."""
        return self.key + self.direction * distance

    def distance(self, index: int) -> int:
        """How many steps from the key a frame is."""
        return (index - self.key) * self.direction

    def covers(self, index: int) -> bool:
        """Whether it makes the frame."""
        return 0 < self.distance(index) <= len(self)

    def frame_entry(self, index: int) -> str:
        """Under which name a frame is kept."""
        return f"{self.name}/{index:06d}"

    def state_entry(self, index: int) -> str:
        """Under which name the state after a frame is kept."""
        return f"{self.name}/{index:06d}-state"


@dataclass(frozen=True)
class PassInput:
    """All that the pixels of a key's passes depend on, but for the style itself."""

    source: ClipSource
    key: int
    options: PropagateOptions
    seed: int

    def name(self, style: str, direction: int) -> str:
        """The name of a pass; ``style`` is the digest of the key's stylized frame."""
        made_of = (self.source.identity, self.key, style, direction, self.options, self.seed)
        return f"{STEP}/{fingerprint(STEP, VERSION, *made_of)}"


def style_digest(style: NDArray[np.uint8]) -> str:
    """A hash of a stylized frame's pixels."""
    digest = hashlib.sha256(str(style.shape).encode())
    digest.update(np.ascontiguousarray(style).tobytes())
    return digest.hexdigest()[:32]


def pass_task(
    work: Pass,
    made_of: PassInput,
    style_entry: str,
    channels: int,
    store: Path,
    distances: tuple[int, int],
    **more: Any,
) -> Task:
    """A task that makes the frames ``distances`` (first and last, from the key) of a pass.

    style_entry: where the store keeps the stylized key; channels: 3 or 4, of all keys together.
    more: the task's ``after``, ``priority`` and the like.
    """
    first, last = distances
    ends = sorted((work.index(first), work.index(last)))
    values = {
        "source": asdict(made_of.source),
        "key": work.key,
        "last": work.last,
        "name": work.name,
        "options": asdict(made_of.options),
        "style": style_entry,
        "channels": channels,
        "store": str(store),
        "first_distance": first,
        "last_distance": last,
    }
    return Task(
        id=f"{work.name}/{first:06d}",
        function="kadr.render.pass_task:run_pass_task",
        values=values,
        inputs=(InputFrames(made_of.source.path, ends[0], ends[1] + 1),),
        seed=made_of.seed,
        **more,
    )


def run_pass_task(task: Task, context: TaskContext) -> Iterator[Item]:
    """Make the frames of one segment and keep them; an Item for each, the entry's name in it.

    Raises ResumeError if the stylized key is gone from the store.
    """
    values: Mapping[str, Any] = task.values
    store = FolderStore(Path(values["store"]))
    work = Pass(values["key"], values["last"], values["name"])
    with ExitStack() as stack:
        clip = stack.enter_context(ClipSource(**values["source"]).open())
        style = load_style(store, values["style"], values["channels"])
        key = KeyStyle(
            clip.frame(work.key),
            style,
            PropagateOptions(**values["options"]),
            seed=task.seed,
        )
        first = _first_open(store, work, values["first_distance"], values["last_distance"])
        state = nearest_state(store, work, first)
        made = walk(clip, key, work, state, values["last_distance"], context)
        for result, after in stack.enter_context(closing(made)):
            entry = work.frame_entry(result.index)
            store.put(entry, kept_frame(result, work.direction))
            if abs(result.index - work.key) % STATE_INTERVAL == 0:
                store.put(work.state_entry(result.index), pack_state(after))
            yield Item(result.index, entry, style_digest(result.image))


def load_style(store: Store, entry: str, channels: int) -> NDArray[np.uint8]:
    """A stylized key, (H, W, channels) uint8; alpha is added if another key has it."""
    arrays = store.get(entry)
    if arrays is None or "image" not in arrays:
        store.discard(entry)
        raise ResumeError(f"{entry}: the stylized key is damaged or gone; it has to be made again")
    image: NDArray[np.uint8] = arrays["image"]
    if image.shape[2] < channels:
        image = np.concatenate([image, np.full_like(image[..., :1], 255)], axis=2)
    return image


def _first_open(store: Store, work: Pass, first: int, last: int) -> int:
    """The first distance of a segment whose frame is not kept: a task run again goes on there."""
    for distance in range(first, last):
        if not store.has(work.frame_entry(work.index(distance))):
            return distance
    return last


def nearest_state(store: Store, work: Pass, distance: int) -> PassState | None:
    """The last whole state before the frame at ``distance``; None: begin at the key itself."""
    for at in range((distance - 1) // STATE_INTERVAL * STATE_INTERVAL, 0, -STATE_INTERVAL):
        index = work.index(at)
        packed, frame = store.get(work.state_entry(index)), None
        if packed is not None:
            frame = store.get(work.frame_entry(index), only=("image",))
        if packed is None or not frame:
            continue
        try:
            return unpack_state(packed, index, frame["image"])
        except (ValueError, KeyError):
            _log.warning("%s: not a whole state; it will be made again", work.state_entry(index))
            store.discard(work.state_entry(index))
    return None


def walk(
    clip: Clip,
    key: KeyStyle,
    work: Pass,
    state: PassState | None,
    last_distance: int,
    context: TaskContext,
) -> Generator[tuple[PassFrame, PassState], None, None]:
    """The frames of a pass after ``state`` (the key's own frame if None) up to a distance."""
    at = work.key if state is None else state.index
    end = work.index(last_distance)
    if work.direction > 0:
        frames = clip.frames(at, end + 1)
    else:
        frames = clip.frames_backward(end, at + 1)
    steps: Iterable[tuple[Frame, FlowPair]] = with_flow(frames, key.options.quick_flow)
    with ExitStack() as stack:
        if context.threads != 1:
            steps = stack.enter_context(closing(prefetch(steps)))
        yield from propagate(key, iter(steps), state, context.cancel)


def with_flow(frames: Iterable[Frame], quick: bool) -> Iterator[tuple[Frame, FlowPair]]:
    """Each frame after the first with the flow to the one before it."""
    before: NDArray[np.uint8] | None = None
    for frame in frames:
        level = gray(frame.rgb)
        if before is not None:
            yield frame, flow_pair(level, before, quick=quick)
        before = level


def kept_frame(result: PassFrame, direction: int) -> dict[str, NDArray[Any]]:
    """What is kept of a pass frame; "flow" leads back: from the later of two frames."""
    flow = result.flow.to_neighbour if direction > 0 else result.flow.from_neighbour
    size = small_size(result.error.shape)
    error = cv2.resize(result.error, size, interpolation=cv2.INTER_AREA)
    small = cv2.resize(flow, size, interpolation=cv2.INTER_AREA)
    small /= np.float32(result.error.shape[1] / size[0])
    whole = np.clip(np.rint(small * _FLOW_UNITS + _FLOW_ZERO), 0, 65535).astype(np.uint16)
    packed = np.concatenate([whole[..., 0], whole[..., 1]])
    return {"image": result.image, "error": error, "flow": packed}


def small_size(shape: tuple[int, ...]) -> tuple[int, int]:
    """(width, height) at which errors and motion of frames of ``shape`` (H, W) are kept."""
    factor = max(1, max(shape[:2]) // _SMALL_SIDE)
    return max(1, round(shape[1] / factor)), max(1, round(shape[0] / factor))


def unpack_flow(packed: NDArray[np.uint16]) -> NDArray[np.float32]:
    """The small motion that is kept with a frame, (h, w, 2) float32, in small pixels."""
    height = packed.shape[0] // 2
    flow = np.stack([packed[:height], packed[height:]], axis=2).astype(np.float32)
    flow -= _FLOW_ZERO
    flow /= _FLOW_UNITS
    return flow
