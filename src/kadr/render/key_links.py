"""Where key frames show the same surfaces: followed through the film, and kept in the store."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import numpy as np

from kadr.core.events import CancelToken
from kadr.core.frames import Image
from kadr.match.correspondence import (
    Correspondence,
    Link,
    chain,
    correspond,
    link_keys,
    reduce_frame,
)
from kadr.match.fine_contrast import fineness
from kadr.match.match_key import KeyView
from kadr.render.keyframes import KeyStyles
from kadr.render.run_context import RunContext
from kadr.storage.store import fingerprint

STEP = "match"
VERSION = 1

_VIEWS = 16
"""Keys that are in memory at a time, reduced."""

_log = logging.getLogger(__name__)


class KeyLinks:
    """Finds where one key frame shows what another shows; ``link`` has to come before.

    Keys are counted by their place among all keys. Nothing is followed over a cut: keys of several
    shots are compared as they are.
    """

    def __init__(
        self, run: RunContext, keys: KeyStyles, shots: Mapping[int, int], *, stores: bool = True
    ) -> None:
        """shots: key index → number of its shot. stores: whether what is measured is kept."""
        self._run, self._keys, self._shots, self._indices = run, keys, shots, keys.indices
        self._stores = stores
        self._links: dict[int, Link] = {}
        self._fineness: dict[int, float] = {}

        @lru_cache(_VIEWS)
        def view(place: int) -> KeyView:
            index = keys.indices[place]
            style = keys.style(index, matched=False)
            return KeyView.of(run.clip.frame(index).rgb, style, keys.source_mask(index))

        self.view = view
        """The key at a place, reduced, as stylized."""

    def shot(self, place: int) -> int:
        """The number of the shot that a key lies in."""
        return self._shots[self._indices[place]]

    def link(self, places: Sequence[int], cancel: CancelToken) -> Iterator[int]:
        """Follow all pixels from each of these keys to the next one; yields the places done."""
        for place in places:
            if self.shot(place) == self.shot(place + 1):
                self._links[place] = self._stored(place) or self._make(place, cancel)
            yield place

    def correspond(self, place: int, other: int) -> Correspondence:
        """Where the key ``other`` shows what the key at ``place`` shows."""
        chained = None
        if self.shot(place) == self.shot(other):
            links = [self._links.get(number) for number in range(len(self._indices) - 1)]
            between = links[min(place, other) : max(place, other)]
            if None not in between:
                first = min(place, other)
                chained = chain(
                    [link for link in between if link is not None], place - first, other - first
                )
        return correspond(self.view(place).filmed, self.view(other).filmed, chained)

    def fineness(self, place: int) -> float:
        """How finely the key at a place is drawn, as stylized; see ``kadr.match.fine_contrast``."""
        if place not in self._fineness:
            index, store = self._indices[place], self._run.store
            digest = self._keys.stylized[index].digest
            name = fingerprint("fineness", VERSION, self._run.clip_identity, index, digest)
            arrays = store.get(f"{STEP}/{name}")
            if arrays is None or "fineness" not in arrays:
                style = self._keys.style(index, matched=False)
                value = fineness(style, self._run.clip.frame(index).rgb)
                arrays = {"fineness": np.array([value], np.float32)}
                if self._stores:
                    store.put(f"{STEP}/{name}", arrays)
            self._fineness[place] = float(arrays["fineness"][0])
        return self._fineness[place]

    def _entry(self, place: int) -> str:
        ends = self._indices[place : place + 2]
        return f"{STEP}/{fingerprint('link', VERSION, self._run.clip_identity, ends)}"

    def _stored(self, place: int) -> Link | None:
        arrays = self._run.store.get(self._entry(place))
        if arrays is None:
            return None
        try:
            return Link.unpack(arrays, self.view(place).filmed.shape)
        except ValueError as error:
            _log.warning("%s: %s; it will be made again", self._entry(place), error)
            return None

    def _make(self, place: int, cancel: CancelToken) -> Link:
        first, last = self._indices[place : place + 2]

        def frames() -> Iterator[Image]:
            for frame in self._run.clip.frames(first, last + 1):
                cancel.check()
                yield reduce_frame(frame.rgb)

        arrays = link_keys(frames()).pack()
        self._run.store.put(self._entry(place), arrays)
        # read back as stored, so that a resumed run gives the same bytes
        return Link.unpack(arrays, self.view(place).filmed.shape)
