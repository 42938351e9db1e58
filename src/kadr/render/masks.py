"""The masks of a run: which one each frame has, what is set in it, and the matte it becomes."""

from __future__ import annotations

import bisect
import json
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from kadr.composite.matte import MatteOptions
from kadr.composite.work_area import (
    EVERY,
    WorkArea,
    make_work_area,
    margin_cells,
    pack_tiles,
)
from kadr.core.closing import Closing
from kadr.core.events import CancelToken, Event, notice
from kadr.core.formatting import counted
from kadr.core.frames import FrameRange
from kadr.errors import InputError
from kadr.files import file_digest
from kadr.image_files import IMAGE_SUFFIXES
from kadr.options import RunOptions
from kadr.remote.copies import local_copy
from kadr.render.mask_look import MaskLook, mask_facts
from kadr.render.matte_reader import MaskFacts, MaskSource, MatteReader
from kadr.render.numbered_files import find_numbered_files
from kadr.storage.layout import WorkLayout
from kadr.storage.store import FolderStore, fingerprint
from kadr.unused_files import unused_file_notices
from kadr.video.animated_clip import is_animated
from kadr.video.base import Clip
from kadr.video.clip_source import ClipSource
from kadr.video.clips import open_clip
from kadr.video.identity import identify
from kadr.video.sparse_clip import SparseClip, whole_clip

STEP = "masks"
VERSION = 1
"""Raised when the same files give other mattes."""

_BLACK = 16
"""A largest level below this is the noise of black masks."""
_FAINT = 128
"""Masks without a level from this on are told to be faint."""
_RATE_TOLERANCE = Fraction(1, 200)

Value = TypeVar("Value")


class FrameMasks(Closing):
    """Masks of frames: white is styled, black stays as filmed; safe to use from several threads.

    options.mask: a video, a folder or pattern of masks named by frame number, or one image for all
    frames. Raises InputError if it cannot be used or one of ``frames`` has no mask.
    """

    def __init__(self, options: RunOptions, clip: Clip, frames: FrameRange) -> None:
        assert options.mask is not None, "a run without a mask has no masks"
        self._path, self._options, self._clip, self._run_frames = (
            local_copy(options.mask),
            options,
            whole_clip(clip),
            frames,
        )
        self._needed: Sequence[int] = range(frames.start, frames.stop)
        if isinstance(clip, SparseClip):  # masks belong to the frames of the whole clip
            self._needed = clip.indices[frames.start : frames.stop]
            self._run_frames = FrameRange(self._needed[0], self._needed[-1] + 1)
        self._size = (clip.info.width, clip.info.height)
        self._mask_clip: Clip | None = None
        self._notices: list[str] = []
        self._files: dict[int, Path] = {}
        self._frames: dict[int, int] = {}
        self._tiles: Mapping[int, str] = {}
        self._reader: MatteReader | None = None
        self._area: WorkArea | None = None
        path, files = self._path, find_numbered_files(self._path, self._clip, "mask")
        if files is not None:
            self._files = files
            self._check_files()
        elif path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES and not is_animated(path):
            self._files = dict.fromkeys(range(len(self._clip)), path)
        elif not path.exists():
            raise InputError(
                f"{path}: no such mask; give a video, a folder of images named by frame number, or "
                "one image"
            )
        else:
            self._open_clip()
        if isinstance(clip, SparseClip):
            self._clip, self._run_frames = clip, frames
            self._files = _by_position(self._files, clip)
            self._frames = _by_position(self._frames, clip)
        digests = {file: file_digest(file) for file in set(self._files.values())}
        self._source = MaskSource(
            self._size,
            MatteOptions(options.invert_mask, options.grow, options.feather),
            MaskFacts(),
            tuple((index, str(file), digests[file]) for index, file in sorted(self._files.items())),
            None,
            tuple(sorted(self._frames.items())),
            options.fit_mask,
        )

    def _check_files(self) -> None:
        clip, frames = self._clip, self._run_frames
        if self._path.is_dir():
            self._notices += unused_file_notices([self._path])
        missing = [index for index in self._needed if index not in self._files]
        if missing:
            masks = sorted(self._files)
            some = ", ".join(str(clip.number(index)) for index in missing[:5])
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            raise InputError(
                f"{self._path}: {counted(len(masks), 'mask')} numbered {clip.number(masks[0])} to "
                f"{clip.number(masks[-1])} for {counted(len(frames), 'frame')} "
                f"{clip.number(frames.start)} to {clip.number(frames.stop - 1)}; no mask for frame "
                f"{some}{more}: add them, give one image for all frames, or leave frames out with "
                "--frames"
            )

    def _open_clip(self) -> None:
        """Pair the frames with those of a video of masks."""
        self._mask_clip = masks = open_clip(self._path)
        clip, frames = self._clip, self._run_frames
        counts = (len(masks), len(clip))
        text = (
            f"{self._path}: {counted(len(masks), 'frame')} at {_rate(masks)}, "
            f"{clip.info.path} has {len(clip)} at {_rate(clip)}"
        )
        ratio = masks.info.frame_rate / clip.info.frame_rate
        same_rate = clip.info.rate_is_assumed or abs(ratio - 1) <= _RATE_TOLERANCE
        if self._options.fit_mask and not (same_rate and counts[0] == counts[1]):
            if masks.info.duration < clip.times[frames.stop - 1]:
                self.close()
                raise InputError(
                    f"{text}: too short; give a mask as long as the clip, or leave frames out with "
                    "--frames"
                )
            self._frames = {
                index: max(0, bisect.bisect_right(masks.times, time) - 1)
                for index, time in enumerate(clip.times)
                if time < masks.info.duration
            }
            self._notices.append(f"{text}; each frame has the mask of its time")
            return
        if not same_rate and counts[0] != counts[1]:
            self.close()
            raise InputError(
                f"{text}; give --fit-mask to use for each frame the mask of its time, or a mask "
                "with the frames of the clip"
            )
        if len(masks) < frames.stop:
            self.close()
            last = clip.number(len(masks) - 1)
            raise InputError(
                f"{text}; no mask for frame {clip.number(len(masks))} and after: give a mask as "
                f"long as the clip, or --frames {clip.number(0)}:{last}"
            )
        if not same_rate or counts[0] > counts[1]:
            self._notices.append(f"{text}; frames are paired by their numbers")
        self._frames = {index: index for index in range(min(counts))}

    def survey(
        self, layout: WorkLayout, tile: int, cancel: CancelToken
    ) -> Generator[Event, None, None]:
        """Look at every mask: how they are to be read, and where something is set in them.

        tile: see WorkArea. What was found is kept in the work folder.
        Raises InputError for a mask of another size, or if no mask of the run is set anywhere.
        """
        if self._mask_clip is not None:
            identify(self._mask_clip, layout.folder)
            source = ClipSource(str(self._path)).pinned(self._mask_clip)
            self._source = replace(self._source, clip=source)
        store = FolderStore(layout.folder)
        margin = margin_cells(self._source.matte.reach, tile)
        shrink = min(0, self._options.grow)
        named = sorted({index: self._source._names[index] for index in self._indices()}.items())
        parts = (
            self._size,
            tile,
            margin,
            shrink,
            self._options.invert_mask,
            self._options.fit_mask,
        )
        entry = layout.masks_entry(fingerprint(STEP, VERSION, *parts, named))
        looked = _unpack(store.get(entry))
        if looked is None:
            looked = yield from self._look(tile, cancel)
            store.put(entry, {"masks": np.frombuffer(json.dumps(looked).encode(), np.uint8)})
        self._tiles = {int(index): text for index, text in looked["tiles"].items()}
        self._area = None
        facts = MaskFacts(**looked["facts"])
        self._source = replace(self._source, facts=facts)
        self._reader = MatteReader(self._source, self._mask_clip)
        self._check_set(looked["set"], facts)
        for text in (*self._notices, *self._fact_notices(facts)):
            yield notice(STEP, text)

    def _indices(self) -> Sequence[int]:
        """A frame for each mask that is to be looked at."""
        if self._files and len(set(self._files.values())) == 1 and self._path.is_file():
            return [0]
        return sorted(self._files or self._frames)

    def _look(self, tile: int, cancel: CancelToken) -> Generator[Event, None, dict[str, Any]]:
        """The facts of all masks, and the tiles that each touches."""
        indices, looks = self._indices(), list[MaskLook]()
        with MatteReader(self._source, self._mask_clip) as reader:
            for count, index in enumerate(indices, start=1):
                cancel.check()
                looks.append(MaskLook(reader.image(index), self._source, tile))
                yield Event(STEP, count, len(indices))
        facts = mask_facts(looks)
        is_one = len(indices) == 1 and self._path.is_file() and bool(self._files)
        tiles = {
            EVERY if is_one else index: look.tiles(facts)
            for index, look in zip(indices, looks, strict=True)
        }
        is_set = [index for index, touched in tiles.items() if touched.any()]
        packed = {index: pack_tiles(touched) for index, touched in tiles.items()}
        return {"facts": asdict(facts), "tiles": packed, "set": is_set}

    def _check_set(self, is_set: Iterable[int], facts: MaskFacts) -> None:
        """Raise InputError if no mask of the run is set anywhere."""
        if self.is_set_anywhere(is_set, facts):
            return
        frames, number = self._run_frames, self._clip.number
        inverted = self._options.invert_mask
        cause = "is set nowhere" if len(set(self._files.values())) == 1 else "no mask is set"
        where = f"in frames {number(frames.start)} to {number(frames.stop - 1)}"
        remedy = (
            "leave out --invert-mask" if inverted
            else "paint white what is to be restyled, or give --invert-mask"
        )  # fmt: skip
        if self._options.grow < 0:
            remedy = f"shrink it by less than {-self._options.grow} pixels, or {remedy}"
        levels = (
            "inverted, it " if inverted else f"its largest level is {facts.largest} of 255, it "
        )
        raise InputError(f"{self._path}: {cause} {where}: {levels}restyles nothing; {remedy}")

    def is_set_anywhere(self, is_set: Iterable[int], facts: MaskFacts) -> bool:
        """Whether one of the masks of the run is set, by more than noise."""
        is_read = self._options.invert_mask or facts.has_alpha or facts.has_numbers
        if not is_read and facts.largest < _BLACK:
            return False
        return any(index == EVERY or index in self._run_frames for index in is_set)

    def _fact_notices(self, facts: MaskFacts) -> Iterator[str]:
        if facts.has_alpha:
            yield f"{self._path}: its alpha is the mask"
        elif facts.has_numbers:
            yield f"{self._path}: holds the levels 0 and {facts.largest}; all above 0 counts as set"
        elif facts.largest < _FAINT and not self._options.invert_mask:
            yield (
                f"{self._path}: its lightest grey is {facts.largest} of 255; the film shows "
                "through everywhere"
            )

    def work_area(self, tile: int) -> WorkArea:
        """Where passes work; after ``survey`` with the same tile."""
        if self._area is None:
            # what is painted elsewhere in a key may be needed where a mask goes later; a stylizer
            # makes nothing there
            follow = self._options.stylizer != "external"
            self._area = make_work_area(self._size, tile, self._tiles, follow=follow)
        return self._area

    def source(self) -> MaskSource:
        """Which mask each frame has, as plain values; after ``survey``."""
        return self._source

    def digest(self, index: int) -> str:
        """A hash of all that a frame's matte is made from."""
        return self._source.digest(index)

    def mask(self, index: int) -> NDArray[np.bool_]:
        """(H, W) bool, True where frame ``index`` is styled at least in part."""
        mask: NDArray[np.bool_] = self.matte(index) > 0
        return mask

    def matte(self, index: int) -> NDArray[np.float32]:
        """(H, W) float32, 0–1, not to be written to; after ``survey``."""
        assert self._reader is not None, "masks are surveyed first"
        return self._reader.matte(index)

    def close(self) -> None:
        """Free the files of a video of masks."""
        if self._reader is not None:
            self._reader.close()
        if self._mask_clip is not None:
            self._mask_clip.close()


def _by_position(values: Mapping[int, Value], clip: SparseClip) -> dict[int, Value]:
    """Values by frame of the whole clip, as values by frame of ``clip``."""
    return {
        position: values[index] for position, index in enumerate(clip.indices) if index in values
    }


def _rate(clip: Clip) -> str:
    return f"{float(clip.info.frame_rate):.6g} frames/s"


def _unpack(arrays: Mapping[str, NDArray[Any]] | None) -> dict[str, Any] | None:
    """What the survey found, if it is stored and whole."""
    try:
        looked = json.loads((arrays or {})["masks"].tobytes())
    except (KeyError, ValueError):
        return None
    return (
        looked if isinstance(looked, dict) and {"facts", "tiles", "set"} <= looked.keys() else None
    )
