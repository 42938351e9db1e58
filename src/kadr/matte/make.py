"""Make a folder of mattes: a clip and a method in, one 8-bit PNG for each frame out.

    method → steady → edges → PNG

Each file is whole or not there, and marked with what it was made from: an interrupted job goes on
where it stopped, and files of somebody else are not replaced.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kadr.core.events import CancelToken, Event, notice
from kadr.core.formatting import counted
from kadr.core.frames import FrameRange
from kadr.errors import InputError, OptionsError, OutputError
from kadr.files import file_digest, list_folder
from kadr.image_files import IMAGE_SUFFIXES
from kadr.matte import edges as edges_step
from kadr.matte.base import STEP, FrameMatte, MatteContext, MatteMethod
from kadr.matte.edges import finish_edges
from kadr.matte.options import EdgeOptions
from kadr.matte.steady import steady
from kadr.storage.cache import cache_folder
from kadr.storage.frame_folder import FrameFolder, FrameState
from kadr.storage.layout import WorkLayout
from kadr.storage.lock import lock_folder
from kadr.storage.store import FolderStore, fingerprint
from kadr.video.clip_source import ClipSource
from kadr.video.identity import identify
from kadr.video.outputs_apart import check_outputs_apart

VERSION = 1
"""Raised when mattes of the same method are steadied otherwise."""


@dataclass(frozen=True)
class MatteResult:
    """The result: the folder, how many mattes it has of the job, and how many were made now."""

    folder: Path
    frames: int
    computed: int


def make_mattes(
    clip: ClipSource,
    output: Path,
    method: MatteMethod,
    *,
    edges: EdgeOptions | None = None,
    frames: FrameRange | None = None,
    overwrite: bool = False,
    work: Path | None = None,
    cancel: CancelToken | None = None,
) -> Generator[Event, None, MatteResult]:
    """Write the matte of each frame of a clip to the folder ``output``, named as the frames are.

    method: from ``create_method``. edges: what is done to outlines. frames: those to make; None:
    all. overwrite: also replace files that kadr did not make. work: a folder for work files; None:
    one in the cache. Memory does not grow with the number of frames. Notices tell what was assumed.
    Raises InputError for inputs that do not fit the clip, OutputError if the folder holds images
    that kadr did not make or belongs to the inputs, Cancelled; finished mattes are kept.
    """
    cancel, edges = cancel or CancelToken(), edges or EdgeOptions()
    check_outputs_apart([f"{output}/"], [Path(clip.path), *method.files])
    with clip.open() as opened:
        for text in opened.info.notices:
            yield notice(STEP, text)
        frames = frames or FrameRange(0, len(opened))
        if frames.stop > len(opened):
            raise OptionsError(
                f"frames {frames.start} to {frames.stop - 1}: the clip has {len(opened)} frames, 0 "
                f"to {len(opened) - 1}"
            )
        folder = FrameFolder(output, opened.name)
        others = _check_folder(folder, frames, overwrite)
        if others:
            yield notice(STEP, f"{output}: also holds {counted(others, 'matte')} of other frames")
        work = work or cache_folder(clip.path, output)
        with lock_folder(work, f"mattes {output}"):
            identity = identify(opened, work)
            context = MatteContext(FolderStore(WorkLayout(work).store), identity, cancel)
            made_by = _fingerprint(identity, method, frames, edges)
            pending = [i for i in frames if folder.find(i, made_by) is not FrameState.CURRENT]
            if pending:
                wanted = _wanted(pending, frames)
                items = steady(method.mattes(opened, frames, wanted, context))
                yield from _write(items, set(pending), folder, made_by, edges)
    return MatteResult(output, len(frames), len(pending))


def _write(
    items: Iterator[Event | FrameMatte],
    pending: set[int],
    folder: FrameFolder,
    made_by: str,
    edges: EdgeOptions,
) -> Iterator[Event]:
    """Write those of the mattes that are pending."""
    done, total = 0, len(pending)
    yield Event(STEP, 0, total)
    for item in items:
        if isinstance(item, Event):
            yield replace(item, index=done, total=total) if item.step == STEP else item
        elif item.frame.index in pending:
            matte = finish_edges(item, edges)
            folder.put(item.frame.index, matte, made_by, 0.0)
            done += 1
            yield Event(STEP, done, total, preview=np.repeat(matte[..., None], 3, axis=2))
    folder.sync()


def _check_folder(folder: FrameFolder, frames: FrameRange, overwrite: bool) -> int:
    """Refuse a folder with images that kadr did not make: they would be taken for mattes too.

    Returns how many mattes it has of other frames.
    """
    others = 0
    if not folder.folder.exists():
        return others
    if not folder.folder.is_dir():
        raise OutputError(f"{folder.folder}: is a file; give a folder for the mattes")
    own = {folder.path(index).name: index for index in frames}
    for path in list_folder(folder.folder):
        if path.suffix.lower() not in IMAGE_SUFFIXES or path.name.startswith("."):
            continue
        index = own.get(path.name)
        if overwrite or (index is None and folder.is_marked(path)):
            others += index is None
            continue
        if index is None or folder.find(index, "") is FrameState.EDITED:
            raise OutputError(
                f"{path}: was not made by kadr, or was edited since; use --overwrite to replace "
                "what has the name of a matte, or choose another folder"
            )
    return others


def _fingerprint(identity: str, method: MatteMethod, frames: FrameRange, edges: EdgeOptions) -> str:
    """A hash of all that the mattes depend on."""
    files = [file_digest(file) for file in _files(method.files)]
    return fingerprint(
        STEP, VERSION, identity, method.name, method.VERSION, method.settings, files, frames,
        edges_step.VERSION, edges,
    )  # fmt: skip


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    """The files among paths, and the images in folders."""
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: not found; check the path")
        if path.is_dir():
            yield from (
                file
                for file in list_folder(path)
                if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file()
            )
        else:
            yield path


def _wanted(pending: Sequence[int], frames: FrameRange) -> FrameRange:
    """The frames whose mattes are needed: steadying looks one frame back and ahead."""
    return FrameRange(max(frames.start, pending[0] - 1), min(frames.stop, pending[-1] + 2))
