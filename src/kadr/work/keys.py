"""Keyframes in, what they look like stylized out, kept: painted by hand or by a stylizer."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kadr.core.events import CancelToken, Event
from kadr.core.frames import FrameRange
from kadr.core.seeds import derive_seed
from kadr.errors import BackendError, InputError, ResumeError
from kadr.files import file_digest
from kadr.options import RunOptions
from kadr.run.store import fingerprint
from kadr.stylize.base import Context, Job, Styled, Stylizer
from kadr.stylize.external import KeyFile, find_keys
from kadr.stylize.registry import create_stylizer
from kadr.video.base import Clip
from kadr.work.passes import load_style, style_digest
from kadr.work.workspace import Workspace

STEP = "stylize"
VERSION = 1

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class KeyEntry:
    """A stylized key: where the store keeps it and the digest of its pixels."""

    entry: str
    digest: str


def painted_keys(options: RunOptions, clip: Clip, frames: FrameRange) -> list[KeyFile]:
    """The painted keys of a run, those outside its frames left out; none for other stylizers.

    Raises InputError if they do not fit the clip, or if none lies in the frames.
    """
    if not options.keys:
        return []
    files = [file for file in find_keys(options.keys, clip) if file.index in frames]
    if not files:
        raise InputError(
            f"{options.keys[0]}: no key lies in the frames "
            f"{clip.number(frames.start)}–{clip.number(frames.stop - 1)} that were asked for"
        )
    return files


class KeyStyles:
    """The keys of a run. ``stylize`` makes those that are not kept yet; ``style`` lends one."""

    def __init__(self, space: Workspace, shots: Mapping[int, int], painted: Sequence[KeyFile]):
        """Keys by index with the shot each belongs to; ``painted``: their files, if they have any.

        Raises OptionsError for a bad stylizer or a bad option of it.
        """
        self._space, options = space, space.options
        self.indices, self._shots = sorted(shots), shots
        settings = dict(options.stylizer_options)
        if painted:
            settings |= {"keys": options.keys, "fit": options.fit_keys}
        self._stylizer: Stylizer = create_stylizer(options.stylizer, **settings)
        self._files = {file.index: file.path for file in painted}
        self._settings = dict(options.stylizer_options) | {"fit": options.fit_keys}
        self._entries = {index: self._name(index) for index in self.indices}
        self._digests: dict[int, str] = {}
        self.channels = 3

    def _name(self, index: int) -> str:
        """Where a key is kept: all that its pixels depend on."""
        options, stylizer = self._space.options, self._stylizer
        if index in self._files:
            made_of: Any = file_digest(self._files[index])
        else:
            made_of = (self._space.source.identity, options.seed)
        name = fingerprint(
            STEP,
            VERSION,
            options.stylizer,
            getattr(stylizer, "VERSION", 1),
            self._settings,
            made_of,
            self._space.size,
            index,
            self._company(index),
        )
        return f"{STEP}/{name}"

    def _company(self, index: int) -> list[int]:
        """The other keys that this one's look depends on."""
        group = [other for other in self.indices if self._shots[other] == self._shots[index]]
        if self._stylizer.joint:
            return group
        return [other for other in group if other < index] if self._stylizer.sequential else []

    def missing(self) -> list[int]:
        """The keys that have to be stylized: all of a group, where they depend on each other."""
        store = self._space.store
        absent = {index for index in self.indices if not store.has(self._entries[index])}
        together = self._stylizer.joint or self._stylizer.sequential
        groups = {self._shots[index] for index in absent}
        return [
            index
            for index in self.indices
            if index in absent or (together and self._shots[index] in groups)
        ]

    def stylize(self, cancel: CancelToken) -> Iterator[Event]:
        """Stylize the missing keys into the store; an Event for each.

        Raises BackendError when the stylizer breaks its contract, and whatever it raises itself.
        """
        wanted = self.missing()
        if wanted:
            yield from self._stylize(wanted, cancel)
        if self._damaged():  # which removed what it could not read
            yield from self._stylize(self.missing(), cancel)
            self._damaged()

    def _damaged(self, skip: Collection[int] = ()) -> bool:
        """Look at every kept key but for some; whether one cannot be read."""
        damaged = False
        for index in self.indices:
            if index in skip:
                continue
            try:
                style = load_style(self._space.store, self._entries[index], 3)
            except ResumeError as error:
                _log.warning("%s", error)
                damaged = True
                continue
            self._digests[index] = style_digest(style)
            self.channels = max(self.channels, int(style.shape[2]))
        return damaged

    def _stylize(self, wanted: Sequence[int], cancel: CancelToken) -> Iterator[Event]:
        total, missing = len(wanted), set(wanted)
        yield Event(STEP, 0, total)
        space = self._space
        context = Context(number=space.clip.number, cancel=cancel, threads=space.options.threads)
        for batch in self._stylizer.stylize(self._jobs(wanted), context):
            for styled in batch:
                self._check(styled, missing)
                space.store.put(self._entries[styled.index], {"image": styled.image})
                missing.remove(styled.index)
                yield Event(STEP, total - len(missing), total, styled.image[..., :3])
        if missing:
            frames = ", ".join(str(space.clip.number(index)) for index in sorted(missing))
            raise self._broken(f"left out frames {frames}")

    def _check(self, styled: Styled, missing: set[int]) -> None:
        """Raise unless an answer is to an open job and of the clip's size."""
        if styled.index not in missing:
            raise self._broken(f"answered frame index {styled.index} unasked or twice")
        height, width = styled.image.shape[:2]
        if (width, height) != self._space.size:
            raise self._broken(
                f"made frame {self._space.clip.number(styled.index)} {width}×{height}, "
                f"the clip has {self._space.size[0]}×{self._space.size[1]}"
            )

    def _broken(self, fault: str) -> BackendError:
        return BackendError(
            f"stylizer {self._stylizer.name}: {fault}; this is a fault of the stylizer, use another"
        )

    def _jobs(self, wanted: Sequence[int]) -> Iterator[Job]:
        for index in wanted:
            frame = self._space.clip.frame(index)
            seed = derive_seed(self._space.options.seed, STEP, index)
            yield Job(frame, group=self._shots[index], seed=seed)

    @property
    def entries(self) -> dict[int, KeyEntry]:
        """Each key's place in the store and the digest of its pixels; known once stylized."""
        return {
            index: KeyEntry(self._entries[index], digest) for index, digest in self._digests.items()
        }

    def style(self, index: int) -> NDArray[np.uint8]:
        """A key's stylized frame, (H, W, C) uint8; C is 4 for all keys if it is for one."""
        return load_style(self._space.store, self._entries[index], self.channels)
