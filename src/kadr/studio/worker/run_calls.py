"""Runs, previews and exports: the operations of the command line, for a project's folder."""

from __future__ import annotations

import zipfile
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kadr.core.events import Event
from kadr.core.frames import Frame, FrameRange
from kadr.core.generators import map_items
from kadr.errors import InputError, OptionsError
from kadr.files import atomic_file, make_folder
from kadr.image_files import write_image
from kadr.project.folder import LocatedClip, ProjectFolder, open_project
from kadr.studio.worker.call import Call
from kadr.studio.worker.clip_facts import clip_source

if TYPE_CHECKING:
    from kadr.preview import PreviewResult

FORMATS = ("mp4", "webm", "mov", "gif", "frames")
"""What finished frames can be exported as."""


def run(call: Call) -> dict[str, Any]:
    """Make the output of the project, as ``kadr run`` does."""
    from kadr.pipeline import restyle_events

    project = open_project(Path(call["root"]))
    located = project.locate()
    for text in located.notices:
        call.notice(text)
    project = project.update_clip(located)
    project.delete_partial_files()
    with call.report_compiling():
        if project.layers:
            from kadr.cli.layer import layered_options
            from kadr.layers import restyle_layers

            layered = layered_options(project, located)
            result = call.follow(restyle_layers(layered, call.cancel))
        else:
            result = call.follow(restyle_events(project.options(located), call.cancel))
    return {
        "output": str(result.output),
        "frames": result.frame_count,
        "computed": result.computed,
        "seconds": round(result.seconds, 1),
    }


def preview(call: Call) -> dict[str, Any]:
    """Make frames ``first`` to ``last`` as a run would, into the folder of previews."""
    project = open_project(Path(call["root"]))
    located = project.locate()
    frames = FrameRange(call["first"], call["last"] + 1)
    with clip_source(project, located).open() as clip:
        names = {index: clip.name(index) for index in frames if index < len(clip)}
        make_folder(project.previews)

        def take(item: Event | Frame) -> Event | None:
            if not isinstance(item, Frame):
                return item
            write_image(project.previews / f"{names[item.index]}.png", item.image)
            call.event(frame=item.index)
            return None

        with call.report_compiling():
            result = call.follow(map_items(_preview_items(project, located, frames, call), take))
    return {"exact": result.exact, "frames": result.frames}


def _preview_items(
    project: ProjectFolder, located: LocatedClip, frames: FrameRange, call: Call
) -> Generator[Event | Frame, None, PreviewResult]:
    if project.layers:
        from kadr.cli.layer import layered_options
        from kadr.layers import preview_layers

        return preview_layers(layered_options(project, located), frames, call.cancel)
    from kadr.preview import preview_frames

    return preview_frames(project.options(located), frames, call.cancel)


def export(call: Call) -> dict[str, Any]:
    """Write the finished frames in another format into ``folder``, with the clip's times and sound.

    Frames become a zip file of PNGs. Raises InputError if a frame is missing.
    """
    from kadr.video.clips import open_clip
    from kadr.video.convert import encode_frames

    project, kind = open_project(Path(call["root"])), str(call["format"])
    if kind not in FORMATS:
        raise OptionsError(f"format {kind}: expected one of {', '.join(FORMATS)}")
    folder = Path(call["folder"])
    make_folder(folder)
    located = project.locate()
    with clip_source(project, located).open() as clip:
        files = _finished_files(project, [clip.name(index) for index in _run_frames(project, clip)])
        if kind == "frames":
            path = folder / f"{project.name}-frames.zip"
            _write_zip(path, files, call)
            return {"file": path.name, "frames": len(files)}
        path = folder / f"{project.name}.{kind}"
        with open_clip(project.frames) as images:
            events = encode_frames(images, path, like=clip, overwrite=True, cancel=call.cancel)
            for event in events:
                call.progress(event)
    return {"file": path.name, "frames": len(files)}


def _run_frames(project: ProjectFolder, clip: Any) -> FrameRange:
    from kadr.core.parsing import parse_frames

    text = project.settings.frames
    return FrameRange(0, len(clip)) if text is None else parse_frames(text, clip)


def _finished_files(project: ProjectFolder, names: list[str]) -> list[Path]:
    files = [project.frames / f"{name}.png" for name in names]
    missing = [file for file in files if not file.is_file()]
    if missing:
        raise InputError(
            f"{missing[0]}: is not made yet, as {len(missing)} of {len(files)} frames; run first"
        )
    return files


def _write_zip(path: Path, files: list[Path], call: Call) -> None:
    with atomic_file(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for position, file in enumerate(files, start=1):
            call.cancel.check()
            archive.write(file, file.name)  # PNGs are compressed already
            call.progress(Event("export", position, len(files)))
