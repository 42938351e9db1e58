"""Which frames are keys and what they look like stylized: painted by hand or by a stylizer."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from kadr.core.events import CancelToken, Event
from kadr.core.frames import FrameRange
from kadr.core.seeds import derive_seed
from kadr.errors import BackendError, InputError
from kadr.options import RunOptions
from kadr.plan.keyframes import space_keyframes
from kadr.run.store import Store, fingerprint
from kadr.stylize.base import Context, Job, Styled, Stylizer
from kadr.stylize.external import find_keys
from kadr.stylize.registry import create_stylizer
from kadr.video.base import Clip

STEP = "stylize"
VERSION = 1


class KeyStyles:
    """The keys of a run. ``stylize`` makes them all once; ``style`` then lends them one by one."""

    def __init__(self, options: RunOptions, clip: Clip, frames: FrameRange, store: Store) -> None:
        """Choose the keys: those that were painted, or evenly spaced ones within the budget.

        Raises InputError if painted keys do not fit the clip, OptionsError for a bad stylizer.
        """
        self._clip, self._store, self._seed = clip, store, options.seed
        self._threads, self._channels = options.threads, 3
        settings = dict(options.stylizer_options)
        if options.keys:
            files = find_keys(options.keys, clip)
            self.indices = [file.index for file in files if file.index in frames]
            if not self.indices:
                raise InputError(
                    f"{options.keys[0]}: no key lies in the frames "
                    f"{clip.number(frames.start)}–{clip.number(frames.stop - 1)} "
                    "that were asked for"
                )
            settings |= {"keys": options.keys, "fit": options.fit_keys}
        else:
            self.indices = space_keyframes(frames, options.keys_budget)
        self._stylizer: Stylizer = create_stylizer(options.stylizer, **settings)
        self._name = fingerprint(
            STEP, VERSION, options.stylizer, settings, str(clip.info.path), options.seed
        )

    def stylize(self, cancel: CancelToken) -> Iterator[Event]:
        """Stylize every key into the store; an Event for each.

        Raises BackendError when the stylizer breaks its contract, and whatever it raises itself.
        """
        total = len(self.indices)
        yield Event(STEP, 0, total)
        missing = set(self.indices)
        context = Context(number=self._clip.number, cancel=cancel, threads=self._threads)
        for batch in self._stylizer.stylize(self._jobs(), context):
            for styled in batch:
                self._check(styled, missing)
                self._store.put(f"{self._name}{styled.index}", {"image": styled.image})
                self._channels = max(self._channels, styled.image.shape[2])
                missing.remove(styled.index)
                yield Event(STEP, total - len(missing), total, styled.image[..., :3])
        if missing:
            frames = ", ".join(str(self._clip.number(index)) for index in sorted(missing))
            raise self._broken(f"left out frames {frames}")

    def _check(self, styled: Styled, missing: set[int]) -> None:
        """Raise unless an answer is to an open job and of the clip's size."""
        if styled.index not in missing:
            raise self._broken(f"answered frame index {styled.index} unasked or twice")
        height, width = styled.image.shape[:2]
        info = self._clip.info
        if (width, height) != (info.width, info.height):
            raise self._broken(
                f"made frame {self._clip.number(styled.index)} {width}×{height}, "
                f"the clip has {info.width}×{info.height}"
            )

    def _broken(self, fault: str) -> BackendError:
        return BackendError(
            f"stylizer {self._stylizer.name}: {fault}; this is a fault of the stylizer, use another"
        )

    def _jobs(self) -> Iterator[Job]:
        for index in self.indices:
            frame = self._clip.frame(index)
            yield Job(frame, group=0, seed=derive_seed(self._seed, "stylize", index))

    def style(self, index: int) -> NDArray[np.uint8]:
        """A key's stylized frame, (H, W, C) uint8; C is 4 for all keys if it is for one."""
        arrays = self._store.get(f"{self._name}{index}")
        assert arrays is not None, f"key {index} was stylized and is gone"
        image: NDArray[np.uint8] = arrays["image"]
        if image.shape[2] < self._channels:
            image = np.concatenate([image, np.full_like(image[..., :1], 255)], axis=2)
        return image
