"""Stylize the keyframes of a run, or read the painted ones, and keep them in the store."""

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
from kadr.core.seeds import derive_seed
from kadr.errors import BackendError
from kadr.files import file_digest
from kadr.option_fields import options_of_frames
from kadr.render.pass_frame import image_digest, load_style
from kadr.render.run_context import RunContext
from kadr.render.run_inputs import check_planned
from kadr.render.styled_check import StyledCheck
from kadr.render.stylize_context import ContextProvider
from kadr.render.stylize_thread import StylizeProgress, run_stylizer
from kadr.render.stylizer_ranges import FrameOptions, create_ranged
from kadr.storage.store import fingerprint
from kadr.stylize.base import StyledFrame, StylizeJob, Stylizer
from kadr.stylize.displacement import VERSION as ALIGN_VERSION
from kadr.stylize.external import FILE_DIGEST, External, ExternalOptions, KeyFile
from kadr.stylize.infotext import PARAMETERS
from kadr.stylize.ranges import RangeStylizer
from kadr.stylize.registry import create_stylizer, stylizer_options

STEP = "stylize"
VERSION = 3

_PROGRESS_INTERVAL = 0.2
"""Seconds between events about how much of a frame is done."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class KeyEntry:
    """A stylized key: where the store keeps it and the digest of its pixels."""

    entry: str
    digest: str


@dataclass(frozen=True)
class _KeyInfo:
    """What is stored beside a stylized key, so that its pixels need not be read."""

    digest: str
    channels: int
    parameters: str = ""
    """How it was made, as A1111's parameters text; "" if the stylizer does not tell."""

    def pack(self) -> NDArray[np.uint8]:
        return np.frombuffer(json.dumps(asdict(self)).encode(), np.uint8)

    @classmethod
    def unpack(cls, arrays: Mapping[str, NDArray[Any]] | None) -> _KeyInfo | None:
        """None if there is nothing that can be read."""
        try:
            info = cls(**json.loads((arrays or {})["info"].tobytes()))
        except (KeyError, ValueError, TypeError, RecursionError):
            return None
        typed = isinstance(info.digest, str) and isinstance(info.parameters, str)
        return info if typed and info.channels in (3, 4) else None


class KeyStyles:
    """The keys of a run. ``stylize`` makes those that are not stored yet; ``style`` reads one.

    There may be thousands: only the name and a little information of each are in memory.
    """

    def __init__(
        self,
        run: RunContext,
        shots: Mapping[int, int],
        painted: Sequence[KeyFile],
        ranges: Sequence[FrameOptions] = (),
    ):
        """shots: key index → number of its shot. painted: the files of painted keys.

        ranges: where the stylizer has other options.
        Raises OptionsError for a bad stylizer or a bad option of it.
        """
        self._run, options = run, run.options
        self.indices, self._shots = sorted(shots), shots
        self._ranged: RangeStylizer | None = None
        self._stylizer: Stylizer
        if painted:
            taken = ExternalOptions(
                options.keys, options.fit_keys, options.align_keys, run.key_turn
            )
            self._stylizer = External(taken, painted)
        elif ranges:
            self._stylizer = self._ranged = create_ranged(options, options.stylizer_options, ranges)
        else:
            self._stylizer = create_stylizer(options.stylizer, **options.stylizer_options)
        self.is_ranged = self._ranged is not None
        """Whether the stylizer has other options for some of the keys."""
        self._files = {file.index: file.path for file in painted}
        self._file_digests = {index: file_digest(path) for index, path in self._files.items()}
        self._entries = dict(self._names())
        self._infos: dict[int, _KeyInfo] = {}
        self._matched: dict[int, KeyEntry] = {}
        self.channels = 3

    def _names(self) -> Iterator[tuple[int, str]]:
        """Index and entry of each key; the entry is a fingerprint of all that it is made from."""
        options, stylizer = self._run.options, self._stylizer
        for shot in self._groups():
            # all keys made jointly, or through its name the previous key and all before it
            depends_on = fingerprint(STEP, VERSION, shot) if stylizer.joint else ""
            for index in shot:
                if index in self._files:
                    made_from: Any = self._file_digests[index]
                    if self._run.key_turn:
                        made_from = (made_from, self._run.key_turn)
                    if options.align_keys:  # to a frame of the clip
                        made_from = (made_from, ALIGN_VERSION, self._run.clip_identity)
                else:
                    identity = self._run.clip_identity
                    made_from = (identity, options.seed, self._mask_digest(index))
                common = (options.stylizer, stylizer.VERSION, self._settings(index), self._run.size)
                name = fingerprint(STEP, VERSION, *common, made_from, index, depends_on)
                if stylizer.sequential and not stylizer.joint:
                    depends_on = name
                yield index, f"{STEP}/{name}"

    def _mask_digest(self, index: int) -> str | None:
        masks = self._run.masks
        return None if masks is None else masks.digest(index)

    def _mask(self, index: int) -> NDArray[np.bool_] | None:
        """Where a frame is to be stylized; None: everywhere."""
        masks = self._run.masks
        return None if masks is None else masks.mask(index)

    def _settings(self, index: int) -> dict[str, Any]:
        """The options that a key is made with."""
        options = self._run.options
        settings = dict(options.stylizer_options)
        if self._ranged is not None:
            settings = self._ranged.options_at(index)
        kind = stylizer_options(options.stylizer)
        return options_of_frames(kind, settings) | {"fit": options.fit_keys}

    def _groups(self) -> list[list[int]]:
        """The keys that may depend on each other, in order: of each shot.

        A joint stylizer makes those of a shot and a section between ranges jointly.
        """
        groups: dict[tuple[int, int], list[int]] = {}
        for index in self.indices:
            section = 0
            if self._ranged is not None and self._stylizer.joint:
                section = self._ranged.section(index)
            groups.setdefault((self._shots[index], section), []).append(index)
        return list(groups.values())

    def missing(self) -> list[int]:
        """The keys that have to be stylized, with those that depend on them.

        With a joint stylizer all keys of a shot, with a sequential one all from the first missing.
        """
        store, stylizer = self._run.store, self._stylizer
        missing: list[int] = []
        for shot in self._groups():
            absent = [index for index in shot if not store.has(self._entries[index])]
            if absent and stylizer.joint:
                absent = shot
            elif absent and stylizer.sequential:
                absent = shot[shot.index(absent[0]) :]
            missing += absent
        return sorted(missing)

    def missing_parts(self) -> str:
        """What the stylizer needs and is not on this machine; "" if it is, or if none can tell."""
        check = getattr(self._stylizer, "missing_parts", None)
        return str(check()) if check is not None else ""

    def stylize(self, cancel: CancelToken) -> Generator[Event, None, None]:
        """Stylize the missing keys into the store; an Event for each, and more in between.

        Raises BackendError when the stylizer breaks its contract, and whatever it raises itself.
        """
        missing = self.missing()
        if missing:
            yield from self._stylize(missing, cancel)
        if self._check_stored():  # it removed damaged entries
            yield from self._stylize(self.missing(), cancel)
            self._check_stored()

    def _check_stored(self, skip: Collection[int] = ()) -> bool:
        """Check every stored key except ``skip``; remove damaged ones, tell if there were any."""
        damaged, skipped, store = False, set(skip), self._run.store
        for index, entry in self._entries.items():
            if index in skipped or index in self._infos:
                continue
            info = _KeyInfo.unpack(store.get(entry, only=("info",)))
            if info is None or not store.intact(entry):
                _log.warning("%s: damaged or gone; it will be made again", entry)
                store.discard(entry)
                damaged = True
                continue
            self._note(index, info)
        return damaged

    def _note(self, index: int, info: _KeyInfo) -> None:
        self._infos[index] = info
        self.channels = max(self.channels, info.channels)

    def _stylize(self, indices: Sequence[int], cancel: CancelToken) -> Generator[Event, None, None]:
        total, missing, shares = len(indices), set(indices), dict.fromkeys(indices, 0.0)
        yield Event(STEP, 0, total)
        run, reported = self._run, 0.0
        provider = ContextProvider(
            run.clip, self.indices, self._shots, self._stored_image, self._mask
        )
        context = provider.context(cancel, run.options.threads, run.layout.noise)
        # painted keys may be anything; their fit is another matter
        stylizer_name, number = run.options.stylizer, run.clip.number
        check = None if self._files else StyledCheck.of(stylizer_name, number)
        jobs = self._jobs(indices, provider, check)
        with closing(run_stylizer(self._stylizer, jobs, context, provider.add_output)) as results:
            for result in results:
                if isinstance(result, StylizeProgress):
                    if result.index in missing:
                        shares[result.index] = result.share
                    if time.monotonic() - reported < _PROGRESS_INTERVAL:
                        continue
                    reported = time.monotonic()
                    yield Event(STEP, total - len(missing), total, share=sum(shares.values()))
                    continue
                for styled in result:
                    self._check(styled, missing)
                    self._check_file(styled)
                    done = total - len(missing)
                    for message in self._doubts(check, styled):
                        yield Event(STEP, done, total, message=message)
                    self._store(styled)
                    missing.remove(styled.index)
                    del shares[styled.index]
                    cancel.check()
                    yield Event(STEP, total - len(missing), total, styled.image[..., :3])
        for message in check.summary() if check is not None else ():
            yield Event(STEP, total - len(missing), total, message=message)
        if missing:
            frames = ", ".join(str(run.clip.number(index)) for index in sorted(missing))
            raise self._contract_error(f"left out frames {frames}")

    def _store(self, styled: StyledFrame) -> None:
        image = styled.image
        if image.shape[2] == 4 and image[..., 3].min() == 255:
            image = np.ascontiguousarray(image[..., :3])
        info = _KeyInfo(image_digest(image), image.shape[2], styled.info.get(PARAMETERS, ""))
        self._run.store.put(self._entries[styled.index], {"image": image, "info": info.pack()})
        self._note(styled.index, info)

    def _stored_image(self, index: int) -> NDArray[np.uint8] | None:
        arrays = self._run.store.get(self._entries[index], only=("image",))
        return arrays["image"] if arrays else None

    def _check(self, styled: StyledFrame, missing: Collection[int]) -> None:
        """Raise unless a result answers an open job and has the clip's size."""
        if styled.index not in missing:
            raise self._contract_error(
                f"answered frame index {styled.index} that was not requested, or twice"
            )
        height, width = styled.image.shape[:2]
        if (width, height) != self._run.size:
            raise self._contract_error(
                f"made frame {self._run.clip.number(styled.index)} {width}×{height}, "
                f"the clip has {self._run.size[0]}×{self._run.size[1]}"
            )

    def _check_file(self, styled: StyledFrame) -> None:
        """Raise InputError if a painted key is not the file that its entry is named by."""
        named_by = self._file_digests.get(styled.index)
        if named_by is not None:
            check_planned(self._files[styled.index], styled.info.get(FILE_DIGEST), named_by)

    def _doubts(self, check: StyledCheck | None, styled: StyledFrame) -> Iterator[str]:
        """Notices about a stylized frame that looks wrong."""
        if check is not None:
            yield from check.check(styled.index, styled.image, self._mask(styled.index))

    def _contract_error(self, fault: str) -> BackendError:
        return BackendError(
            f"stylizer {self._stylizer.name}: {fault}; this is a fault of the stylizer, use another"
        )

    def _jobs(
        self, indices: Sequence[int], provider: ContextProvider, check: StyledCheck | None
    ) -> Iterator[StylizeJob]:
        for index in indices:
            frame = self._run.clip.frame(index)
            provider.add_input(frame)
            if check is not None:
                check.add_frame(frame)
            seed = derive_seed(self._run.options.seed, STEP, index)
            yield StylizeJob(frame, group=self._shots[index], seed=seed)

    @property
    def entries(self) -> dict[int, KeyEntry]:
        """The entry in the store that each key is used from, and the digest of its pixels.

        Available once stylized.
        """
        return self.stylized | self._matched

    @property
    def stylized(self) -> dict[int, KeyEntry]:
        """The same of the keys as they were stylized or painted."""
        return {
            index: KeyEntry(self._entries[index], info.digest)
            for index, info in self._infos.items()
        }

    def use_matched(self, matched: Mapping[int, KeyEntry]) -> None:
        """From now on use these entries instead of those of the keys as stylized."""
        self._matched = dict(matched)

    @property
    def matched(self) -> dict[int, KeyEntry]:
        """The entries of ``use_matched``."""
        return dict(self._matched)

    def style(self, index: int, *, matched: bool = True) -> NDArray[np.uint8]:
        """A key's stylized frame, (H, W, C) uint8; C is 4 for all keys if it is for one.

        matched: as it is used; else as it was stylized or painted.
        """
        entry = self._entries[index]
        if matched and index in self._matched:
            entry = self._matched[index].entry
        return load_style(self._run.store, entry, self.channels)

    def source_mask(self, index: int) -> NDArray[np.bool_] | None:
        """(H, W) bool, where a key was stylized; None: everywhere."""
        return self._mask(index) if self._run.options.stylizer != "external" else None

    def texts(self, index: int) -> dict[str, str]:
        """The text chunks of a key's image file, which tell other programs how it was made."""
        info = self._infos.get(index)
        return {PARAMETERS: info.parameters} if info and info.parameters else {}
