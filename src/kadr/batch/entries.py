"""A batch file, or a folder of projects or clips, in; what is to be run out, each item checked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kadr.core.formatting import shorten
from kadr.core.locations import path_text, place, refuse_secrets, url_of
from kadr.core.parsing import expand_home
from kadr.errors import InputError, OptionsError
from kadr.project.folder import FILE, is_project
from kadr.project.schema import describe_unknown
from kadr.project.settings import EntryErrors, check_sections, parse_toml
from kadr.video.sequence import is_glob

NAME = "{name}"
"""In a pattern for keys or outputs: the name of the clip, without its suffix."""

_OPTIONS, _PROJECT, _CLIP = "options", "project", "clip"
_REFUSED_OPTIONS = frozenset(
    {"output", "keys", "json", "quiet", "verbose", "dry-run", "help", "overwrite", "report"}
)
"""Options of ``kadr run`` that a batch sets itself, or that say where one run writes."""


@dataclass(frozen=True)
class BatchEntry:
    """One run: a project, or a clip with its keys and output.

    name: for people, unique in the batch. target: the path or URL for ``kadr run``. words: its
    further arguments. inputs: the paths of its clip, keys and of options that are files.
    output: of a clip; "" for a project, which knows its own.
    """

    name: str
    target: str
    words: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    output: str = ""


def read_batch(
    path: Path,
    run_options: Collection[str],
    *,
    clips: str | None = None,
    keys: str | None = None,
    output: str | None = None,
) -> tuple[BatchEntry, ...]:
    """The entries of a batch file, or of a folder.

    run_options: names of the options of ``kadr run``, without dashes before them. clips, keys,
    output: patterns below a folder; without them its projects are found. Raises InputError if there
    is nothing to run, OptionsError naming the line of a file for anything unknown or wrong in it.
    """
    patterns = {"clips": clips, "keys": keys, "output": output}
    if path.is_dir() and not is_project(path):
        return _folder_entries(path, patterns)
    requested = [name for name, value in patterns.items() if value is not None]
    if requested:
        raise OptionsError(f"{requested[0]}: is for a folder of clips; write it into {path}")
    if path.suffix.lower() != ".toml" or path.name == FILE:
        raise InputError(
            f"{path}: expected a batch file, such as batch.toml, or a folder of projects or clips; "
            "one project runs with kadr run"
        )
    return _file_entries(path, run_options)


def _folder_entries(folder: Path, patterns: Mapping[str, str | None]) -> tuple[BatchEntry, ...]:
    clips, keys, output = patterns["clips"], patterns["keys"], patterns["output"]
    if clips is None:
        requested = [name for name, value in patterns.items() if value is not None]
        if requested:
            raise OptionsError(
                f"{requested[0]} {patterns[requested[0]]}: is for clips; give --clips too"
            )
        projects = sorted(file.parent for file in folder.glob(f"*/{FILE}"))
        if not projects:
            raise InputError(
                f"{folder}: no projects in it (*/{FILE}); make some with kadr new, or give "
                "--clips, --keys and --output for clips"
            )
        return _checked([_project_entry(project, ()) for project in projects])
    if output is None:
        raise OptionsError(f"clips {clips}: give --output too, such as --output 'out/{NAME}.mp4'")
    return _checked(_clip_entries(folder, clips, keys, output, {}))


def _file_entries(path: Path, run_options: Collection[str]) -> tuple[BatchEntry, ...]:
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text; save it as UTF-8") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    content, entry_errors = parse_toml(path, text), EntryErrors(path, text)
    lists = {name: content.pop(name, []) for name in (_PROJECT, _CLIP)}
    check_sections(content, (_OPTIONS, _PROJECT, _CLIP), entry_errors)
    shared = _options(content.get(_OPTIONS, {}), run_options, (_OPTIONS,), entry_errors)
    entries: list[BatchEntry] = []
    for kind, items in lists.items():
        with entry_errors((), kind):
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise OptionsError(f"{kind}: expected sections, [[{kind}]]")
        for number, item in enumerate(items, start=1):
            section = (kind, str(number))
            texts = _texts(item, kind, section, entry_errors)
            own = _options(item.get("options", {}), run_options, section, entry_errors)
            with entry_errors(section, "path"):
                entries += _item_entries(path.parent, kind, texts, shared | own)
    if not entries:
        raise InputError(f"{path}: holds no [[project]] and no [[clip]]; add some")
    return _checked(entries)


def _texts(
    item: Mapping[str, Any], kind: str, section: tuple[str, ...], entry_errors: EntryErrors
) -> dict[str, str]:
    """The paths of a section by their names."""
    names = ("path", "options") if kind == _PROJECT else ("path", "keys", "output", "options")
    texts = {}
    for name, value in item.items():
        with entry_errors(section, name):
            if name not in names:
                raise OptionsError(describe_unknown(name, names))
            if name == "options":
                continue
            if not isinstance(value, str) or not value:
                raise OptionsError(f"{name} {shorten(repr(value))}: expected a path in quotes")
            refuse_secrets(name, value)
            texts[name] = expand_home(value)
    needed = ("path",) if kind == _PROJECT else ("path", "output")
    with entry_errors(section):
        for name in needed:
            if name not in texts:
                raise OptionsError(f'[[{kind}]]: has no {name}; add {name} = "…"')
    return texts


def _options(
    values: Any, run_options: Collection[str], section: tuple[str, ...], entry_errors: EntryErrors
) -> dict[str, tuple[str, ...]]:
    """Options by their names, as words of a command line."""
    names = sorted(set(run_options) - _REFUSED_OPTIONS)
    with entry_errors(section, "options"):
        if not isinstance(values, dict):
            raise OptionsError('options: expected names and values, { detail = "draft" }')
    words = {}
    for name, value in values.items():
        inner = section if section == (_OPTIONS,) else (*section, _OPTIONS)
        with entry_errors(inner, name):
            if name not in names:
                raise OptionsError(f"option {describe_unknown(name, names)}")
            words[name] = _words(name, value)
    return words


def _words(name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, bool):
        return (f"--{name}",) if value else ()
    if isinstance(value, list):
        return tuple(word for item in value for word in _words(name, item))
    if isinstance(value, (int, float, str)):
        refuse_secrets(name, str(value))
        return (f"--{name}={value}",)
    raise OptionsError(f"{name} {shorten(repr(value))}: expected a number, text, true or a list")


def _item_entries(
    root: Path, kind: str, texts: Mapping[str, str], options: Mapping[str, tuple[str, ...]]
) -> list[BatchEntry]:
    if kind == _CLIP:
        return _clip_entries(root, texts["path"], texts.get("keys"), texts["output"], options)
    words = tuple(word for part in options.values() for word in part)
    project = Path(path_text(place(root, texts["path"])))
    return [_project_entry(project, words)]


def _project_entry(project: Path, words: tuple[str, ...]) -> BatchEntry:
    root = project.parent if project.name == FILE else project
    return BatchEntry(root.absolute().name, str(root), words)


def _clip_entries(
    root: Path,
    clips: str,
    keys: str | None,
    output: str,
    options: Mapping[str, tuple[str, ...]],
) -> list[BatchEntry]:
    """An entry for each clip that a path or a pattern names."""
    words = tuple(word for part in options.values() for word in part)
    paths = _matches(root, clips)
    if len(paths) > 1 and NAME not in output:
        raise OptionsError(
            f"output {output}: {len(paths)} clips would be written there; name it by the clip, "
            f"such as out/{NAME}.mp4"
        )
    entries = []
    for path in paths:
        name = Path(path).stem or path
        target = path_text(path)
        own_keys = None if keys is None else _placed(root, keys, name)
        own_output = _placed(root, output, name)
        arguments = () if own_keys is None else (f"--keys={own_keys}",)
        values = [word.partition("=")[2] for word in words]
        inputs = [target, *([] if own_keys is None else [own_keys]), *filter(None, values)]
        arguments = (*arguments, f"--output={own_output}", *words)
        entries.append(BatchEntry(name, target, arguments, tuple(inputs), own_output))
    return entries


def _matches(root: Path, pattern: str) -> list[str]:
    """The clips of a pattern; a path without wildcards, or a URL, as it is."""
    if url_of(pattern) is not None or not is_glob(pattern):
        return [_placed(root, pattern, NAME)]
    try:
        paths = sorted(root.glob(pattern)) if not Path(pattern).is_absolute() else []
    except ValueError as error:
        raise OptionsError(f"clips {pattern}: not a pattern of names ({error})") from error
    clips = [str(path) for path in paths if not path.name.startswith(".")]
    if not clips:
        raise OptionsError(
            f"{root / pattern}: no clip has such a name; give a pattern below {root}, such as "
            "'shots/*.mp4'"
        )
    return clips


def _placed(root: Path, text: str, name: str) -> str:
    """A path of the batch for one clip; a slash at its end stays."""
    text = text.replace(NAME, name)
    return url_of(text) or f"{place(root, text)}{'/' if text.endswith('/') else ''}"


def _checked(entries: Sequence[BatchEntry]) -> tuple[BatchEntry, ...]:
    """The entries with unique names. Raises OptionsError if two write to one place."""
    places: dict[str, str] = {}
    for entry in entries:
        text = entry.output or entry.target
        place_of = url_of(text) or str(Path(text).resolve())
        if place_of in places:
            kind = "output" if entry.output else "project"
            raise OptionsError(f"{kind} {text}: comes twice; each run needs one of its own")
        places[place_of] = entry.name
    names = [entry.name for entry in entries]
    return tuple(
        entry
        if names.count(entry.name) == 1
        else BatchEntry(entry.target, entry.target, entry.words, entry.inputs, entry.output)
        for entry in entries
    )
