"""Refuse outputs that would replace what they are made from, or be taken for it by the next run."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from kadr.core.locations import origin, url_of
from kadr.errors import OutputError
from kadr.image_files import IMAGE_SUFFIXES
from kadr.video.sequence import SequencePattern, is_glob, sequence_pattern

_SAMPLES = (0, 1, 12, 12345)
"""Frame numbers whose file names tell whether two patterns name the same files."""


def check_outputs_apart(
    outputs: Iterable[Path | str],
    inputs: Iterable[Path],
    *,
    trees: Iterable[Path] = (),
    reserved: Iterable[Path] = (),
) -> None:
    """Raise OutputError if an output is, lies in or would be mixed with one of the inputs.

    outputs: as ``create_clip`` takes them: files, or folders and patterns of images; text keeps the
    slash that marks a folder. inputs: files, folders, patterns and globs; what does not exist is
    passed over. trees: folders for outputs in folders of their own, which must not hold an input
    at any depth. reserved: folders for files of kadr, which need not exist yet: no images go there.
    A video may lie in a folder of input images, as it is never taken for one, and images beside an
    input whose name they cannot have.
    """
    paths, own_folders = list(inputs), list(reserved)
    for output in outputs:
        for path in paths:
            _check(output, path)
        folder, _ = _image_folder(output)
        for own in own_folders:
            if folder is not None and _is_within(folder, own):
                raise OutputError(
                    f"{output}: lies in {own}, where kadr keeps work files; choose another folder"
                )
    for tree in trees:
        for path in paths:
            _check(f"{tree}/", path)
            if path.exists() and _is_within(path, tree):
                raise OutputError(f"{tree}: holds the input {path}; choose another folder")


def _check(output: Path | str, path: Path) -> None:
    output_url, url = url_of(output), origin(path)
    if output_url is not None or url is not None:
        if output_url is not None and url is not None:
            _check_urls(output_url, url)
        return
    folder, pattern = _image_folder(output)
    if folder is not None:
        _check_images(folder, pattern, path)
        return
    file = Path(output)
    if _is_same(file, path):
        raise OutputError(f"{file}: is the input itself; choose another name")
    if file.suffix.lower() in IMAGE_SUFFIXES and _takes(path, file):
        raise OutputError(f"{file}: lies in the input {path}; choose another folder")


def _check_urls(output: str, url: str) -> None:
    """Refuse an output at a URL that is the input, holds it or lies in a folder of its images."""
    output, url = output.rstrip("/"), url.rstrip("/")
    name = output.rpartition("/")[2]
    if sequence_pattern(name) is not None:
        output = output.rpartition("/")[0]
    images = Path(url).suffix.lower() in IMAGE_SUFFIXES or not Path(url).suffix
    is_folder = not Path(output).suffix
    folder = url.rpartition("/")[0] if Path(url).suffix else url
    if output == url or (is_folder and images and f"{output}/".startswith(f"{folder}/")):
        raise OutputError(f"{output}: is the input {url} or lies in it; choose another name")


def _check_images(folder: Path, pattern: SequencePattern | None, path: Path) -> None:
    """Refuse images in ``folder``; their names are known only if there is a pattern."""
    if path.is_dir():
        if _is_within(folder, path):
            text = "is the input folder" if _is_same(folder, path) else "lies in the input folder"
            raise OutputError(f"{folder}: {text} {path}; choose another folder")
        return
    if not _is_same(folder, path.parent):
        return
    if path.is_file():
        is_mixed = path.suffix.lower() in IMAGE_SUFFIXES and (
            any(character.isdecimal() for character in path.stem)
            or (pattern is not None and pattern.number(path.name) is not None)
        )
    else:
        names = [] if pattern is None else [pattern.name(number) for number in _SAMPLES]
        is_mixed = _is_sequence(path) and (
            pattern is None or any(_takes(path, folder / name) for name in names)
        )
    if is_mixed:
        raise OutputError(f"{folder}: holds the input {path}; choose another folder")


def _image_folder(output: Path | str) -> tuple[Path | None, SequencePattern | None]:
    """The folder that an output of images goes to, and their pattern; (None, None): one file."""
    path = Path(output)
    if str(output).endswith(("/", "\\")):
        return path, None
    pattern = sequence_pattern(path.name) if path.suffix.lower() in IMAGE_SUFFIXES else None
    if pattern is not None:
        return path.parent, pattern
    return (path, None) if not path.suffix or path.is_dir() else (None, None)


def _is_sequence(path: Path) -> bool:
    """Whether an input stands for files beside each other, by a pattern or wildcards."""
    return not path.exists() and (sequence_pattern(path.name) is not None or is_glob(path.name))


def _takes(path: Path, file: Path) -> bool:
    """Whether an input that is a folder, a pattern or a glob would take an image file."""
    if path.is_dir():
        return _is_within(file.parent, path)
    if not _is_sequence(path) or not _is_same(file.parent, path.parent):
        return False
    pattern = sequence_pattern(path.name)
    if pattern is not None:
        return pattern.number(file.name) is not None
    return fnmatchcase(file.name, path.name)


def _is_within(path: Path, folder: Path) -> bool:
    """Whether ``path`` is ``folder`` or lies in it, with all links followed."""
    path = path.resolve()
    return any(_is_same(part, folder) for part in (path, *path.parents))


def _is_same(first: Path, second: Path) -> bool:
    """Whether two paths are one file or folder, whatever they are called."""
    try:
        return first.samefile(second)
    except OSError:  # one does not exist, so it can only be the same by its name
        return first.resolve() == second.resolve()
