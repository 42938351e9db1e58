"""A folder ``NAME.kadr`` in, its clip, keys, settings and places out; and edits of its file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit

from kadr.errors import InputError
from kadr.files import HIDDEN, atomic_file
from kadr.options import RunOptions
from kadr.project.find import find_clip
from kadr.project.frame_numbers import with_numbers
from kadr.project.lines import with_room
from kadr.project.settings import EntryErrors, Settings, read_settings
from kadr.storage.lock import lock_folder
from kadr.video.identity import clip_files, clip_identity, clip_size

SUFFIX = ".kadr"
FILE = "project.toml"
_MOST_STEPS_UP = 3
"""A clip farther than this from its project is kept by its full path."""


@dataclass(frozen=True)
class LocatedClip:
    """Where a project's clip lies now, what it holds, and what is to be said of it."""

    path: Path
    identity: str
    size: int
    moved: bool = False
    changed: bool = False
    """Whether it holds something else than when the project last used it."""
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class ProjectFolder:
    """One project. Its places need not exist yet, except the file itself."""

    root: Path
    settings: Settings
    text: str
    """Of the project file, as it was read."""

    @property
    def name(self) -> str:
        """The folder's name without its suffix."""
        return self.root.absolute().name.removesuffix(SUFFIX)

    @property
    def toml(self) -> Path:
        """The project file."""
        return self.root / FILE

    @property
    def keys(self) -> Path:
        """The folder of painted keys."""
        return self.root / self.settings.keys

    @property
    def work(self) -> Path:
        """The folder for work files, which can be deleted without loss."""
        return self.root / "work"

    @property
    def out(self) -> Path:
        """The folder for what a run makes."""
        return self.root / "out"

    @property
    def frames(self) -> Path:
        """The folder of finished frames."""
        return self.out / "frames"

    @property
    def previews(self) -> Path:
        """The folder of previews."""
        return self.out / "preview"

    @property
    def record(self) -> Path:
        """What the last run was, as JSON."""
        return self.work / "run.json"

    @property
    def report(self) -> Path:
        """What the last run was, for people."""
        return self.out / "report.html"

    @property
    def clip(self) -> Path:
        """Where the clip should lie; ``locate`` looks whether it does."""
        # the root resolved first: what lies above a link is not what its name says
        return Path(os.path.normpath(self.root.resolve() / self.settings.clip))

    @property
    def output(self) -> Path | str:
        """Where the result goes; text keeps the slash that marks a folder."""
        path = self.root / self.settings.output
        return f"{path}/" if self.settings.output.endswith(("/", "\\")) else path

    def locate(self, places: Sequence[Path] = ()) -> LocatedClip:
        """The clip, where it lies now; what is to be said of it stands in ``notices``.

        A clip that is not in its place is sought by its content in ``places`` (folders, or the
        file itself), beside the project and in its old folder.
        Raises InputError if it is not found.
        """
        settings, cache = self.settings, self.work
        path = self.clip
        if _is_there(path):
            size, identity = clip_size(path), clip_identity(path, cache)
            changed = bool(settings.sha256) and identity != settings.sha256
            told = f"{path}: holds something else than before; all will be made anew"
            return LocatedClip(path, identity, size, False, changed, (told,) if changed else ())
        moved = None
        if settings.sha256 and settings.size is not None:
            near = [*places, self.root, self.root.absolute().parent, path.parent]
            moved = find_clip(path, settings.size, settings.sha256, near, cache)
        if moved is None:
            raise InputError(
                f"{path}: the clip of {self.root} is not there, nor near it; "
                f"put it back, or write where it is into {self.toml}, [clip] path"
            )
        notice = f"{path}: is not there any more; the same clip was found as {moved}"
        return LocatedClip(moved, settings.sha256, settings.size or 0, True, False, (notice,))

    def options(
        self,
        found: LocatedClip | None = None,
        *,
        detail: str | None = None,
        picture: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> RunOptions:
        """The options of a run. ``found`` is what ``locate`` gave; None: it is asked again.

        detail: another preset, in which the file's own values still count. picture: fields of
        PropagateOptions that have the last word. changes: fields of RunOptions that have it;
        ``ranges`` and ``frames`` as indices, ``stylizer_options`` beside the file's.
        Raises OptionsError naming the file and the line, or InputError for the clip.
        """
        settings = self.settings
        found = found or self.locate()
        stylizer = changes.get("stylizer", "external" if "keys" in changes else settings.stylizer)
        own = settings.stylizer_options if stylizer == settings.stylizer else {}
        fields = {name: self._placed(name, value) for name, value in (settings.run or {}).items()}
        values = {
            "clip": found.path,
            "output": self.output,
            "keys": (self.keys,) if stylizer == "external" else (),
            "stylizer": stylizer,
            "frame_rate": settings.frame_rate,
            "propagate": settings.propagate(detail, **(picture or {})),
            "work": self.work,
            "frames_folder": self.frames,
            "report": self.out,
            **fields,
            **changes,
            "stylizer_options": {**(own or {}), **changes.get("stylizer_options", {})},
        }
        if "overwrite" not in values:
            values["overwrite"] = self._is_own(values["output"], values.get("per_key"))
        return with_numbers(
            RunOptions(**values),
            () if "ranges" in changes else settings.ranges,
            None if "frames" in changes else settings.frames,
            blame=EntryErrors(self.toml, self.text),
        )

    def _placed(self, name: str, value: Any) -> Any:
        return self.root / value if isinstance(value, Path) else value

    def _is_own(self, *outputs: Path | str | None) -> bool:
        """Whether all outputs lie in the project: then a run may replace what the last one made."""
        root = self.root.resolve()
        places = [Path(output).resolve() for output in outputs if output is not None]
        return all(place.is_relative_to(root) for place in places)

    def settle(self, found: LocatedClip) -> ProjectFolder:
        """Write down where the clip lies now and what it holds, if that is news.

        Gives the project as it then stands; meanwhile no other kadr may work in it. Raises
        OutputError if one does, or if the file cannot be written.
        """
        if not found.moved and not found.changed and self.settings.sha256:
            return self
        news = {"sha256": found.identity, "size": found.size}
        if found.moved:
            news["path"] = relative_path(found.path, self.root)
        with lock_folder(self.work):
            return open_project(self.root).edit("clip", news)

    def sweep(self) -> None:
        """Delete what runs that were killed left half-written in the project.

        Raises OutputError if another kadr works in it, or if it cannot be written.
        """
        with lock_folder(self.work):
            for path in [*self.out.rglob(f"{HIDDEN}*"), *self.work.rglob(f"{HIDDEN}*")]:
                if self.previews in path.parents:
                    continue  # these are made without the lock
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)

    def edit(self, section: str, values: Mapping[str, Any]) -> ProjectFolder:
        """Set entries of a section, by their names in the file; its comments stay.

        None takes an entry away. Gives the project as it then stands. Raises OptionsError for what
        the file may not hold, with the file left as it was; OutputError if it cannot be written.
        """
        given = [name for name, value in values.items() if value is not None]
        document = tomlkit.parse(with_room(self.text, section, given))
        table: Any = document.setdefault(section, tomlkit.table())
        for name, value in values.items():
            if value is None:
                table.pop(name, None)
            else:
                table[name] = value
        text = tomlkit.dumps(document)
        settings = read_settings(self.toml, text)
        write_text(self.toml, text)
        return ProjectFolder(self.root, settings, text)


def is_project(path: str | Path) -> bool:
    """Whether a path is meant as a project: its folder, its file, or a name ending in .kadr."""
    path = Path(path)
    if path.is_dir():
        return (path / FILE).is_file()
    return path.name == FILE or path.suffix.lower() == SUFFIX


def open_project(path: str | Path) -> ProjectFolder:
    """Read a project by its folder or its file.

    Raises InputError if there is none, OptionsError naming the file and the line for anything
    unknown or wrong in it.
    """
    path = Path(path)
    root = path.parent if path.name == FILE else path
    file = root / FILE
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(f"{file}, line {line}: is not UTF-8 text; save it as UTF-8") from error
    except FileNotFoundError as error:
        raise InputError(
            f"{root}: not a kadr project, it has no {FILE}; make one with kadr new CLIP -o {root}"
        ) from error
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror})") from error
    return ProjectFolder(root, read_settings(file, text), text)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all, its line ends as they are. Raises OutputError."""
    with atomic_file(path) as temporary:
        temporary.write_bytes(text.encode())


def relative_path(path: Path, root: Path) -> str:
    """A path as a project keeps it: from ``root`` on when it lies near, else in full."""
    # the name itself may be a link that people chose, or a pattern that is no file
    whole = path.parent.resolve() / path.name
    base = root.resolve()
    try:
        steps = Path(os.path.relpath(whole, base))
    except ValueError:  # on another drive
        return whole.as_posix()
    up = steps.parts.count("..")
    shared = base.parents[up - 1] if up else base
    far = up > _MOST_STEPS_UP or shared == Path(base.anchor)
    return (whole if far else steps).as_posix()


def _is_there(path: Path) -> bool:
    try:
        clip_files(path)
    except InputError:
        return path.exists()  # what is wrong with it is told when it is read
    return True
