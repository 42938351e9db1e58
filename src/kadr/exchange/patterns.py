"""Patterns of image files as EbSynth writes them in, the files on this machine out, and back."""

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


def resolve_pattern(text: str, file: Path, what: str) -> Path:
    """A pattern of ``what`` in the project file ``file`` as a path with a place for a number.

    Backslashes part folders too. A full path of another computer, or a folder that was moved with
    the file, is found by the names at its end, beside the file.
    Raises InputError when it is no pattern or its folder is not there.
    """
    plain = text.replace("\\", "/")
    whole = PurePosixPath(_DRIVE.sub("/", plain, count=1))
    if sequence_pattern(whole.name) is None:
        raise InputError(
            f"{file}: the pattern of the {what}, {text!r}, has no place for a frame number; "
            "expected one such as folder/[#####].png"
        )
    foreign = _DRIVE.match(plain) is not None and os.name != "nt"
    given = Path(plain) if not foreign else None
    here = file.parent / given if given is not None else None
    if here is not None and here.parent.is_dir():
        return here
    names = [name for name in whole.parts if name not in ("/", "..", ".")]
    for start in range(len(names) - 1):
        near = file.parent.joinpath(*names[start:])
        if near.parent.is_dir():
            return near
    if foreign or whole.is_absolute():
        raise InputError(
            f"{file}: {text} is a place on another computer; put the folder {whole.parent.name!r} "
            f"beside {file.name}"
        )
    raise InputError(
        f"{file}: the folder {file.parent / whole.parent} of the {what} is not there; "
        f"put it beside {file.name}"
    )


def same_files(one: Path, other: Path) -> bool:
    """Whether two patterns mean the same files."""
    names = sequence_pattern(one.name), sequence_pattern(other.name)
    return names[0] == names[1] and one.parent.resolve() == other.parent.resolve()


def common_pattern(names: Sequence[str]) -> SequencePattern | None:
    """The pattern that all names are of, with one number of digits; None if there is none."""
    found = [_NUMBER.fullmatch(Path(name).stem) for name in names]
    kinds = {
        None if match is None else (match[1], match[3] + Path(name).suffix, len(match[2]))
        for match, name in zip(found, names, strict=True)
    }
    if len(kinds) != 1:
        return None
    kind = kinds.pop()
    if kind is None or _SPECIAL & set(kind[0] + kind[1]):
        return None
    return SequencePattern(*kind)


def pattern_text(folder: Path, pattern: SequencePattern, file: Path) -> str:
    """A pattern in ``folder`` as a project file ``file`` says it: relative to itself, if it can."""
    name = f"{pattern.before}[{'#' * pattern.digits}]{pattern.after}"
    try:
        place = Path(os.path.relpath(folder.resolve(), file.parent.resolve()))
    except ValueError:  # on another drive
        place = folder.resolve()
    return name if place == Path() else f"{place.as_posix()}/{name}"
