"""Another program's project in, one of ours and what is to be said of it out."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from kadr.errors import InputError
from kadr.exchange.ebs import EbsProject, read_ebs
from kadr.exchange.folders import FolderLayout, find_layout
from kadr.exchange.patterns import resolve_pattern
from kadr.exchange.ranges import Ends, effective_ranges, gaps, outer_frames
from kadr.exchange.weights import DETAILS, FIELDS, from_ebsynth, highest
from kadr.files import last_number, read_image
from kadr.project.create import new_project
from kadr.project.folder import SUFFIX, ProjectFolder
from kadr.stylize.external import find_keys
from kadr.video.base import Clip
from kadr.video.clips import open_clip
from kadr.video.sequence import sequence_pattern

ORIGIN = "import.ebs"
"""The file in a project that it was imported from, so that it goes out again as it came."""


@dataclass(frozen=True)
class ImportResult:
    """A new project, and lines for people on what could not be carried over."""

    project: ProjectFolder
    notices: tuple[str, ...] = ()


def import_project(path: str | Path, folder: str | Path | None = None) -> ImportResult:
    """Make a project of an ``.ebs`` file, or of a folder of ebsynth_utility or TemporalKit.

    folder: of the new project; None: the file's or folder's name with .kadr, here.
    Frames and keys stay where they are, and the project refers to them; keys that their folder
    alone does not tell are copied.
    Raises InputError naming the file for what is damaged or missing, OutputError if something
    stands at ``folder``.
    """
    path = Path(path)
    root = Path(folder) if folder is not None else Path(path.absolute().stem + SUFFIX)
    return _import_folder(path, root) if path.is_dir() else _import_ebs(path, root)


def _import_ebs(path: Path, root: Path) -> ImportResult:
    ebs, notices = read_ebs(path), list[str]()
    video = resolve_pattern(ebs.video, path, "video")
    keys = resolve_pattern(ebs.keys, path, "keys")
    carried = _carried(ebs, str(path), notices)
    with _open(video, carried) as clip:
        ranges = effective_ranges(ebs.ranges, clip, str(path), notices)
        files = _key_files(keys, sorted(ranges), path)
        settings = _for_clip(clip, ranges, files, str(path), notices)
        copied = not _tells_them(keys.parent, files, ranges, clip)
    if ebs.mask and ebs.mask_on:
        notices.append(f"{path}: its mask is not used here; it goes out again with an export")
    project = new_project(
        video,
        files if copied else [keys.parent],
        root,
        output=_output(root),
        copy_keys=copied,
        files={ORIGIN: path.read_bytes()},
        **carried,
        **settings,
    )
    return ImportResult(project, tuple(notices))


def _import_folder(path: Path, root: Path) -> ImportResult:
    layout, notices = find_layout(path), list[str]()
    projects = [read_ebs(file) for file in layout.projects]
    carried = _carried(projects[0], str(layout.projects[0]), notices) if projects else {}
    with _open(layout.frames, carried) as clip, tempfile.TemporaryDirectory() as spare:
        told = [item for ebs in projects for item in ebs.ranges if item.key in layout.keys]
        ranges = effective_ranges(told, clip, str(path), notices)
        files = list(layout.keys.values())
        renamed = _renamed(layout, Path(spare))
        project = new_project(
            layout.frames,
            renamed or [layout.keys_folder],
            root,
            output=_output(root),
            copy_keys=bool(renamed),
            **carried,
            **_for_clip(clip, ranges, files, str(path), notices),
        )
    return ImportResult(project, tuple(notices))


def _output(root: Path) -> Path:
    return root / "out" / f"{root.absolute().name.removesuffix(SUFFIX)}.mp4"


def _open(video: Path, carried: dict[str, Any]) -> Clip:
    rate = carried.get("frame_rate")
    return open_clip(video, frame_rate=None if rate is None else Fraction(rate).limit_denominator())


def _carried(ebs: EbsProject, name: str, notices: list[str]) -> dict[str, Any]:
    """Settings that need no clip: weights, detail, frame rate."""
    settings: dict[str, Any] = dict(from_ebsynth(ebs.weights))
    for weight, field in FIELDS.items():
        if getattr(ebs.weights, weight) > highest(weight):
            told = (
                f"its weight {weight}, {getattr(ebs.weights, weight):.6g}, is more than is of use"
            )
            notices.append(f"{name}: {told}; {field.replace('_', '-')} is {settings[field]:.6g}")
    if ebs.tail is None:
        return settings
    if ebs.tail.detail in DETAILS:
        settings["detail"] = DETAILS[ebs.tail.detail]
    else:
        notices.append(f"{name}: its detail {ebs.tail.detail} is unknown; taken as medium")
    if 0.01 <= ebs.tail.fps <= 1000:
        settings["frame_rate"] = ebs.tail.fps
    else:
        notices.append(f"{name}: its rate, {ebs.tail.fps:.6g} frames a second, is taken as 24")
    return settings


def _for_clip(
    clip: Clip, ranges: Ends, files: Sequence[Path], name: str, notices: list[str]
) -> dict[str, Any]:
    """Settings that go by the clip: ranges, the frames that they cover, whether keys must fit."""
    settings: dict[str, Any] = {
        "ranges": [f"{first}:{key}:{last}" for key, (first, last) in ranges.items()]
    }
    outer = outer_frames(ranges)
    if outer is not None and outer != (clip.number(0), clip.number(len(clip) - 1)):
        settings["frames"] = f"{outer[0]}:{outer[1]}"
        notices.append(f"{name}: its ranges hold frames {outer[0]}–{outer[1]} only; so does this")
    for first, last in gaps(ranges):
        notices.append(f"{name}: frames {first}–{last} are in no key's range; widen one")
    height, width = read_image(files[0]).shape[:2]
    if (width, height) != (clip.info.width, clip.info.height):
        settings["fit_keys"] = True
        notices.append(
            f"{files[0]}: {width}×{height} pixels, the clip has "
            f"{clip.info.width}×{clip.info.height}; keys will be resized"
        )
    return settings


def _key_files(keys: Path, numbers: Sequence[int], path: Path) -> list[Path]:
    """The files of the numbered keys; of all that there are, if no number is given."""
    pattern = sequence_pattern(keys.name)
    assert pattern is not None, "a resolved pattern is one"
    if numbers:
        files = [keys.parent / pattern.name(number) for number in numbers]
    else:
        names = sorted(file.name for file in keys.parent.iterdir())
        files = [keys.parent / name for name in names if pattern.number(name) is not None]
    missing = [file.name for file in files if not file.is_file()]
    if missing or not files:
        what = ", ".join(missing[:8]) or keys.name
        raise InputError(
            f"{path}: keys are not there: {what} in {keys.parent}; "
            "put them there, or take their ranges away in EbSynth"
        )
    return files


def _tells_them(folder: Path, files: Sequence[Path], ranges: Ends, clip: Clip) -> bool:
    """Whether a run that is told the folder finds these keys and no others."""
    first, last = outer_frames(ranges) or (clip.number(0), clip.number(len(clip) - 1))
    try:
        found = find_keys([folder], clip)
    except InputError:
        return False
    within = [key.path for key in found if first <= clip.number(key.index) <= last]
    return sorted(within) == sorted(files)


def _renamed(layout: FolderLayout, spare: Path) -> list[Path]:
    """Copies of keys named by their frames, where their own names would tell another; else none."""
    if all(last_number(path.name) == number for number, path in layout.keys.items()):
        return []
    made = []
    for number, path in layout.keys.items():
        made.append(spare / f"{number:05d}{path.suffix}")
        made[-1].write_bytes(path.read_bytes())
    return made
