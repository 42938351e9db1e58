"""One pass of one key: which frames it makes, and the names of its entries in the store."""

from __future__ import annotations

from dataclasses import dataclass

from kadr.options import PropagateOptions
from kadr.propagate import STATE_INTERVAL
from kadr.render.shared_flow import flow_name
from kadr.storage.store import fingerprint

STEP = "propagate"
VERSION = 4


@dataclass(frozen=True)
class KeyPass:
    """One key's propagation over its span in one direction.

    key, last: frame indices; the pass makes the frames after ``key`` up to and including ``last``.
    name: of its entries in the store, a fingerprint of all that its pixels depend on. ``last`` is
    not part of it, so a longer pass uses the frames of a shorter one. areas: for each
    STATE_INTERVAL frames from the key on, a hash of what of the frames up to there is worked on,
    and of the user's guides; () without. A mask or guide that changes in one frame makes only the
    frames from there on stale.
    """

    key: int
    last: int
    name: str
    areas: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "areas", tuple(self.areas))  # a list, after it was sent to a task

    @property
    def direction(self) -> int:
        """1 forward, −1 backward."""
        return 1 if self.last > self.key else -1

    def __len__(self) -> int:
        return abs(self.last - self.key)

    def index(self, distance: int) -> int:
        """The frame at a distance from the key, in frames."""
        return self.key + self.direction * distance

    def distance(self, index: int) -> int:
        """The distance of a frame from the key, in frames."""
        return (index - self.key) * self.direction

    def covers(self, index: int) -> bool:
        """Whether the pass makes the frame."""
        return 0 < self.distance(index) <= len(self)

    @property
    def folders(self) -> tuple[str, ...]:
        """What all of its entries in the store begin with."""
        return tuple(f"{self.name}-{area}" for area in self.areas) or (self.name,)

    def area(self, index: int) -> str:
        """The item of ``areas`` for the frame ``index``; "" if there are none."""
        return self.areas[(self.distance(index) - 1) // STATE_INTERVAL] if self.areas else ""

    def frame_entry(self, index: int) -> str:
        """The store's entry of a frame."""
        area = self.area(index)
        return f"{self.name}-{area}/{index:06d}" if area else f"{self.name}/{index:06d}"

    def state_entry(self, index: int) -> str:
        """The store's entry of the state after a frame."""
        return f"{self.frame_entry(index)}-state"


@dataclass(frozen=True)
class PassInput:
    """All that the pixels of a key's passes depend on, except the style itself.

    clip_identity: a hash of the clip's content. key: frame index. area: a hash of the window that
    is worked on; "" for whole frames. sources: a hash of the part of the key that patches
    may come from; "" for all of it. figure: a hash of the masks of the figure that the paint
    belongs to; "" without. guides: a hash of the weights of the user's guides and of what they show
    of the key; "" without.
    """

    clip_identity: str
    key: int
    options: PropagateOptions
    seed: int
    area: str = ""
    sources: str = ""
    figure: str = ""
    guides: str = ""

    @property
    def flow_name(self) -> str:
        """The name of the flow that its passes use."""
        return flow_name(self.clip_identity, self.options, self.area)

    def pass_name(self, style: str, direction: int) -> str:
        """The name of a pass; ``style``: the digest of the key's stylized frame."""
        parts = (
            self.clip_identity,
            self.key,
            style,
            direction,
            self.options,
            self.seed,
            self.area,
            self.sources,
            *([self.figure] if self.figure else []),
            *([{"guides": self.guides}] if self.guides else []),
        )
        return f"{STEP}/{fingerprint(STEP, VERSION, *parts)}"
