"""Import a project of another program as a kadr project, with notices for the user."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from kadr.core.formatting import counted
from kadr.errors import InputError
from kadr.exchange.ebs import EbsProject, read_ebs
from kadr.exchange.folders import FolderLayout, find_layout, find_parts
from kadr.exchange.join_parts import join_parts
from kadr.exchange.key_ranges import KeyRanges, covered_range, effective_ranges, find_gaps
from kadr.exchange.patterns import resolve_pattern
from kadr.exchange.weights import DETAILS, FIELDS, from_ebsynth, max_weight
from kadr.files import list_folder
from kadr.image_files import read_image
from kadr.project.create import new_project
from kadr.project.folder import SUFFIX, ProjectFolder
from kadr.stylize.external import find_keys
from kadr.video.base import Clip
from kadr.video.clips import open_clip
from kadr.video.sequence import find_sequence, sequence_pattern

ORIGIN = "import.ebs"
"""Copy of the imported file in the project, so that an export can restore it."""


@dataclass(frozen=True)
class ImportResult:
    """A new project, and notices on what could not be imported."""

    project: ProjectFolder
    notices: tuple[str, ...] = ()


def import_project(path: str | Path, folder: str | Path | None = None) -> ImportResult:
    """Make a project of an ``.ebs`` file, or of a folder of ebsynth_utility or TemporalKit.

    folder: of the new project; None: the name of the file or folder with .kadr, in the current
    folder. Frames and keys stay in place and the project refers to them; keys are copied if their
    folder contains other keys too. The parts of a project that TemporalKit split are joined, and
    their frames copied. Raises InputError, which names the file, for damaged or missing files,
    OutputError if ``folder`` exists.
    """
    path = Path(path)
    root = Path(folder) if folder is not None else Path(path.absolute().stem + SUFFIX)
    return _import_folder(path, root) if path.is_dir() else _import_ebs(path, root)


def _import_ebs(path: Path, root: Path) -> ImportResult:
    ebs, notices = read_ebs(path), list[str]()
    video = resolve_pattern(ebs.video, path, "video")
    keys = resolve_pattern(ebs.keys, path, "keys")
    general_settings = _general_settings(ebs, str(path), notices)
    with _open_video(video, general_settings) as clip:
        ranges = effective_ranges(ebs.ranges, clip, str(path), notices)
        files = _key_files(keys, sorted(ranges), path)
        settings = _clip_settings(clip, ranges, files, str(path), notices)
        must_copy = not _folder_contains_only(keys.parent, files, ranges, clip)
    if ebs.mask and ebs.mask_on:
        settings |= _mask_settings(ebs.mask, path, notices)
    project = new_project(
        video,
        files if must_copy else [keys.parent],
        root,
        output=_output_path(root),
        copy_keys=must_copy,
        files={ORIGIN: path.read_bytes()},
        **general_settings,
        **settings,
    )
    return ImportResult(project, tuple(notices))


def _import_folder(path: Path, root: Path) -> ImportResult:
    parts, notices = find_parts(path), list[str]()
    with ExitStack() as stack:
        temporary = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if parts:
            joined = join_parts(parts, temporary / "frames")
            notices += [f"{path}: {counted(len(parts), 'part')} joined", *joined.notices]
            layout, ebs_ranges = joined.layout, list(joined.ranges)
        else:
            layout = find_layout(path)
            projects = [read_ebs(file) for file in layout.projects]
            ebs_ranges = [item for ebs in projects for item in ebs.ranges]
        general_settings: dict[str, Any] = {}
        if layout.projects:
            first = layout.projects[0]
            general_settings = _general_settings(read_ebs(first), str(first), notices)
        clip = stack.enter_context(_open_video(layout.frames, general_settings))
        ranges_with_key = [item for item in ebs_ranges if item.key in layout.keys]
        ranges = effective_ranges(ranges_with_key, clip, str(path), notices)
        files = list(layout.keys.values())
        keys_folder = temporary / "keys"
        keys_folder.mkdir()
        renamed = _copy_renamed(layout, clip, keys_folder)
        project = new_project(
            layout.frames,
            renamed or [layout.keys_folder],
            root,
            output=_output_path(root),
            copy_keys=bool(renamed),
            take_clip=bool(parts),
            **general_settings,
            **_clip_settings(clip, ranges, files, str(path), notices),
        )
    return ImportResult(project, tuple(notices))


def _output_path(root: Path) -> Path:
    return root / "out" / f"{root.absolute().name.removesuffix(SUFFIX)}.mp4"


def _open_video(video: Path, general_settings: dict[str, Any]) -> Clip:
    rate = general_settings.get("frame_rate")
    return open_clip(video, frame_rate=None if rate is None else Fraction(rate).limit_denominator())


def _general_settings(ebs: EbsProject, name: str, notices: list[str]) -> dict[str, Any]:
    """Settings that do not depend on the clip: weights, detail, frame rate."""
    settings: dict[str, Any] = dict(from_ebsynth(ebs.weights))
    for weight, field in FIELDS.items():
        if getattr(ebs.weights, weight) > max_weight(weight):
            problem = (
                f"its weight {weight}, {getattr(ebs.weights, weight):.6g}, is more than the maximum"
            )
            notices.append(f"{name}: {problem}; {field.replace('_', '-')} is {settings[field]:.6g}")
    if ebs.tail is None:
        return settings
    if ebs.tail.detail in DETAILS:
        settings["detail"] = DETAILS[ebs.tail.detail]
    else:
        notices.append(f"{name}: its detail {ebs.tail.detail} is unknown; medium is used")
    if 0.01 <= ebs.tail.fps <= 1000:
        settings["frame_rate"] = ebs.tail.fps
    else:
        notices.append(
            f"{name}: its rate, {ebs.tail.fps:.6g} frames a second, is not valid; 24 is used"
        )
    return settings


def _clip_settings(
    clip: Clip, ranges: KeyRanges, files: Sequence[Path], name: str, notices: list[str]
) -> dict[str, Any]:
    """Settings that depend on the clip: ranges, the frames that they cover, resizing of keys."""
    settings: dict[str, Any] = {
        "ranges": [f"{first}:{key}:{last}" for key, (first, last) in ranges.items()]
    }
    covered = covered_range(ranges)
    if covered is not None and covered != (clip.number(0), clip.number(len(clip) - 1)):
        settings["frames"] = f"{covered[0]}:{covered[1]}"
        notices.append(
            f"{name}: its ranges hold frames {covered[0]}–{covered[1]} only; so does the project"
        )
    for first, last in find_gaps(ranges):
        notices.append(f"{name}: frames {first}–{last} are in no key's range; widen a range")
    height, width = read_image(files[0]).shape[:2]
    if (width, height) != (clip.info.width, clip.info.height):
        settings["fit_keys"] = True
        notices.append(
            f"{files[0]}: {width}×{height} pixels, the clip has "
            f"{clip.info.width}×{clip.info.height}; keys will be resized"
        )
    return settings


def _mask_settings(mask: str, path: Path, notices: list[str]) -> dict[str, Any]:
    """The mask of a project, if its images are there."""
    try:
        pattern = resolve_pattern(mask, path, "mask")
        find_sequence(pattern)
    except InputError as error:
        notices.append(f"{error}; the project has no mask until [mask] says where it is")
        return {}
    return {"mask": pattern}


def _key_files(keys: Path, numbers: Sequence[int], path: Path) -> list[Path]:
    """The files of the numbered keys; all files of the pattern if there are no numbers."""
    pattern = sequence_pattern(keys.name)
    assert pattern is not None, "a resolved path is a pattern"
    if numbers:
        files = [keys.parent / pattern.name(number) for number in numbers]
    else:
        names = [file.name for file in list_folder(keys.parent)]
        files = [keys.parent / name for name in names if pattern.number(name) is not None]
    missing = [file.name for file in files if not file.is_file()]
    if missing or not files:
        what = ", ".join(missing[:8]) or keys.name
        raise InputError(
            f"{path}: keys are missing: {what} in {keys.parent}; "
            "add them, or remove their ranges in EbSynth"
        )
    return files


def _folder_contains_only(
    folder: Path, files: Sequence[Path], ranges: KeyRanges, clip: Clip
) -> bool:
    """Whether ``find_keys`` on the folder gives these keys and no others."""
    first, last = covered_range(ranges) or (clip.number(0), clip.number(len(clip) - 1))
    try:
        all_keys = find_keys([folder], clip)
    except InputError:
        return False
    paths = [key.path for key in all_keys if first <= clip.number(key.index) <= last]
    return sorted(paths) == sorted(files)


def _copy_renamed(layout: FolderLayout, clip: Clip, folder: Path) -> list[Path]:
    """Copies of keys named by frame number if their own names say another; else no files."""
    if _reads_as_layout(layout, clip):
        return []
    copies = []
    for number, path in layout.keys.items():
        copies.append(folder / f"{number:05d}{path.suffix}")
        copies[-1].write_bytes(path.read_bytes())
    return copies


def _reads_as_layout(layout: FolderLayout, clip: Clip) -> bool:
    """Whether ``find_keys`` on the folder of keys gives the keys of the layout."""
    try:
        keys = find_keys(layout.keys_folder, clip)
    except InputError:
        return False
    return {clip.number(key.index): key.path for key in keys} == dict(layout.keys)
