"""Export a project as EbSynth's project file, with images where needed."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kadr.core.events import CancelToken, Event
from kadr.core.frames import Frame, FrameRange, Span
from kadr.errors import InputError, OptionsError, OutputError
from kadr.exchange.ebs import EbsProject, EbsRange, EbsTail, EbsWeights, read_ebs, write_ebs
from kadr.exchange.import_project import ORIGIN
from kadr.exchange.key_ranges import effective_ranges
from kadr.exchange.patterns import common_pattern, pattern_text, resolve_pattern, same_files
from kadr.exchange.weights import DETAILS, to_ebsynth
from kadr.files import file_digest
from kadr.image_files import read_image, write_image
from kadr.options import RunOptions
from kadr.plan.key_spans import assign_spans
from kadr.project.folder import ProjectFolder
from kadr.stylize.external import KeyFile, find_keys
from kadr.video.base import Clip
from kadr.video.clip_source import ClipSource
from kadr.video.clips import create_clip
from kadr.video.identity import clip_files
from kadr.video.outputs_apart import check_outputs_apart
from kadr.video.sequence import sequence_pattern

GetMatte = Callable[[int], NDArray[np.float32]]
"""A frame index → its matte, (H, W) float32, 0–1."""

_EBSYNTH_KEYS = 20
"""Number of keys that EbSynth shows."""
_MIN_DIGITS = 5


@dataclass(frozen=True)
class ExportResult:
    """The written file, its number of ranges, and notices for the user."""

    path: Path
    ranges: int
    notices: tuple[str, ...] = ()


def export_ebs(
    project: ProjectFolder,
    path: Path,
    *,
    cuts: Sequence[int] = (),
    overwrite: bool = False,
    cancel: CancelToken | None = None,
    matte: GetMatte | None = None,
) -> Generator[Event, None, ExportResult]:
    """Write a project as ``path``; yields an Event for each frame if it converts a video to images.

    The file refers to image sequences and painted keys at their place if a pattern can name them;
    otherwise they are written next to the file, as NAME_video/ and NAME_keys/, and masks as
    NAME_mask/. Parts of an imported project that were not changed since are exported as they were
    imported.
    cuts: first frames of shots; automatic ranges do not cross them. matte: of frames, for a project
    with a mask; without it, the mask is left out with a notice.
    Raises OutputError if ``path`` exists, OptionsError for a project without painted keys,
    InputError for its clip or keys.
    """
    if path.suffix.lower() != ".ebs":
        raise OptionsError(f"{path}: expected a name that ends in .ebs")
    check_outputs_apart([path], [project.toml, project.root / ORIGIN])
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: exists already; use --overwrite or another name")
    options = project.options()
    if options.stylizer != "external":
        raise OptionsError(
            f"{project.root}: its keys are made by the stylizer {options.stylizer}; "
            "EbSynth needs painted keys"
        )
    export = _Export(project, options, path, overwrite, cancel or CancelToken())
    with ClipSource.of(options).open() as clip:
        frames = options.frames or FrameRange(0, len(clip))
        keys = [
            key for key in find_keys(options.keys, clip, options.key_offset) if key.index in frames
        ]
        if options.rotate_keys and clip.info.rotation:
            export.notices.append(
                f"{path}: keys stay as they were painted; EbSynth does not turn them"
            )
        spans = _spans(keys, frames, options.ranges, cuts, clip)
        ebs = replace(
            export.base,
            video=export.video(clip),
            keys=export.keys(clip, keys),
            **export.mask(clip, frames, matte),
            weights=to_ebsynth(options.propagate, export.base.weights),
            ranges=export.ranges(clip, spans),
            tail=export.tail(clip),
        )
        yield from export.write_images(clip, frames, matte)
    write_ebs(path, ebs)
    return ExportResult(path, len(ebs.ranges), tuple(export.notices))


def _spans(
    keys: Sequence[KeyFile],
    frames: FrameRange,
    manual_spans: Sequence[Span],
    cuts: Sequence[int],
    clip: Clip,
) -> list[Span]:
    """One span for each key; EbSynth allows frames that are in no range."""
    indices = [key.index for key in keys]
    if sorted(span.key for span in manual_spans) == sorted(indices):
        return sorted(manual_spans)
    return assign_spans(indices, frames, manual_spans, cuts=cuts, number=clip.number)


class _Export:
    """One export: the file that the project was imported from, and the parts of the new file.

    ``video``, ``keys`` and ``mask`` decide which images have to be written and check that they can
    be; ``write_images`` writes them.
    """

    def __init__(
        self,
        project: ProjectFolder,
        options: RunOptions,
        path: Path,
        overwrite: bool,
        cancel: CancelToken,
    ) -> None:
        self._project, self._options, self._path = project, options, path
        self._overwrite, self._cancel = overwrite, cancel
        self._inputs = [options.clip, *options.keys]
        if options.mask is not None:
            self._inputs.append(options.mask)
        self._video_target: Path | None = None
        self._mask_target: Path | None = None
        self._key_copies: dict[Path, Path] = {}
        """Painted key → its copy."""
        self.notices: list[str] = []
        self._origin = self._read_origin()
        self.base = self._origin or EbsProject("", "", weights=EbsWeights())

    def _read_origin(self) -> EbsProject | None:
        origin = self._project.root / ORIGIN
        if not origin.is_file():
            return None
        try:
            return read_ebs(origin)
        except InputError as error:
            self.notices.append(f"{error}; it is ignored")
            return None

    def _resolve(self, text: str, description: str) -> Path | None:
        """A pattern of the origin resolved from the new file; None if it does not resolve."""
        try:
            return resolve_pattern(text, self._path, description) if text else None
        except InputError:
            return None

    def video(self, clip: Clip) -> str:
        """The pattern of the clip's images, which are still to be written if there are none."""
        source = self._options.clip
        resolved = self._resolve(self.base.video, "video")
        is_pattern = not source.exists() and sequence_pattern(source.name) is not None
        if resolved is not None and is_pattern and same_files(resolved, source):
            return self.base.video
        if clip.info.kind == "images":
            files = clip_files(source)
            pattern = common_pattern([file.name for file in files])
            if pattern is not None:
                return pattern_text(files[0].parent, pattern, self._path)
        name = self._image_name(clip)
        folder = self._path.parent / f"{self._path.stem}_video"
        check_outputs_apart([folder / name], self._inputs)
        self._video_target = folder / name
        return f"{folder.name}/{name}"

    def mask(self, clip: Clip, frames: FrameRange, matte: GetMatte | None) -> dict[str, Any]:
        """The pattern of the masks, which are still to be written, and its switch."""
        options, base = self._options, self.base
        resolved = self._resolve(base.mask, "mask")
        if options.mask is None:
            # taken out of the project, if it was there when that was imported
            is_gone = resolved is not None and base.mask_on
            return {"mask": base.mask, "mask_on": 0 if is_gone else base.mask_on}
        is_plain = not (options.invert_mask or options.grow or options.feather or options.fit_mask)
        if resolved is not None and is_plain and same_files(resolved, options.mask):
            return {"mask": base.mask, "mask_on": base.mask_on or 1}
        if matte is None:
            self.notices.append(f"{self._path}: without the mask {options.mask}")
            return {"mask": "", "mask_on": 0}
        name, folder = self._image_name(clip), self._path.parent / f"{self._path.stem}_mask"
        check_outputs_apart([folder / name], self._inputs)
        self._mask_target = folder / name
        return {"mask": f"{folder.name}/{name}", "mask_on": 1}

    def write_images(
        self, clip: Clip, frames: FrameRange, matte: GetMatte | None
    ) -> Generator[Event, None, None]:
        """Write the images of the clip, the masks and the copies of keys that the file needs."""
        if self._mask_target is not None and matte is not None:
            writer = create_clip(
                self._mask_target,
                like=clip,
                overwrite=self._overwrite,
                indices=range(frames.start, frames.stop),
            )
            with writer:
                for count, index in enumerate(frames, start=1):
                    self._cancel.check()
                    levels = np.rint(matte(index) * 255).astype(np.uint8)
                    writer.write(Frame(index, np.dstack([levels] * 3)))
                    yield Event("masks", count, len(frames))
        if self._video_target is not None:
            writer = create_clip(self._video_target, like=clip, overwrite=self._overwrite)
            total = len(clip)
            with writer:
                yield Event("frames", 0, total)
                for frame in clip.frames():
                    self._cancel.check()
                    writer.write(frame)
                    yield Event("frames", frame.index + 1, total, frame.rgb)
        for key, copy in self._key_copies.items():
            write_image(copy, read_image(key))

    @staticmethod
    def _image_name(clip: Clip) -> str:
        digits = max(_MIN_DIGITS, len(str(clip.number(len(clip) - 1))))
        return f"[{'#' * digits}].png"

    def keys(self, clip: Clip, keys: Sequence[KeyFile]) -> str:
        """The pattern of the painted keys, which are still to be copied if none names them all."""
        numbers = [clip.number(key.index) for key in keys]
        resolved = self._resolve(self.base.keys, "keys")
        pattern = None if resolved is None else sequence_pattern(resolved.name)
        if resolved is not None and pattern is not None:
            old_paths = [resolved.parent / pattern.name(number) for number in numbers]
            if all(_same_file(old, key.path) for old, key in zip(old_paths, keys, strict=True)):
                return self.base.keys
        folders = {key.path.parent for key in keys}
        pattern = common_pattern([key.path.name for key in keys])
        if (
            pattern is not None
            and len(folders) == 1
            and [pattern.number(key.path.name) for key in keys] == list(numbers)
        ):
            return pattern_text(folders.pop(), pattern, self._path)
        folder, name = self._path.parent / f"{self._path.stem}_keys", self._image_name(clip)
        check_outputs_apart([folder / name], self._inputs)
        pattern = sequence_pattern(name)
        assert pattern is not None, "the name contains a number field"
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"{folder}: is a file; give the .ebs file another name")
        for number, key in zip(numbers, keys, strict=True):
            path = folder / pattern.name(number)
            if path.exists() and not self._overwrite:
                raise OutputError(f"{path}: exists already; use --overwrite or another name")
            self._key_copies[key.path] = path
        return f"{folder.name}/{name}"

    def ranges(self, clip: Clip, spans: Sequence[Span]) -> tuple[EbsRange, ...]:
        """One range for each key, in frame numbers; unchanged where the old one is equivalent."""
        numbers = {
            clip.number(span.key): (clip.number(span.start), clip.number(span.stop - 1))
            for span in spans
        }
        old_ranges = self.base.ranges
        try:
            old_ends = effective_ranges(old_ranges, clip, str(self._path), [])
        except InputError:
            old_ends, old_ranges = {}, ()
        manual_ranges = set(self._project.settings.ranges)
        if self._origin is not None and old_ends.items() == numbers.items():
            return old_ranges
        if self._origin is not None and not old_ranges and not manual_ranges:
            return old_ranges
        old_by_key = {item.key: item for item in old_ranges}
        if len(numbers) > _EBSYNTH_KEYS:
            self.notices.append(
                f"{self._path}: has {len(numbers)} keys; EbSynth shows only about {_EBSYNTH_KEYS}"
            )
        return tuple(
            old_by_key[key]
            if old_ends.get(key) == ends
            else _range(
                key,
                ends,
                old_by_key[key].output if key in old_by_key else None,
                self._image_name(clip),
            )
            for key, ends in numbers.items()
        )

    def tail(self, clip: Clip) -> EbsTail | None:
        """Detail and frame rate; unchanged where the old values are equivalent."""
        settings, old_tail = self._project.settings, self.base.tail
        if old_tail is None and settings.detail == "medium" and settings.frame_rate is None:
            return None
        tail = old_tail or EbsTail()
        if DETAILS.get(tail.detail, "medium") != settings.detail:
            numbers = {name: number for number, name in DETAILS.items()}
            tail = replace(tail, detail=numbers[settings.detail])
        is_unset = settings.frame_rate is None and not 0.01 <= tail.fps <= 1000
        if self._origin is None or not (is_unset or settings.frame_rate == tail.fps):
            tail = replace(tail, fps=float(clip.info.frame_rate))
        return tail


def _same_file(first: Path, second: Path) -> bool:
    if not first.is_file():
        return False
    return first.samefile(second) or file_digest(first) == file_digest(second)


def _range(key: int, ends: tuple[int, int], output: str | None, name: str) -> EbsRange:
    first, last = ends
    folder = f"out-{key:0{len(name) - len('[].png')}d}"
    return EbsRange(
        key, first, last, output or f"{folder}/{name}", int(first < key), int(last > key)
    )
