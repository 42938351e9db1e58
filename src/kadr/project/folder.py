"""A folder ``NAME.kadr`` in, its clip, keys, settings and paths out; and edits of its file."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tomlkit

from kadr.core.background import TRANSPARENT, parse_background
from kadr.core.locations import place, refuse_secrets, url_of
from kadr.errors import InputError, OptionsError
from kadr.files import HIDDEN, TEMPORARY_NAME, atomic_file
from kadr.options import RunOptions
from kadr.project.find_clip import find_clip
from kadr.project.frame_numbers import with_numbers
from kadr.project.schema import describe_unknown
from kadr.project.settings import EntryErrors, Settings, read_settings
from kadr.project.toml_lines import add_empty_entries
from kadr.storage.layout import WorkLayout, file_kind
from kadr.storage.lock import lock_folder
from kadr.video.identity import clip_files, clip_identity, clip_size

SUFFIX = ".kadr"
FILE = "project.toml"
_MAX_STEPS_UP = 3
"""The path of a clip farther than this from its project is stored in full."""


@dataclass(frozen=True)
class LocatedClip:
    """Where the clip of a project is now, its content, and notices about it."""

    path: Path
    identity: str
    size: int
    moved: bool = False
    changed: bool = False
    """Whether its content changed since the project last used it."""
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class ProjectFolder:
    """One project. Its files and folders may not exist yet, except the project file."""

    root: Path
    settings: Settings
    text: str
    """The text of the project file, as it was read."""
    layer: str = ""
    """The layer that the settings and the folders below are those of; "": the project's own."""

    @property
    def layers(self) -> tuple[ProjectFolder, ...]:
        """The project as each of its layers sees it, from the bottom up; none without layers."""
        return tuple(
            replace(self, settings=item.settings, layer=item.name) for item in self.settings.layers
        )

    @property
    def visible_layers(self) -> tuple[ProjectFolder, ...]:
        """Those of the layers that runs make."""
        visible = {item.name for item in self.settings.layers if item.visible}
        return tuple(layer for layer in self.layers if layer.layer in visible)

    def choose(self, layer: str | None) -> ProjectFolder:
        """The layer of this name, or without a name the project itself, if it has no layers.

        Raises OptionsError for a name that no layer has, or if a name is needed.
        """
        if layer is not None:
            return self.find_layer(layer)
        if self.layers:
            names = ", ".join(item.layer for item in self.layers)
            raise OptionsError(f"{self.root}: has layers; give --layer NAME, one of {names}")
        return self

    def find_layer(self, name: str) -> ProjectFolder:
        """The project as the layer ``name`` sees it. Raises OptionsError if there is none."""
        for layer in self.layers:
            if layer.layer == name:
                return layer
        names = [layer.layer for layer in self.layers]
        existing = describe_unknown(name, names) if names else "the project has no layers"
        raise OptionsError(f"{self.root}: layer {existing}")

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
        return place(self.root, self.settings.keys)

    @property
    def work(self) -> Path:
        """The folder for work files, which can be deleted without loss."""
        work = self.root / "work"
        return WorkLayout(work).layer(self.layer).folder if self.layer else work

    @property
    def out(self) -> Path:
        """The folder for the output of runs."""
        out = self.root / "out"
        return out / "layers" / self.layer if self.layer else out

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
        """The record of the last run, as JSON."""
        return self.work / "run.json"

    @property
    def report(self) -> Path:
        """The report of the last run, as HTML."""
        return self.out / "report.html"

    @property
    def clip(self) -> Path:
        """Where the clip should be; ``locate`` checks it."""
        if url_of(self.settings.clip):
            return Path(self.settings.clip)
        # the root is resolved first: the parent of a link is not the parent in its path
        return Path(os.path.normpath(self.root.resolve() / self.settings.clip))

    @property
    def output(self) -> Path | str:
        """Where the output goes; text keeps the slash that marks a folder."""
        if self.layer:
            return self.frames
        url = url_of(self.settings.output)
        if url is not None:
            return url
        path = self.root / self.settings.output
        return f"{path}/" if self.settings.output.endswith(("/", "\\")) else path

    @property
    def output_exists(self) -> bool:
        """Whether the output of a run is there; of a pattern, an image that it names."""
        return _exists(Path(self.output))

    def locate(self, folders: Sequence[Path] = ()) -> LocatedClip:
        """The clip, where it is now; ``notices`` say if it was moved or changed.

        A clip that is not in its place is searched by its content in ``folders`` (or files), beside
        the project and in its old folder. Raises InputError if it is not found.
        """
        settings, cache = self.settings, self.work
        path = self.clip
        if url_of(path) is not None or _exists(path):
            size, identity = clip_size(path), clip_identity(path, cache)
            changed = bool(settings.sha256) and identity != settings.sha256
            notice = f"{path}: its content changed; all frames will be made again"
            return LocatedClip(path, identity, size, False, changed, (notice,) if changed else ())
        moved = None
        if settings.sha256 and settings.size is not None:
            searched = [*folders, self.root, self.root.absolute().parent, path.parent]
            moved = find_clip(path, settings.size, settings.sha256, searched, cache)
        if moved is None:
            raise InputError(
                f"{path}: the clip of {self.root} is not there, nor near it; "
                f"put it back, or write where it is into {self.toml}, [clip] path"
            )
        notice = f"{path}: is not there any more; the same clip was found as {moved}"
        return LocatedClip(moved, settings.sha256, settings.size or 0, True, False, (notice,))

    def options(
        self,
        located: LocatedClip | None = None,
        *,
        detail: str | None = None,
        picture: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> RunOptions:
        """The options of a run. ``located`` is the result of ``locate``; None: it is called.

        detail: another preset, which the values of the file still change. picture: fields of
        PropagateOptions that override the file. changes: fields of RunOptions that override the
        file; ``ranges`` and ``frames`` as indices, ``stylizer_options`` beside those of the file.
        Raises OptionsError naming the file and the line, or InputError for the clip.
        """
        settings = self.settings
        located = located or self.locate()
        stylizer = changes.get("stylizer", "external" if "keys" in changes else settings.stylizer)
        stylizer_options = settings.stylizer_options if stylizer == settings.stylizer else {}
        fields = {name: self._absolute(value) for name, value in (settings.run or {}).items()}
        if "background" in fields:
            fields["background"] = self._background(fields["background"])
        values = {
            "clip": located.path,
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
            "stylizer_options": {
                **(stylizer_options or {}),
                **changes.get("stylizer_options", {}),
            },
        }
        if self.layer:
            values |= {"frames_only": True, "background": TRANSPARENT, "output": self.output}
            if values.get("per_key") is not None:
                values["per_key"] = values["per_key"] / self.layer
        if "overwrite" not in values:
            values["replace_in"] = self.root
        return with_numbers(
            RunOptions(**values),
            () if "ranges" in changes else settings.ranges,
            None if "frames" in changes else settings.frames,
            stylizer_ranges=settings.stylizer_ranges if stylizer == settings.stylizer else (),
            all_frames=settings.frames,
            entry_errors=EntryErrors(self.toml, self.text),
        )

    def _absolute(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._absolute(item) for name, item in value.items()}
        return place(self.root, value) if isinstance(value, Path) else value

    def _background(self, text: str) -> str:
        """A background of the file, whose path begins at the project."""
        path = parse_background(text).path
        return text if path is None else str(place(self.root, path))

    def update_clip(self, located: LocatedClip) -> ProjectFolder:
        """Write where the clip is now, and its content, into the project file if they changed.

        Returns the project as it is then. No other kadr may work in the project meanwhile: raises
        OutputError if one does, or if the file cannot be written.
        """
        if not located.moved and not located.changed and self.settings.sha256:
            return self
        entries = {"sha256": located.identity, "size": located.size}
        if located.moved:
            entries["path"] = relative_path(located.path, self.root)
        with lock_folder(self.work):
            return open_project(self.root).edit("clip", entries)

    def delete_partial_files(self) -> None:
        """Delete half-written files of runs that were killed, but nothing behind links.

        Raises OutputError if another kadr works in the project, or if it cannot be written.
        """
        with lock_folder(self.work):
            partial = [
                path
                for path in self.work.rglob(f"{HIDDEN}*")
                if file_kind(path.relative_to(self.work)) is not None
            ]
            if not self.out.is_symlink():  # no marker tells whose folder it leads to
                partial += self.out.rglob(f"{HIDDEN}*")
            for path in partial:
                if self.previews in path.parents:
                    continue  # previews are made without the lock
                if not TEMPORARY_NAME.fullmatch(path.name):
                    continue
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)

    def edit(self, section: str, values: Mapping[str, Any]) -> ProjectFolder:
        """Set entries of a section, by their names in the file; its comments stay.

        None removes an entry. Returns the project as it is then. Raises OptionsError for a value
        that the file may not hold, and the file stays as it was; OutputError if it cannot be
        written.
        """
        names = [name for name, value in values.items() if value is not None]
        document = tomlkit.parse(add_empty_entries(self.text, section, names))
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
    """Whether a path stands for a project: its folder, its file, or a name ending in .kadr."""
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
    if url_of(path) is not None:
        raise InputError(
            f"{path}: a project lies in a folder on this machine; its clip, keys and output may be "
            "URLs"
        )
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
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{file}: cannot be read ({cause})") from error
    return ProjectFolder(root, read_settings(file, text), text)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, without changing line ends. Raises OutputError."""
    with atomic_file(path) as temporary:
        temporary.write_bytes(text.encode())


def relative_path(path: Path, root: Path) -> str:
    """A path as a project stores it: relative to ``root`` if it is near, else absolute.

    A URL stays as it is; raises OptionsError for one with a password or a signature.
    """
    refuse_secrets("path", path)
    url = url_of(path)
    if url is not None:
        return url
    # only the parent is resolved: the name may be a link that people chose, or a pattern
    target = path.parent.resolve() / path.name
    base = root.resolve()
    try:
        relative = Path(os.path.relpath(target, base))
    except ValueError:  # on another drive
        return target.as_posix()
    up = relative.parts.count("..")
    shared = base.parents[up - 1] if up else base
    far = up > _MAX_STEPS_UP or shared == Path(base.anchor)
    return (target if far else relative).as_posix()


def _exists(path: Path) -> bool:
    try:
        clip_files(path)
    except InputError:
        with contextlib.suppress(OSError):
            return path.exists()  # if it cannot be read, the error comes when it is opened
        return False
    return True
