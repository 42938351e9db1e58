"""Open what a run works with: the clip, its frames, and the folders of its files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

from kadr.composite import WorkArea
from kadr.core.frames import FrameRange
from kadr.core.locations import url_of
from kadr.errors import OptionsError
from kadr.options import RunOptions
from kadr.propagate import STATE_INTERVAL
from kadr.render.backdrop import BackdropSource, find_backdrop
from kadr.render.figure_masks import FigureMasks, figure_digest
from kadr.render.guide_files import GuideSource, find_guides, guide_digests, guide_settings
from kadr.render.key_pass import PassInput
from kadr.render.lost_alpha import check_alpha
from kadr.render.made_frames import choose_frames, made_notices, with_positions
from kadr.render.masks import FrameMasks
from kadr.render.matte_reader import MaskSource
from kadr.render.run_executors import RunExecutors
from kadr.render.run_inputs import check_run_outputs
from kadr.storage.frame_folder import FrameFolder
from kadr.storage.layout import WorkLayout
from kadr.storage.lock import lock_folder
from kadr.storage.ownership import adopt_folder, refuse_links
from kadr.storage.store import FolderStore, WorkFolder, fingerprint
from kadr.video.base import Clip, ClipWriter
from kadr.video.clip_source import ClipSource
from kadr.video.clips import create_clip
from kadr.video.held_writer import HeldWriter
from kadr.video.identity import identify
from kadr.video.no_output import NoOutput
from kadr.video.sparse_clip import FrameChoice, SparseClip, whole_clip


@dataclass(frozen=True)
class RunContext:
    """A run's clip, opened, and its folders.

    source: the same clip for other processes, which refuse another content. clip_identity: a hash
    of the clip's content. frames: the frames of the run. layout: the paths in the work folder.
    blended_frames: the folder of frames blended from the passes. backdrop: what lies
    behind what is styled. notices: about the inputs. masks: None without a mask. figures: the masks
    of the figure that the paint belongs to; None without. guides: the user's. executors: None where
    nothing is made.
    """

    options: RunOptions
    clip: Clip
    source: ClipSource
    clip_identity: str
    frames: FrameRange
    layout: WorkLayout
    store: FolderStore
    blended_frames: FrameFolder
    backdrop: BackdropSource | None = None
    notices: tuple[str, ...] = ()
    masks: FrameMasks | None = None
    figures: FigureMasks | None = None
    guides: tuple[GuideSource, ...] = ()
    executors: RunExecutors | None = None

    @property
    def mask_tile(self) -> int:
        """The side in pixels of a tile of the masks: 16 pixels at the size at which passes work."""
        scale = max(self.size) / self.options.propagate.pass_side(max(self.size))
        return 4 * max(2, round(4 * scale))

    @property
    def work_area(self) -> WorkArea | None:
        """The part of the frames that passes work on, once masks were surveyed; None: all."""
        return None if self.masks is None else self.masks.work_area(self.mask_tile)

    @property
    def source_masks(self) -> MaskSource | None:
        """The masks, if keys are stylized only where they are set: no patch comes from the rest.

        Painted keys may be painted everywhere, so all of them is used.
        """
        if self.masks is None or self.options.stylizer == "external":
            return None
        return self.masks.source()

    @property
    def final_frames(self) -> FrameFolder:
        """The frames of the output: ``blended_frames``, or those refined from them."""
        return FrameFolder(self.options.frames_folder or self.layout.frames, self.clip.name)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the clip's frames."""
        return self.clip.info.width, self.clip.info.height

    @property
    def key_turn(self) -> int:
        """Degrees clockwise by which painted keys are turned: as the clip is, if that is asked."""
        return self.clip.info.rotation if self.options.rotate_keys else 0

    @property
    def pixels(self) -> int:
        """Pixels of one frame."""
        return self.clip.info.width * self.clip.info.height

    @property
    def is_reduced(self) -> bool:
        """Whether passes work at a smaller size than that of the frames."""
        return self.options.propagate.pass_side(max(self.size)) < max(self.size)

    @property
    def worked_pixels(self) -> int:
        """Pixels of the part of a frame that passes work on, at the size of the frame."""
        area = self.work_area
        return self.pixels if area is None else area.window[2] * area.window[3]

    @property
    def pass_pixels(self) -> int:
        """The same at the size at which passes work."""
        scale = self.options.propagate.pass_side(max(self.size)) / max(self.size)
        return round(self.worked_pixels * scale * scale)

    def ordinal(self, index: int) -> int:
        """The position of a frame among the frames of the run, from 1 on."""
        return index - self.frames.start + 1

    def create_output(self) -> ClipWriter:
        """Start the output. Raises OutputError if it exists and may not be replaced."""
        options = self.options
        if options.frames_only:
            return NoOutput(self.final_frames.folder)
        clip, indices = self.clip, range(self.frames.start, self.frames.stop)
        rendered = clip.choice if isinstance(clip, SparseClip) else None
        if rendered is not None:
            visible = FrameChoice(rendered.start, rendered.stop, rendered.step // options.hold)
            clip = SparseClip(whole_clip(clip), visible)
            indices = range(len(clip))
        writer = create_clip(
            options.output,
            like=clip,
            overwrite=options.may_replace(options.output),
            **options.encoding,
            indices=indices,
        )
        return writer if rendered is None else HeldWriter(writer, rendered, visible, options.hold)

    def pass_areas(self, key: int, last: int) -> tuple[str, ...]:
        """What the pass of a key up to the frame ``last`` depends on: see KeyPass.areas."""
        area, frames = self.work_area, _whole_steps(key, last)
        guides = self.guide_digests(key, last)
        if area is None:
            return guides
        start = f"{area.window_of(key)}" if area.corners else ""
        areas = area.digests(frames, STATE_INTERVAL)
        return tuple(
            fingerprint("area", 1, start, digest, *guide)[:16]
            for digest, *guide in zip(areas, *([guides] if guides else []), strict=True)
        )

    def guide_digests(self, key: int, last: int) -> tuple[str, ...]:
        """A hash of the user's guides for each step of a pass; () without."""
        if not self.guides:
            return ()
        return guide_digests(self.guides, _whole_steps(key, last), STATE_INTERVAL)

    def pass_input(self, key: int) -> PassInput:
        """What a key's passes depend on."""
        area, sources = self.work_area, self.source_masks
        return PassInput(
            self.clip_identity,
            key,
            self.options.propagate,
            self.options.seed,
            "" if area is None else area.digest,
            "" if sources is None else sources.digest(key),
            "" if self.figures is None else figure_digest(self.figures.source()),
            guide_settings(self.guides, key),
        )


def _whole_steps(key: int, last: int) -> range:
    """The frames of a pass up to where whole steps end: a longer pass then uses a shorter one's."""
    direction, steps = 1 if last > key else -1, -(-abs(last - key) // STATE_INTERVAL)
    return range(key + direction, key + direction * (steps * STATE_INTERVAL + 1), direction)


@contextlib.contextmanager
def open_run(options: RunOptions, *, exclusive: bool = True) -> Iterator[RunContext]:
    """Open the clip and the work folder in a with block.

    exclusive: lock the work folder; without the lock only complete files may be written there
    that any other process would write alike.
    Raises InputError for a clip that cannot be used, OptionsError for frames that it does not
    have or an address without a cluster, BackendError without Ray, OutputError if the folder is in
    use, is not kadr's or cannot be written, or if the output lies among what the run reads.
    """
    source = ClipSource.of(options)
    if exclusive:
        check_run_outputs(options)
    with ExitStack() as stack:
        clip = stack.enter_context(source.open())
        frames = _frame_range(options, clip)
        choice = choose_frames(options, clip, frames)
        sparse_notices: tuple[str, ...] = ()
        if choice is not None:
            total = len(frames)
            clip, source = SparseClip(clip, choice), replace(source, choice=str(choice))
            sparse_notices = tuple(made_notices(options, clip, total))
            frames, options = FrameRange(0, len(clip)), with_positions(options, clip)
        check_alpha(options)
        masks = None
        if options.mask is not None:
            masks = stack.enter_context(closing(FrameMasks(options, clip, frames)))
        figures = None
        if options.figure is not None:
            figures = stack.enter_context(closing(FigureMasks(options, clip, frames)))
        guides, guide_notices = find_guides(options, clip, frames)
        layout = WorkLayout(stack.enter_context(WorkFolder(options.work)).folder)
        if exclusive:
            stack.enter_context(lock_folder(layout.folder, run_purpose(options.output)))
        else:
            adopt_folder(layout.folder)
        for folder in layout.folders:
            refuse_links(layout.folder, folder)
        executors = None
        if exclusive:
            executors = RunExecutors(options, layout, source.absolute().path)
            stack.enter_context(executors)
        identity = identify(clip, layout.folder)
        pinned = source.pinned(clip)
        backdrop, notices = find_backdrop(options, clip, frames.stop - 1, pinned.absolute(), layout)
        yield RunContext(
            options,
            clip,
            pinned,
            identity,
            frames,
            layout,
            FolderStore(layout.store),
            FrameFolder(_blended_folder(options, layout), clip.name),
            backdrop,
            (*sparse_notices, *notices, *guide_notices),
            masks,
            figures,
            guides,
            executors,
        )


def run_purpose(output: Path | str) -> str:
    """What a run holds the lock of its work folder for: its output."""
    return url_of(output) or str(Path(output).absolute())


def _blended_folder(options: RunOptions, layout: WorkLayout) -> Path:
    """Where blended frames are stored: not in the user's folder while they are to be refined."""
    if options.refine is not None:
        return layout.blended
    return options.frames_folder or layout.frames


def _frame_range(options: RunOptions, clip: Clip) -> FrameRange:
    """The frames of the run, checked against the clip."""
    frames = FrameRange(0, len(clip)) if options.frames is None else options.frames
    if frames.stop > len(clip):
        raise OptionsError(
            f"frames {frames.start}–{frames.stop - 1}: {options.clip} has frames 0–{len(clip) - 1}"
        )
    return frames
