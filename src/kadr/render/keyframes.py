"""Keyframes in, what they look like stylized out, kept: painted by hand or by a stylizer."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kadr.core.events import CancelToken, Event
from kadr.core.frames import FrameRange
from kadr.core.seeds import derive_seed
from kadr.errors import BackendError, InputError
from kadr.files import file_digest
from kadr.options import RunOptions
from kadr.render.masks import FrameMasks
from kadr.render.pass_task import load_style, style_digest
from kadr.render.run_context import RunContext
from kadr.render.stylize_context import ContextProvider
from kadr.render.stylize_thread import StylizeProgress, run_stylizer
from kadr.storage.store import fingerprint
from kadr.stylize.base import StyledFrame, StylizeJob, Stylizer
from kadr.stylize.external import KeyFile, find_keys
from kadr.stylize.infotext import PARAMETERS
from kadr.stylize.registry import create_stylizer
from kadr.video.base import Clip

STEP = "stylize"
VERSION = 2

_TELL_EVERY = 0.2
"""Seconds between events about how much of a frame is done."""

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


@dataclass(frozen=True)
class _Facts:
    """What is kept beside a stylized key, so that its pixels need not be read for it."""

    digest: str
    channels: int
    parameters: str = ""
    """How it was made, in A1111's words; "" if the stylizer does not say."""

    def pack(self) -> NDArray[np.uint8]:
        return np.frombuffer(json.dumps(asdict(self)).encode(), np.uint8)

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]] | None) -> _Facts | None:
        """None if there is nothing, or nothing that can be read."""
        try:
            return cls(**json.loads((arrays or {})["facts"].tobytes()))
        except (KeyError, ValueError, TypeError):
            return None


class KeyStyles:
    """The keys of a run. ``stylize`` makes those that are not kept yet; ``style`` lends one.

    There may be thousands: of each only its name and a few facts are in memory.
    """

    def __init__(self, run: RunContext, shots: Mapping[int, int], painted: Sequence[KeyFile]):
        """Keys by index with the shot each belongs to; ``painted``: their files, if they have any.

        Raises OptionsError for a bad stylizer or a bad option of it, InputError for masks that do
        not fit.
        """
        self._run, options = run, run.options
        self.indices, self._shots = sorted(shots), shots
        settings = dict(options.stylizer_options)
        if painted:
            settings |= {"keys": options.keys, "fit": options.fit_keys}
        self._stylizer: Stylizer = create_stylizer(options.stylizer, **settings)
        self._files = {file.index: file.path for file in painted}
        self._settings = dict(options.stylizer_options) | {"fit": options.fit_keys}
        self._masks = FrameMasks(options.masks, run.clip, self.indices)
        self._entries = dict(self._names())
        self._facts: dict[int, _Facts] = {}
        self.channels = 3

    def _names(self) -> Iterator[tuple[int, str]]:
        """Where each key is kept: all that its pixels depend on."""
        options, stylizer = self._run.options, self._stylizer
        common = (
            options.stylizer,
            stylizer.VERSION,
            self._settings,
            self._run.size,
        )
        for shot in self._groups():
            # one name stands for all those before, or with it: their number does not matter
            company = fingerprint(STEP, VERSION, shot) if stylizer.joint else ""
            for index in shot:
                if index in self._files:
                    made_of: Any = file_digest(self._files[index])
                else:
                    identity = self._run.source.identity
                    made_of = (identity, options.seed, self._masks.digest(index))
                name = fingerprint(STEP, VERSION, *common, made_of, index, company)
                if stylizer.sequential and not stylizer.joint:
                    company = name
                yield index, f"{STEP}/{name}"

    def _groups(self) -> list[list[int]]:
        """The keys of each shot, in order."""
        groups: dict[int, list[int]] = {}
        for index in self.indices:
            groups.setdefault(self._shots[index], []).append(index)
        return list(groups.values())

    def missing(self) -> list[int]:
        """The keys that have to be stylized, with those that depend on them.

        Of a joint stylizer all of a shot, of a sequential one all after the first that is missing.
        """
        store, stylizer = self._run.store, self._stylizer
        wanted: list[int] = []
        for shot in self._groups():
            absent = [index for index in shot if not store.has(self._entries[index])]
            if absent and stylizer.joint:
                absent = shot
            elif absent and stylizer.sequential:
                absent = shot[shot.index(absent[0]) :]
            wanted += absent
        return sorted(wanted)

    def stylize(self, cancel: CancelToken) -> Iterator[Event]:
        """Stylize the missing keys into the store; an Event for each, and more as it goes.

        Raises BackendError when the stylizer breaks its contract, and whatever it raises itself.
        """
        wanted = self.missing()
        if wanted:
            yield from self._stylize(wanted, cancel)
        if self._damaged():  # which removed what it could not read
            yield from self._stylize(self.missing(), cancel)
            self._damaged()

    def _damaged(self, skip: Collection[int] = ()) -> bool:
        """Look at every kept key but for some; whether one cannot be read, which is removed."""
        damaged, left, store = False, set(skip), self._run.store
        for index, entry in self._entries.items():
            if index in left or index in self._facts:
                continue
            facts = _Facts.of(store.get(entry, only=("facts",)))
            if facts is None or not store.intact(entry):
                _log.warning("%s: damaged or gone; it will be made again", entry)
                store.discard(entry)
                damaged = True
                continue
            self._note(index, facts)
        return damaged

    def _note(self, index: int, facts: _Facts) -> None:
        self._facts[index] = facts
        self.channels = max(self.channels, facts.channels)

    def _stylize(self, wanted: Sequence[int], cancel: CancelToken) -> Generator[Event, None, None]:
        total, missing, shares = len(wanted), set(wanted), dict.fromkeys(wanted, 0.0)
        yield Event(STEP, 0, total)
        run, said = self._run, 0.0
        lender = ContextProvider(run.clip, self.indices, self._shots, self._kept, self._masks.mask)
        context = lender.context(cancel, run.options.threads, run.work / "noise")
        jobs = self._jobs(wanted, lender)
        with closing(run_stylizer(self._stylizer, jobs, context, lender.made)) as made:
            for item in made:
                if isinstance(item, StylizeProgress):
                    if item.index in missing:
                        shares[item.index] = item.share
                    if time.monotonic() - said < _TELL_EVERY:
                        continue
                    said = time.monotonic()
                    yield Event(STEP, total - len(missing), total, share=sum(shares.values()))
                    continue
                for styled in item:
                    self._check(styled, missing)
                    self._keep(styled)
                    missing.remove(styled.index)
                    del shares[styled.index]
                    cancel.check()
                    yield Event(STEP, total - len(missing), total, styled.image[..., :3])
        if missing:
            frames = ", ".join(str(run.clip.number(index)) for index in sorted(missing))
            raise self._broken(f"left out frames {frames}")

    def _keep(self, styled: StyledFrame) -> None:
        image = styled.image
        facts = _Facts(style_digest(image), image.shape[2], styled.info.get(PARAMETERS, ""))
        self._run.store.put(self._entries[styled.index], {"image": image, "facts": facts.pack()})
        self._note(styled.index, facts)

    def _kept(self, index: int) -> NDArray[np.uint8] | None:
        arrays = self._run.store.get(self._entries[index], only=("image",))
        return arrays["image"] if arrays else None

    def _check(self, styled: StyledFrame, missing: Collection[int]) -> None:
        """Raise unless an answer is to an open job and of the clip's size."""
        if styled.index not in missing:
            raise self._broken(f"answered frame index {styled.index} unasked or twice")
        height, width = styled.image.shape[:2]
        if (width, height) != self._run.size:
            raise self._broken(
                f"made frame {self._run.clip.number(styled.index)} {width}×{height}, "
                f"the clip has {self._run.size[0]}×{self._run.size[1]}"
            )

    def _broken(self, fault: str) -> BackendError:
        return BackendError(
            f"stylizer {self._stylizer.name}: {fault}; this is a fault of the stylizer, use another"
        )

    def _jobs(self, wanted: Sequence[int], lender: ContextProvider) -> Iterator[StylizeJob]:
        for index in wanted:
            frame = self._run.clip.frame(index)
            lender.saw(frame)
            seed = derive_seed(self._run.options.seed, STEP, index)
            yield StylizeJob(frame, group=self._shots[index], seed=seed)

    @property
    def entries(self) -> dict[int, KeyEntry]:
        """Each key's place in the store and the digest of its pixels; known once stylized."""
        return {
            index: KeyEntry(self._entries[index], facts.digest)
            for index, facts in self._facts.items()
        }

    def style(self, index: int) -> NDArray[np.uint8]:
        """A key's stylized frame, (H, W, C) uint8; C is 4 for all keys if it is for one."""
        return load_style(self._run.store, self._entries[index], self.channels)

    def texts(self, index: int) -> dict[str, str]:
        """What an image file of a key carries for other programs: how it was made."""
        facts = self._facts.get(index)
        return {PARAMETERS: facts.parameters} if facts and facts.parameters else {}
