"""Convert EbSynth's patterns of image files to paths on this machine, and back."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from kadr.errors import InputError
from kadr.video.sequence import SequencePattern, sequence_pattern

_DRIVE = re.compile(r"[A-Za-z]:/|//")
_NUMBER = re.compile(r"(.*?)(\d+)(\D*)", re.DOTALL)
_SPECIAL = set("[]#%*?")


def resolve_pattern(text: str, file: Path, description: str) -> Path:
    """A pattern of ``description`` in the project file ``file`` as a path with a number field.

    Backslashes separate folders too. An absolute path of another computer, or a folder that was
    moved with the file, is searched next to the file by the last parts of its path.
    Raises InputError if it is not a pattern or its folder does not exist.
    """
    plain = text.replace("\\", "/")
    pure_path = PurePosixPath(_DRIVE.sub("/", plain, count=1))
    if sequence_pattern(pure_path.name) is None:
        raise InputError(
            f"{file}: the pattern of the {description}, {text!r}, has no number field; "
            "expected one such as folder/[#####].png"
        )
    is_foreign = _DRIVE.match(plain) is not None and os.name != "nt"
    path = Path(plain) if not is_foreign else None
    direct_path = file.parent / path if path is not None else None
    if direct_path is not None and direct_path.parent.is_dir():
        return direct_path
    names = [name for name in pure_path.parts if name not in ("/", "..", ".")]
    for start in range(len(names) - 1):
        candidate = file.parent.joinpath(*names[start:])
        if candidate.parent.is_dir():
            return candidate
    if is_foreign or pure_path.is_absolute():
        raise InputError(
            f"{file}: {text} is a path on another computer; "
            f"put the folder {pure_path.parent.name!r} next to {file.name}"
        )
    raise InputError(
        f"{file}: the folder {file.parent / pure_path.parent} of the {description} does not exist; "
        f"put it next to {file.name}"
    )


def same_files(first: Path, second: Path) -> bool:
    """Whether two patterns name the same files."""
    names = sequence_pattern(first.name), sequence_pattern(second.name)
    return names[0] == names[1] and first.parent.resolve() == second.parent.resolve()


def common_pattern(names: Sequence[str]) -> SequencePattern | None:
    """The pattern of all names, with a constant number of digits; None if there is none."""
    matches = [_NUMBER.fullmatch(Path(name).stem) for name in names]
    all_parts = {
        None if match is None else (match[1], match[3] + Path(name).suffix, len(match[2]))
        for match, name in zip(matches, names, strict=True)
    }
    if len(all_parts) != 1:
        return None
    parts = all_parts.pop()
    if parts is None or _SPECIAL & set(parts[0] + parts[1]):
        return None
    return SequencePattern(*parts)


def pattern_text(folder: Path, pattern: SequencePattern, file: Path) -> str:
    """A pattern in ``folder`` as written in a project file ``file``: relative to it if possible."""
    name = f"{pattern.before}[{'#' * pattern.digits}]{pattern.after}"
    try:
        relative = Path(os.path.relpath(folder.resolve(), file.parent.resolve()))
    except ValueError:  # on another drive
        relative = folder.resolve()
    return name if relative == Path() else f"{relative.as_posix()}/{name}"
