"""The text of a project.toml in, its checked settings out; or one line that names the line."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import ParseError, TOMLKitError

from kadr.core.parsing import parse_frames, parse_rate, parse_span
from kadr.errors import OptionsError
from kadr.options import PropagateOptions, RunOptions, detail_options
from kadr.project.lines import line_of, repeated_line
from kadr.project.schema import Entry, checked_value, sections, stylizer_entries, unknown
from kadr.stylize.registry import stylizer_options

FORMAT = 1
"""Of project.toml; raised when an older kadr would read a newer file wrongly."""

_HEXADECIMAL = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Settings:
    """What a project file says. Paths are as written there; frames by the numbers people know.

    sha256, size: of the clip, "" and None when the file does not say. picture, run: fields of
    PropagateOptions and of RunOptions that the file sets.
    """

    clip: str
    sha256: str = ""
    size: int | None = None
    frames: str | None = None
    frame_rate: float | None = None
    keys: str = "keys"
    ranges: tuple[str, ...] = ()
    stylizer: str = "external"
    stylizer_options: Mapping[str, Any] | None = None
    detail: str = "medium"
    picture: Mapping[str, Any] | None = None
    output: str = ""
    run: Mapping[str, Any] | None = None

    def propagate(self, detail: str | None = None, **changes: Any) -> PropagateOptions:
        """The detail's preset with the file's values and then ``changes`` in it."""
        return detail_options(detail or self.detail, **{**(self.picture or {}), **changes})


class EntryErrors:
    """Puts the file and the line before what is wrong."""

    def __init__(self, path: Path, text: str) -> None:
        self._path, self._text = path, text

    @contextlib.contextmanager
    def __call__(self, section: str, key: str | None = None) -> Iterator[None]:
        """Turn OptionsErrors within into ones that name the line of ``section``'s ``key``."""
        try:
            yield
        except OptionsError as error:
            told = re.match(r"range ([\d:]+): ", str(error))
            value = told[1] if told is not None and key == "ranges" else None
            line = line_of(self._text, section, key, value)
            raise OptionsError(f"{self._path}, line {line}: {error}") from error

    @contextlib.contextmanager
    def any_of(self, section: str, names: Mapping[str, str]) -> Iterator[None]:
        """The same where one of several entries is meant: the one that the error speaks of."""
        try:
            yield
        except OptionsError as error:
            told = str(error)
            meant = next((name for name in names if re.search(rf"\b{name}\b", told)), None)
            line = line_of(self._text, section, meant)
            raise OptionsError(f"{self._path}, line {line}: {told}") from error


class _AnyClip:
    """Has every frame: to check how numbers are written before the clip is known."""

    def __len__(self) -> int:
        return 1 << 62

    def number(self, index: int) -> int:
        return index

    def index_of(self, number: int) -> int | None:
        return number


def read_settings(path: Path, text: str) -> Settings:
    """Check the text of the project file ``path``.

    Raises OptionsError naming the file and the line for anything unknown, wrong or missing.
    """
    content = parsed(path, text)
    blame = EntryErrors(path, text)
    _check_format(content.pop("format", None), path, text)
    known = sections()
    for section, entries in content.items():
        with blame(section):
            if section not in known:
                raise OptionsError(f"section {unknown(section, list(known))}")
            if not isinstance(entries, dict):
                raise OptionsError(f"{section}: expected a section, [{section}]")
    stylizer = read_stylizer(content.get("stylizer", {}), known["stylizer"][0], blame)
    values = {
        section: read_entries(section, entries, content.get(section, {}), blame)
        for section, entries in known.items()
        if section != "stylizer"
    }
    told: dict[str, dict[str, Any]] = {section: {} for section in values}
    fields: dict[str, dict[str, Any]] = {section: {} for section in values}
    for section, found in values.items():
        for entry in known[section]:
            if entry.name in found:
                place = fields[section] if entry.field else told[section]
                place[entry.field or entry.name] = found[entry.name]
    settings = Settings(
        clip=told["clip"].get("path", ""),
        sha256=told["clip"].get("sha256", ""),
        size=told["clip"].get("size"),
        frames=told["clip"].get("frames"),
        frame_rate=_rate(told["clip"].get("frame-rate"), blame),
        keys=told["keys"].get("folder", "keys"),
        ranges=told["keys"].get("ranges", ()),
        stylizer=stylizer.pop("name", "external"),
        stylizer_options=stylizer,
        detail=told["picture"].get("detail", "medium"),
        picture=fields["picture"],
        output=told["output"].get("path", ""),
        run=fields["clip"] | fields["keys"] | fields["output"] | fields["run"],
    )
    _check(settings, fields, blame)
    return settings


def parsed(path: Path, text: str) -> dict[str, Any]:
    """The sections of a TOML text. Raises OptionsError naming the file and the line."""
    try:
        content: dict[str, Any] = tomlkit.parse(text).unwrap()
    except TOMLKitError as error:
        what = str(error).partition(" at line ")[0]
        line = repeated_line(text) if "already exists" in what else None
        if line is None:
            line = error.line if isinstance(error, ParseError) else 1
        raise OptionsError(f"{path}, line {line}: not TOML: {what}") from error
    return content


def _check_format(given: Any, path: Path, text: str) -> None:
    line = line_of(text, "format")
    if given is None:
        raise OptionsError(
            f"{path}, line {line}: 'format' is missing; a project begins with format = {FORMAT}"
        )
    if given != FORMAT or isinstance(given, bool):
        raise OptionsError(
            f"{path}, line {line}: format {given!r}: expected {FORMAT}; "
            "a newer kadr may have written it, then use that"
        )


def read_entries(
    section: str, entries: tuple[Entry, ...], given: Mapping[str, Any], blame: EntryErrors
) -> dict[str, Any]:
    """Entry name → value of the right type. Raises OptionsError naming the line."""
    known = {entry.name: entry for entry in entries}
    values = {}
    for name, value in given.items():
        with blame(section, name):
            if name not in known:
                raise OptionsError(unknown(name, list(known)))
            values[name] = checked_value(known[name], value)
    return values


def read_stylizer(
    given: Mapping[str, Any], own: Entry, blame: EntryErrors, *, whole: bool = True
) -> dict[str, Any]:
    """The stylizer's "name" and the options that are set, by their fields.

    whole: they are all that is set, so they are checked together as well.
    """
    with blame("stylizer", "name"):
        name = checked_value(own, given.get("name", "external"))
        kind = stylizer_options(name)
    entries = () if name == "external" else stylizer_entries(kind)
    values = read_entries("stylizer", (own, *entries), given, blame)
    values.pop("name", None)
    options = {option.replace("-", "_"): value for option, value in values.items()}
    if entries and whole:
        with blame.any_of("stylizer", {e.name: e.field for e in entries if e.field in options}):
            kind(**options)
    return {"name": name, **options}


def _rate(given: float | str | None, blame: EntryErrors) -> float | None:
    with blame("clip", "frame-rate"):
        return None if given is None else float(parse_rate(str(given), "frame-rate"))


def _check(settings: Settings, fields: Mapping[str, Mapping[str, Any]], blame: EntryErrors) -> None:
    """What can be checked without the clip."""
    with blame("clip", "path"):
        if not settings.clip:
            raise OptionsError('[clip] has no path; say which clip, path = "…"')
    with blame("clip", "sha256"):
        if settings.sha256 and not _HEXADECIMAL.fullmatch(settings.sha256):
            raise OptionsError(f"sha256 {settings.sha256!r}: expected 64 hexadecimal digits")
    with blame("output", "path"):
        if not settings.output:
            raise OptionsError('[output] has no path; say where the video goes, path = "…"')
    with blame("clip", "frames"):
        if settings.frames is not None:
            parse_frames(settings.frames, _AnyClip())
    with blame("keys", "ranges"):
        for text in settings.ranges:
            parse_span(text, _AnyClip())
    with blame("picture", "detail"):
        detail_options(settings.detail)
    with blame.any_of("picture", _names(fields["picture"])):
        settings.propagate()
    painted = settings.stylizer == "external"
    keys = (Path("keys"),) if painted else ()
    whole = RunOptions(Path("clip"), "out", keys, stylizer=settings.stylizer)
    for section in ("clip", "keys", "output", "run"):
        with blame.any_of(section, _names(fields[section])):
            replace(whole, **fields[section])


def _names(fields: Mapping[str, Any]) -> dict[str, str]:
    return {name.replace("_", "-"): name for name in fields}
