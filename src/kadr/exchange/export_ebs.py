"""One of our projects in, EbSynth's project file out, with images where it needs them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kadr.core.events import CancelToken, Event
from kadr.core.frames import FrameRange, Span
from kadr.errors import InputError, OptionsError, OutputError
from kadr.exchange.ebs import EbsProject, EbsRange, EbsTail, EbsWeights, read_ebs, write_ebs
from kadr.exchange.import_project import ORIGIN
from kadr.exchange.patterns import common_pattern, pattern_text, resolve_pattern, same_files
from kadr.exchange.ranges import effective_ranges
from kadr.exchange.weights import DETAILS, to_ebsynth
from kadr.files import file_digest, read_image, write_image
from kadr.options import RunOptions
from kadr.plan.key_spans import assign_spans
from kadr.project.folder import ProjectFolder
from kadr.project.frame_numbers import open_run_clip
from kadr.stylize.external import KeyFile, find_keys
from kadr.video.base import Clip
from kadr.video.clips import create_clip
from kadr.video.identity import clip_files
from kadr.video.sequence import sequence_pattern

_MOST_SHOWN = 20
"""Keys that EbSynth shows of a project."""
_DIGITS = 5

Events = Generator[Event, None, str]


@dataclass(frozen=True)
class ExportResult:
    """What was written, and lines for people."""

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
) -> Generator[Event, None, ExportResult]:
    """Write a project as ``path``; yields an Event a frame where a video becomes images.

    A sequence of images and painted keys are referred to where they lie, if a pattern can name
    them; else they are written beside the file, as NAME_video/ and NAME_keys/. A project that was
    imported goes out as it came in all that was not changed since.
    cuts: first frames of shots, which keys without a range of their own do not reach over.
    Raises OutputError if something stands at ``path``, OptionsError for a project without painted
    keys, InputError for its clip or keys.
    """
    if path.suffix.lower() != ".ebs":
        raise OptionsError(f"{path}: expected a name that ends in .ebs")
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: exists already; use --overwrite or another name")
    options = project.options()
    if options.stylizer != "external":
        raise OptionsError(
            f"{project.root}: its keys are made by the stylizer {options.stylizer}; "
            "EbSynth needs painted ones"
        )
    work = _Export(project, options, path, overwrite, cancel or CancelToken())
    with open_run_clip(options) as clip:
        frames = options.frames or FrameRange(0, len(clip))
        keys = [key for key in find_keys(options.keys, clip) if key.index in frames]
        video = yield from work.video(clip)
        spans = _spans(keys, frames, options.ranges, cuts, clip)
        ebs = replace(
            work.base,
            video=video,
            keys=work.keys(clip, keys),
            weights=to_ebsynth(options.propagate, work.base.weights),
            ranges=work.ranges(clip, spans),
            tail=work.tail(clip),
        )
    write_ebs(path, ebs)
    return ExportResult(path, len(ebs.ranges), tuple(work.notices))


def _spans(
    keys: Sequence[KeyFile],
    frames: FrameRange,
    given: Sequence[Span],
    cuts: Sequence[int],
    clip: Clip,
) -> list[Span]:
    """One span a key; EbSynth has nothing against frames that are in none."""
    indices = [key.index for key in keys]
    if sorted(span.key for span in given) == sorted(indices):
        return sorted(given)
    return assign_spans(indices, frames, given, cuts=cuts, number=clip.number)


class _Export:
    """One export: what the project was imported from, and each part of the file."""

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
            self.notices.append(f"{error}; it is left out of account")
            return None

    def _resolved(self, text: str, what: str) -> Path | None:
        """What a pattern of the origin means where the new file will stand; None if nothing."""
        try:
            return resolve_pattern(text, self._path, what) if text else None
        except InputError:
            return None

    def video(self, clip: Clip) -> Events:
        """The pattern of the clip's images, which are written if there are none to refer to."""
        source = self._options.clip
        known = self._resolved(self.base.video, "video")
        is_pattern = not source.exists() and sequence_pattern(source.name) is not None
        if known is not None and is_pattern and same_files(known, source):
            return self.base.video
        if clip.info.kind == "images":
            files = clip_files(source)
            pattern = common_pattern([file.name for file in files])
            if pattern is not None:
                return pattern_text(files[0].parent, pattern, self._path)
        name = self._name(clip)
        folder = self._path.parent / f"{self._path.stem}_video"
        writer = create_clip(folder / name, like=clip, overwrite=self._overwrite)
        total = len(clip)
        with writer:
            yield Event("frames", 0, total)
            for frame in clip.frames():
                self._cancel.check()
                writer.write(frame)
                yield Event("frames", frame.index + 1, total, frame.rgb)
        return f"{folder.name}/{name}"

    @staticmethod
    def _name(clip: Clip) -> str:
        digits = max(_DIGITS, len(str(clip.number(len(clip) - 1))))
        return f"[{'#' * digits}].png"

    def keys(self, clip: Clip, keys: Sequence[KeyFile]) -> str:
        """The pattern of the painted keys, which are copied if none names them all."""
        numbers = [clip.number(key.index) for key in keys]
        known = self._resolved(self.base.keys, "keys")
        pattern = None if known is None else sequence_pattern(known.name)
        if known is not None and pattern is not None:
            before = [known.parent / pattern.name(number) for number in numbers]
            if all(_same(old, key.path) for old, key in zip(before, keys, strict=True)):
                return self.base.keys
        folders = {key.path.parent for key in keys}
        pattern = common_pattern([key.path.name for key in keys])
        if pattern is not None and len(folders) == 1:
            return pattern_text(folders.pop(), pattern, self._path)
        folder, name = self._path.parent / f"{self._path.stem}_keys", self._name(clip)
        pattern = sequence_pattern(name)
        assert pattern is not None, "it has a place for a number"
        for number, key in zip(numbers, keys, strict=True):
            made = folder / pattern.name(number)
            if made.exists() and not self._overwrite:
                raise OutputError(f"{made}: exists already; use --overwrite or another name")
            write_image(made, read_image(key.path))
        return f"{folder.name}/{name}"

    def ranges(self, clip: Clip, spans: Sequence[Span]) -> tuple[EbsRange, ...]:
        """One range a key, by numbers; as they were, where they mean the same."""
        now = {
            clip.number(span.key): (clip.number(span.start), clip.number(span.stop - 1))
            for span in spans
        }
        old = self.base.ranges
        try:
            before = effective_ranges(old, clip, str(self._path), [])
        except InputError:
            before, old = {}, ()
        told = set(self._project.settings.ranges)
        if self._origin is not None and before.items() == now.items():
            return old
        if self._origin is not None and not old and not told:
            return old
        kept = {item.key: item for item in old}
        if len(now) > _MOST_SHOWN:
            self.notices.append(
                f"{self._path}: has {len(now)} keys; EbSynth shows about {_MOST_SHOWN} of a project"
            )
        return tuple(
            kept[key]
            if before.get(key) == ends
            else _range(key, ends, kept[key].output if key in kept else None, self._name(clip))
            for key, ends in now.items()
        )

    def tail(self, clip: Clip) -> EbsTail | None:
        """Detail and frame rate; as they were, where they mean the same."""
        settings, before = self._project.settings, self.base.tail
        if before is None and settings.detail == "medium" and settings.frame_rate is None:
            return None
        tail = before or EbsTail()
        if DETAILS.get(tail.detail, "medium") != settings.detail:
            numbers = {name: number for number, name in DETAILS.items()}
            tail = replace(tail, detail=numbers[settings.detail])
        unheeded = settings.frame_rate is None and not 0.01 <= tail.fps <= 1000
        if self._origin is None or not (unheeded or settings.frame_rate == tail.fps):
            tail = replace(tail, fps=float(clip.info.frame_rate))
        return tail


def _same(one: Path, other: Path) -> bool:
    if not one.is_file():
        return False
    return one.samefile(other) or file_digest(one) == file_digest(other)


def _range(key: int, ends: tuple[int, int], output: str | None, name: str) -> EbsRange:
    first, last = ends
    folder = f"out-{key:0{len(name) - len('[].png')}d}"
    return EbsRange(
        key, first, last, output or f"{folder}/{name}", int(first < key), int(last > key)
    )
