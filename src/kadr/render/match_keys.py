"""The keys of a run in, the same keys made to look like one hand out; kept in the store.

A step of its own between stylizing and propagating: it gives each key that it changes another
entry, so what follows does not know of it, and only what descends from a changed key is made again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.events import CancelToken, Event, notice
from kadr.core.formatting import percent
from kadr.core.frames import Image
from kadr.match.correspondence import Correspondence
from kadr.match.fine_contrast import refine_contrast
from kadr.match.match_key import LEAST_COVERAGE, match_key
from kadr.match.one_style import compose, own_paint
from kadr.render.key_links import STEP, KeyLinks
from kadr.render.keyframes import KeyEntry, KeyStyles
from kadr.render.match_settings import MatchSettings, check_match_options, match_settings
from kadr.render.pass_frame import image_digest, small_size
from kadr.render.reference_painter import ReferencePainter
from kadr.render.run_context import RunContext
from kadr.render.shared_flow import SharedFlow
from kadr.storage.store import fingerprint

VERSION = 2
OWN = "own"
"""The name, in the entry of a key in another key's style, of the array of its own paint."""

_AROUND = 2
"""Keys before and after a key whose mean it is matched to, if there is no reference."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class KeyMatch:
    """What became of one key.

    kind: "matched"; "same", if it was alike already; "apart", if it shows nothing that the others
    show. own: the share of the picture that is its own paint, 1 without one style.
    """

    kind: Literal["matched", "same", "apart"]
    digest: str = ""
    own: float = 1.0

    def pack(self) -> NDArray[np.uint8]:
        """As bytes of JSON."""
        return np.frombuffer(json.dumps(asdict(self)).encode(), np.uint8)

    @classmethod
    def unpack(cls, arrays: Mapping[str, NDArray[Any]] | None) -> KeyMatch | None:
        """None if there is nothing that can be read."""
        try:
            return cls(**json.loads((arrays or {})["info"].tobytes()))
        except (KeyError, ValueError, TypeError, RecursionError):
            return None


def match_keys(
    run: RunContext, shots: Mapping[int, int], keys: KeyStyles, cancel: CancelToken
) -> Generator[Event, None, Mapping[int, KeyMatch]]:
    """Match the keys as the options say, and let ``keys`` use the result; they are stylized.

    shots: key index → number of its shot. Returns what became of each key that was to be changed,
    {} if none was. Raises OptionsError for a reference that is no key, or for a single key.
    """
    check_match_options(run, keys)
    settings, notices = match_settings(run, shots, keys)
    for text in notices:
        yield notice(STEP, text)
    if settings is None:
        return {}
    matcher = _Matcher(run, shots, keys, settings)
    matches = yield from matcher.match(cancel)
    keys.use_matched(matcher.entries(matches))
    for text in _notices(run, keys, settings, matches):
        yield notice(STEP, text)
    return matches


def stored_matches(
    run: RunContext, shots: Mapping[int, int], keys: KeyStyles, are_stylized: bool
) -> bool:
    """Let ``keys`` use matches that are stored; False if some have to be made, or keys are missing.

    For predictions, which make nothing. Raises as ``match_keys`` does.
    """
    check_match_options(run, keys)
    if not are_stylized:
        return run.options.match_keys == 0 or len(keys.indices) < 2
    settings, _ = match_settings(run, shots, keys)
    if settings is None:
        return True
    matcher = _Matcher(run, shots, keys, settings, stores=False)
    matches = matcher.stored()
    keys.use_matched(matcher.entries(matches))
    return len(matches) == len(settings.plan(len(keys.indices)))


def _notices(
    run: RunContext,
    keys: KeyStyles,
    settings: MatchSettings,
    matches: Mapping[int, KeyMatch],
) -> list[str]:
    number, indices = run.clip.number, keys.indices
    apart = [str(number(index)) for index, match in matches.items() if match.kind == "apart"]
    texts = []
    if apart:
        named = "the others" if settings.reference is None else (
            f"key {number(indices[settings.reference])}"
        )  # fmt: skip
        word = "key" if len(apart) == 1 else "keys"
        verb = "has" if len(apart) == 1 else "have"
        texts.append(
            f"{word} {', '.join(apart)} {verb} too little in common with {named}; left as painted"
        )
    if settings.one_style and settings.reference is not None:
        shares = [
            f"{number(index)} {percent(match.own)}"
            for index, match in matches.items()
            if match.kind == "matched"
        ]
        if shares:
            texts.append(
                f"one style, that of key {number(indices[settings.reference])}; own paint of the "
                f"other keys: {', '.join(shares)}"
            )
    return texts


class _Matcher:
    """Matches the keys of a run, each into an entry of its own."""

    def __init__(
        self,
        run: RunContext,
        shots: Mapping[int, int],
        keys: KeyStyles,
        settings: MatchSettings,
        *,
        stores: bool = True,
    ) -> None:
        self._run, self._keys, self._settings = run, keys, settings
        self._links = KeyLinks(run, keys, shots, stores=stores)
        self._places = settings.plan(len(keys.indices))
        self._painter: ReferencePainter | None = None

    def entries(self, matches: Mapping[int, KeyMatch]) -> dict[int, KeyEntry]:
        """The entries of the keys that were changed."""
        return {
            index: KeyEntry(self._entry(self._keys.indices.index(index)), match.digest)
            for index, match in matches.items()
            if match.kind == "matched"
        }

    def stored(self) -> dict[int, KeyMatch]:
        """What is stored already; damaged entries are removed."""
        matches, store = {}, self._run.store
        for place in self._places:
            entry = self._entry(place)
            match = KeyMatch.unpack(store.get(entry, only=("info",)))
            if match is not None and store.intact(entry):
                matches[self._keys.indices[place]] = match
            elif store.has(entry):
                _log.warning("%s: damaged; it will be made again", entry)
                store.discard(entry)
        return matches

    def match(self, cancel: CancelToken) -> Generator[Event, None, dict[int, KeyMatch]]:
        """Make what is missing; an Event for each link and each key."""
        stored = self.stored()
        missing = [p for p in self._places if self._keys.indices[p] not in stored]
        links = sorted({link for place in missing for link in self._needed(place)})
        total, done = len(links) + len(missing), 0
        if missing:
            yield Event(STEP, 0, total)
        for done, _ in enumerate(self._links.link(links, cancel), start=1):
            yield Event(STEP, done, total)
        for place in missing:
            cancel.check()
            match, arrays = self._make(place)
            self._run.store.put(self._entry(place), {**arrays, "info": match.pack()})
            stored[self._keys.indices[place]] = match
            done += 1
            image = arrays.get("image")
            yield Event(STEP, done, total, None if image is None else image[..., :3])
        return dict(sorted(stored.items()))

    def _others(self, place: int) -> Sequence[int]:
        """The keys that a key is matched to."""
        if self._settings.reference is not None:
            return [self._settings.reference]
        count = len(self._keys.indices)
        around = range(max(0, place - _AROUND), min(count, place + _AROUND + 1))
        shot = self._links.shot(place)
        return [other for other in around if other != place and self._links.shot(other) == shot]

    def _needed(self, place: int) -> range:
        """The links between a key and those of its shot that it is matched to."""
        shot = self._links.shot(place)
        ends = [place, *(p for p in self._others(place) if self._links.shot(p) == shot)]
        return range(min(ends), max(ends))

    def _entry(self, place: int) -> str:
        """A fingerprint of all that a matched key is made from."""
        run, keys = self._run, self._keys
        digests = keys.stylized
        used = [keys.indices[p] for p in (place, *self._others(place))]
        made_from = [
            (index, digests[index].digest, run.pass_input(index).sources) for index in used
        ]
        parts: tuple[object, ...] = ()
        if self._settings.one_style:
            parts = (run.options.propagate, run.options.seed)
        between = self._needed(place)
        followed = [keys.indices[p] for p in (*between, between.stop)]  # one key if there is none
        name = fingerprint(
            STEP, VERSION, run.clip_identity, self._settings.strength, self._settings.one_style,
            self._settings.reference is None, made_from, keys.channels, followed, parts,
            self._finest(place),
        )  # fmt: skip
        return f"{STEP}/{name}"

    def _make(self, place: int) -> tuple[KeyMatch, dict[str, NDArray[Any]]]:
        """Match one key; its "image", if it differs from the key, and where it is "own" paint."""
        links, keys = self._links, self._keys
        index, view = keys.indices[place], self._links.view(place)
        style = keys.style(index, matched=False)
        shared = [(other, links.correspond(place, other)) for other in self._others(place)]
        if not shared:
            return KeyMatch("same"), {}
        useful = [(links.view(o), c) for o, c in shared if c.coverage >= LEAST_COVERAGE]
        if not useful:
            return KeyMatch("apart"), {}
        own_share = 0.0 if self._settings.reference is not None else 1.0
        matched, strength = None, self._settings.strength
        if strength > 0:
            matched = match_key(style, view, useful, strength=strength, own_share=own_share)
        if matched is not None:
            filmed = self._run.clip.frame(index).rgb
            matched = refine_contrast(matched, filmed, self._finest(place), strength=strength)
        if self._settings.one_style:
            unchanged = style if matched is None else matched
            image, share = self._repaint(place, unchanged, shared[0][1])
            small = cv2.resize(
                share, small_size(share.shape, max(share.shape)), interpolation=cv2.INTER_AREA
            )
            match = KeyMatch("matched", image_digest(image), float(share.mean()))
            return match, {"image": image, OWN: np.rint(small * 255).astype(np.uint8)}
        if matched is None:
            return KeyMatch("same"), {}
        return KeyMatch("matched", image_digest(matched)), {"image": matched}

    def _finest(self, place: int) -> float:
        """How finely a key is to be drawn: as the reference, or as the finest key of its shot."""
        links, places = self._links, range(len(self._keys.indices))
        if self._settings.reference is not None:
            return links.fineness(self._settings.reference)
        return max(links.fineness(p) for p in places if links.shot(p) == links.shot(place))

    def _repaint(
        self, place: int, own: Image, correspondence: Correspondence
    ) -> tuple[Image, NDArray[np.float32]]:
        """A key in the reference key's style, and where it keeps its own paint, (h, w) 0–1."""
        index = self._keys.indices[place]
        carried = self._reference_painter().paint(self._run.clip.frame(index), correspondence)
        painted = self._links.view(place).weight
        share = own_paint(carried.reference, carried.filmed, carried.matches, painted)
        image = compose(carried.image, own, share)
        if own.shape[2] == 4:
            image = np.dstack([image, own[..., 3]])
        return image, share

    def _reference_painter(self) -> ReferencePainter:
        if self._painter is None:
            run, place = self._run, self._settings.reference
            assert place is not None, "one style has a reference"
            index = self._keys.indices[place]
            inputs = run.pass_input(index)
            self._painter = ReferencePainter(
                run.clip.frame(index),
                self._keys.style(index, matched=False),
                inputs.options,
                inputs.seed,
                SharedFlow(run.store, inputs.flow_name, inputs.options),
                self._keys.source_mask(index),
            )
        return self._painter
