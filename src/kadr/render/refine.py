"""Stylize blended frames again, at low strength, where no key explains them.

Where something appears that no key shows, a propagated frame is a guess. There, and nowhere else,
the stylizer works on the blended frame at low denoising strength. All other pixels stay the same,
bit for bit, and the refined area takes its style from its surroundings.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.events import CancelToken, Event
from kadr.core.frames import Frame, Image, to_8_bits
from kadr.core.seeds import derive_seed
from kadr.core.stage_times import stage
from kadr.errors import BackendError, OptionsError
from kadr.option_fields import (
    FILMED_FRAME,
    OTHER_FRAMES,
    fields_that_need,
    options_of_frames,
    single_frame_options,
)
from kadr.render.pass_frame import read_pass_frame
from kadr.render.run_context import RunContext
from kadr.render.schedule import RunSchedule
from kadr.render.styled_check import StyledCheck
from kadr.render.stylizer_ranges import FrameOptions, create_ranged
from kadr.storage.frame_folder import FrameState
from kadr.storage.store import fingerprint
from kadr.stylize.base import Mask, StyledFrame, StylizeContext, StylizeJob, Stylizer
from kadr.stylize.infotext import PARAMETERS
from kadr.stylize.registry import create_stylizer, stylizer_options

STEP = "refine"
VERSION = 2

_LEAST = 0.002
"""The smallest share of a frame that is refined; less is noise of the error measure."""
_GROW = 0.012
"""Part of the longer side: the margin around an unexplained area that is refined in full, the width
of the fade around that, and half the width of gaps that are closed."""


class Refiner:
    """Refines the frames of a schedule; ``frames`` takes and yields them in order.

    Raises OptionsError for a stylizer that has no denoising strength to lower.
    """

    def __init__(
        self,
        run: RunContext,
        schedule: RunSchedule,
        ranges: Sequence[FrameOptions],
        cancel: CancelToken,
    ) -> None:
        options = run.options
        assert options.refine is not None, "refine has no threshold"
        kind = stylizer_options(options.stylizer)
        if not hasattr(kind, "denoising_strength"):
            raise OptionsError(
                f"refine: stylizer {options.stylizer} has no denoising-strength to lower; use one "
                "such as diffusion, or leave it out"
            )
        settings = {**options.stylizer_options, "denoising_strength": options.refine_strength}
        # a frame starts from the propagated one, and keeps most of it
        settings = single_frame_options(kind, settings, filmed=False)
        # one strength for all frames: ranges may still differ in what is painted
        refined = [
            replace(item, options=self._refine_options(kind, item.options)) for item in ranges
        ]
        self._ranged = create_ranged(options, settings, refined) if refined else None
        self._stylizer: Stylizer = self._ranged or create_stylizer(options.stylizer, **settings)
        self._settings, self._threshold = settings, options.refine
        self._run, self._schedule, self._cancel = run, schedule, cancel
        self._final = run.final_frames
        self._check = StyledCheck.of(options.stylizer, run.clip.number, strength="refine-strength")
        self.refined, self.reused = 0, 0
        self.seconds = 0.0
        """Time spent on refining, stored frames included."""

    @staticmethod
    def _refine_options(kind: type[Any], changes: Mapping[str, Any]) -> dict[str, Any]:
        """What of a range's options holds for a frame that starts from the propagated one."""
        dropped = {"denoising_strength", *fields_that_need(kind, OTHER_FRAMES, FILMED_FRAME)}
        return {name: value for name, value in changes.items() if name not in dropped}

    def frames(self, results: Iterable[Event | Frame]) -> Generator[Event | Frame, None, None]:
        """Pass events on, and each frame: as it is, as stored by an earlier run, or refined."""
        size = 1 if self._stylizer.sequential else max(1, self._stylizer.max_batch)
        waiting: list[tuple[Frame, str, Mask | None]] = []
        for result in results:
            if isinstance(result, Event):
                yield result
                continue
            frame, name = result, self._name(result)
            state = self._final.find(frame.index, name)
            if state in (FrameState.CURRENT, FrameState.EDITED):
                self.reused += 1
                image = self._final.get(frame.index, self._run.size)
                waiting.append((replace(frame, image=image), "", None))
            else:
                waiting.append((frame, name, self.mask(frame.index)))
            if sum(mask is not None for _, _, mask in waiting) >= size or len(waiting) >= 4 * size:
                yield from self._batch(waiting)
                waiting = []
        yield from self._batch(waiting)
        for text in self._check.summary():
            yield Event(STEP, self.refined, None, message=text)
        self._final.sync()

    def mask(self, index: int) -> Mask | None:
        """(H, W) bool, True where not even the best key explains the frame; None if nowhere."""
        passes = [key_pass for key_pass in self._schedule.passes if key_pass.covers(index)]
        if index in self._schedule.styles or not passes:
            return None
        store = self._run.store
        errors = [read_pass_frame(store, key_pass, index, "error") for key_pass in passes]
        least: NDArray[np.uint8] = np.minimum.reduce(errors)
        smooth = cv2.GaussianBlur(least, (0, 0), 1.0)
        small = (smooth > self._threshold * 255).astype(np.uint8)
        small = cv2.morphologyEx(small, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
        if small.mean() < _LEAST:
            return None
        reach = _reach(small.shape)
        # small propagated islands inside a refined area would look like pieces of another image
        small = cv2.erode(cv2.dilate(small, _disc(3 * reach)), _disc(reach))
        area, masks = self._run.work_area, self._run.masks
        size = self._run.size if area is None else area.window[2:]
        worked: Mask = (
            cv2.resize(small.astype(np.float32), size, interpolation=cv2.INTER_CUBIC) > 0.5
        )
        if area is None or masks is None:
            return worked
        mask: Mask = np.zeros(self._run.size[::-1], np.bool_)
        left, top, width, height = area.window_of(index)
        mask[top : top + height, left : left + width] = worked
        mask &= masks.mask(index)
        return mask if mask.any() else None

    def _name(self, frame: Frame) -> str:
        """The fingerprint of a frame in the folder of final frames."""
        frame_name = self._schedule.frame_name(frame.index)
        if frame.index in self._schedule.styles:
            return frame_name
        options, settings = self._run.options, self._settings
        if self._ranged is not None:
            settings = self._ranged.options_at(frame.index)
        return fingerprint(
            STEP,
            VERSION,
            frame_name,
            frame.index,
            self._threshold,
            options.stylizer,
            self._stylizer.VERSION,
            options_of_frames(stylizer_options(options.stylizer), settings),
            options.seed,
        )

    def _batch(
        self, waiting: list[tuple[Frame, str, Mask | None]]
    ) -> Generator[Event | Frame, None, None]:
        masks = {frame.index: mask for frame, _, mask in waiting if mask is not None}
        start = time.monotonic()
        with stage(STEP):
            refined = {styled.index: styled for styled in self._restyle(waiting, masks)}
        self.seconds += time.monotonic() - start
        for frame, name, mask in waiting:
            self._cancel.check()
            styled = refined.get(frame.index)
            if mask is not None and styled is None:
                raise BackendError(f"stylizer {self._stylizer.name}: left out a frame; use another")
            if styled is not None and mask is not None:
                if styled.image.shape[:2] != mask.shape:
                    height, width = styled.image.shape[:2]
                    raise BackendError(
                        f"stylizer {self._stylizer.name}: made {width}×{height} of a frame of "
                        f"{mask.shape[1]}×{mask.shape[0]}; this is a fault of the stylizer, use "
                        "another"
                    )
                for text in self._check.check(frame.index, styled.image, mask):
                    yield Event(STEP, self.refined, None, message=text)
                image, parameters = (
                    _composite(to_8_bits(frame.image), styled, mask, self._matte(frame.index)),
                    styled.info.get(PARAMETERS),
                )
                texts = {PARAMETERS: parameters} if parameters else {}
                frame = replace(frame, image=image, texts=texts)
                self.refined += 1
                yield Event(STEP, self.refined, None, image)
            if name:
                error = self._run.blended_frames.error(frame.index) or 0.0
                image = frame.image.astype(np.uint8, copy=False)
                self._final.put(frame.index, image, name, error, frame.texts)
            yield frame

    def _matte(self, index: int) -> NDArray[np.float32] | None:
        masks = self._run.masks
        return None if masks is None else masks.matte(index)

    def _restyle(
        self, waiting: Iterable[tuple[Frame, str, Mask | None]], masks: Mapping[int, Mask]
    ) -> Iterator[StyledFrame]:
        if not masks:
            return
        seed = self._run.options.seed

        def read() -> Iterator[StylizeJob]:
            for frame, _, mask in waiting:
                if mask is not None:
                    sent = Frame(frame.index, frame.rgb)
                    self._check.add_frame(sent)
                    # each in a group of its own: frames must not use each other
                    yield StylizeJob(sent, frame.index, derive_seed(seed, STEP, frame.index))

        context = StylizeContext(
            mask=masks.get,
            number=self._run.clip.number,
            cancel=self._cancel,
            threads=self._run.options.threads,
        )
        results = self._stylizer.stylize(read(), context)
        with closing(results) as batches:  # type: ignore[type-var]
            yield from itertools.chain.from_iterable(batches)


def _reach(shape: tuple[int, ...]) -> int:
    return max(1, round(max(shape[:2]) * _GROW))


def _disc(radius: int) -> NDArray[np.uint8]:
    disc: NDArray[np.uint8] = cv2.getStructuringElement(
        cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)
    ).astype(np.uint8)
    return disc


def _composite(
    propagated: Image, styled: StyledFrame, mask: Mask, matte: NDArray[np.float32] | None
) -> Image:
    """The stylized frame where the mask is True, fading at its edges into the propagated one.

    matte: where the run restyles at all; None: everywhere.
    """
    depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3) / (_reach(mask.shape) + 1)
    share = np.clip(depth, 0, 1)[..., None]
    share *= share * (3 - 2 * share)
    if matte is not None:
        share = share * matte[..., None]
    colours, alpha = propagated[..., :3], propagated[..., 3:]
    mixed = colours + share * (styled.image[..., :3].astype(np.float32) - colours)
    image: Image = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return np.concatenate([image, alpha], axis=2)
