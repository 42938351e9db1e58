"""The text of a project.toml in, its checked settings out; errors name the line."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import ParseError, TOMLKitError

from kadr.core.formatting import shorten
from kadr.core.parsing import check_frames, parse_rate, parse_span
from kadr.errors import OptionsError
from kadr.options import PropagateOptions, RunOptions, detail_options
from kadr.project.layer_sections import (
    LAYER,
    LAYER_ORDER,
    SHOW,
    layer_contents,
    ordered_layers,
)
from kadr.project.schema import (
    RANGE,
    RANGE_ENTRIES,
    Entry,
    checked_value,
    describe_unknown,
    range_entries,
    sections,
    stylizer_entries,
)
from kadr.project.toml_lines import line_of, repeated_line
from kadr.stylize.registry import stylizer_options

FORMAT = 1
"""Version of the format; raised when an older kadr would read a newer file wrongly."""

RUN_SECTIONS = ("clip", "keys", "guides", "mask", "output", "run")
"""Sections whose entries are fields of RunOptions."""

_MOST_CHARACTERS = 200_000
"""Of a file: the parser takes long for more, and no project has as many."""

_LONGEST_MESSAGE = 600
"""A longer one quotes a value that is much too long."""

_HEXADECIMAL = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class RangeSettings:
    """One [[stylizer.range]]: its frames "FIRST:LAST", or its shot; and the fields that it sets."""

    frames: str | None
    shot: int | None
    options: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The range for people, such as "120:180" or "shot 2"."""
        return f"shot {self.shot}" if self.frames is None else self.frames.replace(" ", "")


@dataclass(frozen=True)
class Settings:
    """The settings of a project file. Paths are as written there; frames are frame numbers.

    sha256, size: of the clip; "" and None if the file does not have them. picture, run: fields of
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
    stylizer_ranges: tuple[RangeSettings, ...] = ()
    detail: str = "medium"
    picture: Mapping[str, Any] | None = None
    output: str = ""
    run: Mapping[str, Any] | None = None
    layers: tuple[LayerSettings, ...] = ()

    def propagate(self, detail: str | None = None, **changes: Any) -> PropagateOptions:
        """The preset of the detail, changed by the values of the file and then by ``changes``."""
        return detail_options(detail or self.detail, **{**(self.picture or {}), **changes})


@dataclass(frozen=True)
class LayerSettings:
    """One [[layer]]: its name, and the settings of the project as they are in this layer.

    visible: whether runs make it.
    """

    name: str
    settings: Settings
    visible: bool = True


class EntryErrors:
    """Context managers that add the file and the line of an entry to OptionsErrors."""

    def __init__(self, path: Path, text: str, layer: str = "") -> None:
        """layer: the number of the [[layer]] whose sections count first, "1" for the first."""
        self._path, self._text, self._layer = path, text, layer

    def _line(
        self, section: str | tuple[str, ...], key: str | None, value: str | None = None
    ) -> int:
        names = (section,) if isinstance(section, str) else section
        if self._layer:
            inner = (LAYER, self._layer, *names)
            line = line_of(self._text, inner, key, value)
            # a section that the layer does not have is the project's
            if line != line_of(self._text, inner[:2]) or names == ():
                return line
        return line_of(self._text, names, key, value)

    @contextlib.contextmanager
    def __call__(self, section: str | tuple[str, ...], key: str | None = None) -> Iterator[None]:
        """Turn OptionsErrors into ones that name the line of the entry ``key`` of ``section``."""
        try:
            yield
        except OptionsError as error:
            match = re.match(r"range ([\d:]+): ", str(error))
            value = match[1] if match is not None and key == "ranges" else None
            line = self._line(section, key, value)
            message = shorten(error, _LONGEST_MESSAGE)
            raise OptionsError(f"{self._path}, line {line}: {message}") from error

    @contextlib.contextmanager
    def any_of(self, section: str | tuple[str, ...], names: Mapping[str, str]) -> Iterator[None]:
        """The same for several entries: the line is that of the first entry the error names."""
        try:
            yield
        except OptionsError as error:
            message = shorten(error, _LONGEST_MESSAGE)
            places = [
                (match.start(), -len(name), name)
                for name in names
                if (match := re.search(rf"\b{name}\b", message))
            ]
            key = min(places)[2] if places else None
            line = self._line(section, key)
            raise OptionsError(f"{self._path}, line {line}: {message}") from error


class _AnyClip:
    """A clip that has every frame: checks how numbers are written before the clip is open."""

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
    content = parse_toml(path, text)
    entry_errors = EntryErrors(path, text)
    _check_format(content.pop("format", None), path, text)
    layers, order = content.pop(LAYER, []), content.pop(LAYER_ORDER, None)
    schema = sections()
    check_sections(content, tuple(schema), entry_errors)
    settings = _read_content(content, entry_errors)
    if not layers and order is None:
        return settings
    named = layer_contents(content, layers, entry_errors)
    read = {
        name: _read_content(layer, EntryErrors(path, text, str(number)))
        for number, (name, layer) in enumerate(named.items(), start=1)
    }
    with entry_errors((), LAYER_ORDER):
        names = ordered_layers(list(read), order)
    visible = {layer["name"]: layer.get(SHOW, True) for layer in layers}
    if not any(visible.values()):
        with entry_errors((LAYER, "1"), SHOW):
            raise OptionsError(f"{SHOW}: no layer is shown; show one at least")
    return replace(
        settings, layers=tuple(LayerSettings(name, read[name], visible[name]) for name in names)
    )


def _read_content(content: Mapping[str, Any], entry_errors: EntryErrors) -> Settings:
    """The settings of sections; each of them is known."""
    schema = sections()
    stylizer_content = dict(content.get("stylizer", {}))
    range_contents = stylizer_content.pop("range", [])
    stylizer = read_stylizer(stylizer_content, schema["stylizer"][0], entry_errors)
    ranges = _read_ranges(range_contents, stylizer, entry_errors)
    project: dict[str, dict[str, Any]] = {}
    fields: dict[str, dict[str, Any]] = {}
    for section, entries in schema.items():
        if section != "stylizer":
            values = read_entries(section, entries, content.get(section, {}), entry_errors)
            project[section] = {e.name: values[e.name] for e in entries if e.name in values}
            fields[section] = {
                entry.field: project[section].pop(entry.name)
                for entry in entries
                if entry.field and entry.name in values
            }
    clip, keys = project["clip"], project["keys"]
    settings = Settings(
        clip=clip.get("path", ""),
        sha256=clip.get("sha256", ""),
        size=clip.get("size"),
        frames=clip.get("frames"),
        frame_rate=_rate(clip.get("frame-rate"), entry_errors),
        keys=keys.get("folder", "keys"),
        ranges=keys.get("ranges", ()),
        stylizer=stylizer.pop("name", "external"),
        stylizer_options=stylizer,
        stylizer_ranges=ranges,
        detail=project["picture"].get("detail", "medium"),
        picture=fields["picture"],
        output=project["output"].get("path", ""),
        run={name: value for section in RUN_SECTIONS for name, value in fields[section].items()},
    )
    _check(settings, fields, entry_errors)
    return settings


def check_sections(
    content: Mapping[str, Any], names: tuple[str, ...], entry_errors: EntryErrors
) -> None:
    """Raise OptionsError for a section that is not in ``names``, or for what is no section."""
    for section, entries in content.items():
        with entry_errors(section):
            if section not in names:
                raise OptionsError(f"section {describe_unknown(section, names)}")
            if not isinstance(entries, dict):
                raise OptionsError(f"{section}: expected a section, [{section}]")


def parse_toml(path: Path, text: str) -> dict[str, Any]:
    """The sections of a TOML text. Raises OptionsError naming the file and the line."""
    if len(text) > _MOST_CHARACTERS:
        raise OptionsError(
            f"{path}: {len(text)} characters; expected at most {_MOST_CHARACTERS}, is it the right "
            "file?"
        )
    try:
        content: dict[str, Any] = tomlkit.parse(text).unwrap()
    except TOMLKitError as error:
        message = str(error).partition(" at line ")[0]
        line = repeated_line(text) if "already exists" in message else None
        if line is None:
            line = error.line if isinstance(error, ParseError) else 1
        raise OptionsError(f"{path}, line {line}: not TOML: {shorten(message, 200)}") from error
    except RecursionError as error:
        raise OptionsError(f"{path}: not TOML that can be read: it is nested too deeply") from error
    except Exception as error:  # tomlkit raises many kinds for what it does not foresee
        raise OptionsError(f"{path}: not TOML that can be read ({shorten(error)})") from error
    _check_values(content, path, text)
    return content


def _check_values(content: Mapping[str, Any], path: Path, text: str) -> None:
    """Raise OptionsError for a number or a text that TOML can write but no entry can hold."""
    rest: list[tuple[tuple[str, ...], Any]] = [((name,), content[name]) for name in content]
    while rest:
        names, value = rest.pop()
        if isinstance(value, dict):
            rest += [((*names, name), inner) for name, inner in value.items()]
        elif isinstance(value, list):
            rest += [(names, inner) for inner in value]
        elif isinstance(value, int) and value.bit_length() > 63:
            _refuse(names, "a number of more than 64 bits; give a smaller one", path, text)
        elif isinstance(value, str) and ("\0" in value or not _is_unicode(value)):
            _refuse(names, "holds a character that no name may have; take it out", path, text)


def _is_unicode(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _refuse(names: tuple[str, ...], problem: str, path: Path, text: str) -> None:
    line = line_of(text, *names[:2])
    raise OptionsError(f"{path}, line {line}: {shorten(names[-1])}: {problem}")


def _check_format(version: Any, path: Path, text: str) -> None:
    line = line_of(text, "format")
    if version is None:
        raise OptionsError(
            f"{path}, line {line}: 'format' is missing; a project begins with format = {FORMAT}"
        )
    if version != FORMAT or isinstance(version, bool):
        raise OptionsError(
            f"{path}, line {line}: format {shorten(repr(version))}: expected {FORMAT}; "
            "if a newer kadr wrote it, use that kadr"
        )


def read_entries(
    section: str | tuple[str, ...],
    entries: tuple[Entry, ...],
    content: Mapping[str, Any],
    entry_errors: EntryErrors,
) -> dict[str, Any]:
    """Entry name → value of the right type. Raises OptionsError naming the line."""
    by_name = {entry.name: entry for entry in entries}
    values = {}
    for name, value in content.items():
        with entry_errors(section, name):
            if name not in by_name:
                raise OptionsError(describe_unknown(name, list(by_name)))
            values[name] = checked_value(by_name[name], value)
    return values


def read_stylizer(
    content: Mapping[str, Any],
    name_entry: Entry,
    entry_errors: EntryErrors,
    *,
    complete: bool = True,
) -> dict[str, Any]:
    """The "name" of the stylizer and the options that are set, by their fields.

    complete: no other options follow from elsewhere, so they are checked together as well.
    """
    with entry_errors("stylizer", "name"):
        name = checked_value(name_entry, content.get("name", "external"))
        kind = stylizer_options(name)
    entries = () if name == "external" else stylizer_entries(kind)
    values = read_entries("stylizer", (name_entry, *entries), content, entry_errors)
    values.pop("name", None)
    options = {option.replace("-", "_"): value for option, value in values.items()}
    if entries and complete:
        names = {entry.name: entry.field for entry in entries if entry.field in options}
        with entry_errors.any_of("stylizer", names):
            kind(**options)
    return {"name": name, **options}


def _read_ranges(
    contents: Any, stylizer: Mapping[str, Any], entry_errors: EntryErrors
) -> tuple[RangeSettings, ...]:
    """Every [[stylizer.range]]; stylizer: its name and options. Raises OptionsError."""
    with entry_errors("stylizer", RANGE):
        if not isinstance(contents, list) or not all(isinstance(item, dict) for item in contents):
            raise OptionsError(f"{RANGE}: expected sections, [[stylizer.{RANGE}]]")
    with entry_errors(("stylizer", RANGE, "1")):
        if contents and stylizer["name"] == "external":
            raise OptionsError(
                f"[[stylizer.{RANGE}]]: is for a stylizer that makes keys; give its name in "
                "[stylizer], or take it out"
            )
    return tuple(
        _read_range(content, ("stylizer", RANGE, str(number)), stylizer, entry_errors)
        for number, content in enumerate(contents, start=1)
    )


def _read_range(
    content: Mapping[str, Any],
    section: tuple[str, ...],
    stylizer: Mapping[str, Any],
    entry_errors: EntryErrors,
) -> RangeSettings:
    kind = stylizer_options(stylizer["name"])
    entries = (*RANGE_ENTRIES, *range_entries(kind))
    everywhere = {entry.name for entry in stylizer_entries(kind)}
    for name in content:
        with entry_errors(section, name):
            if name in everywhere and name not in {entry.name for entry in entries}:
                raise OptionsError(
                    f"{name}: is the same for all frames; set it in [stylizer], or take it out"
                )
    values = read_entries(section, entries, content, entry_errors)
    frames, shot = values.pop("frames", None), values.pop("shot", None)
    options = {name.replace("-", "_"): value for name, value in values.items()}
    with entry_errors(section):
        if (frames is None) == (shot is None):
            raise OptionsError(f'[[stylizer.{RANGE}]]: give frames = "FIRST:LAST" or shot = N')
        if not options:
            raise OptionsError(
                f"[[stylizer.{RANGE}]]: sets nothing; give another prompt or seed, or take it out"
            )
    with entry_errors(section, "shot"):
        if shot is not None and shot < 1:
            raise OptionsError(f"shot {shot}: expected a number from 1 on, as kadr plan shows it")
    with entry_errors(section, "frames"):
        if frames is not None:
            check_frames(frames)
    with entry_errors.any_of(section, {name.replace("_", "-"): name for name in options}):
        base = {name: value for name, value in stylizer.items() if name != "name"}
        kind(**{**base, **options})
    return RangeSettings(frames, shot, options)


def _rate(value: float | str | None, entry_errors: EntryErrors) -> float | None:
    with entry_errors("clip", "frame-rate"):
        return None if value is None else float(parse_rate(str(value), "frame-rate"))


def _check(
    settings: Settings, fields: Mapping[str, Mapping[str, Any]], entry_errors: EntryErrors
) -> None:
    """Check what can be checked without the clip."""
    with entry_errors("clip", "path"):
        if not settings.clip:
            raise OptionsError('[clip] has no path; say which clip, path = "…"')
    with entry_errors("clip", "sha256"):
        if settings.sha256 and not _HEXADECIMAL.fullmatch(settings.sha256):
            raise OptionsError(
                f"sha256 {shorten(settings.sha256)!r}: expected 64 hexadecimal digits"
            )
    with entry_errors("output", "path"):
        if not settings.output:
            raise OptionsError('[output] has no path; say where the video goes, path = "…"')
    with entry_errors("clip", "frames"):
        if settings.frames is not None:
            check_frames(settings.frames)
    with entry_errors("keys", "ranges"):
        for text in settings.ranges:
            parse_span(text, _AnyClip())
    with entry_errors("picture", "detail"):
        detail_options(settings.detail)
    with entry_errors.any_of("picture", _names(fields["picture"])):
        settings.propagate()
    painted = settings.stylizer == "external"
    keys = (Path("keys"),) if painted else ()
    options = RunOptions(Path("clip"), "out", keys, stylizer=settings.stylizer)
    for section in RUN_SECTIONS:
        with entry_errors.any_of(section, _names(fields[section])):
            replace(options, **fields[section])


def _names(fields: Mapping[str, Any]) -> dict[str, str]:
    return {name.replace("_", "-"): name for name in fields}
