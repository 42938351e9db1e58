"""A clip, painted keys and settings in, a new project folder out: complete, or none at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from kadr.core.background import parse_background
from kadr.core.parsing import parse_rate
from kadr.errors import OptionsError, OutputError
from kadr.files import make_folder, publish, remove_empty
from kadr.option_fields import PAINTED_KEYS, fields_that_need
from kadr.options import PropagateOptions, RunOptions
from kadr.project.folder import FILE, SUFFIX, ProjectFolder, open_project, relative_path, write_text
from kadr.project.frame_numbers import with_numbers
from kadr.project.schema import describe_unknown, run_fields
from kadr.project.settings import Settings, read_settings
from kadr.project.template import project_text
from kadr.remote.copies import local_copy
from kadr.storage.ownership import adopt_folder
from kadr.stylize.external import KeyFile, find_keys
from kadr.stylize.registry import create_stylizer
from kadr.video.clip_source import ClipSource
from kadr.video.identity import clip_identity, clip_size
from kadr.video.outputs_apart import check_outputs_apart

_TAKEN = "frames"
"""The folder of a clip that was moved into its project."""

_PROJECT_SETTINGS = frozenset(
    {"frames", "frame_rate", "ranges", "stylizer", "stylizer_options", "detail"}
)
_RUN_SETTINGS = frozenset(run_fields())
_PICTURE_SETTINGS = frozenset(item.name for item in fields(PropagateOptions))


def new_project(
    clip: str | Path,
    keys: Sequence[Path] = (),
    folder: str | Path | None = None,
    *,
    output: str | Path | None = None,
    copy_keys: bool = True,
    take_clip: bool = False,
    files: Mapping[str, bytes] | None = None,
    **settings: Any,
) -> ProjectFolder:
    """Create ``folder`` and open it as a project.

    folder: None: the clip's name with .kadr, in the current folder. keys: folders and files of
    painted keys, which are copied into the project. copy_keys: if False, they stay where they are
    and must be one folder. take_clip: the clip is a folder of images, which is moved into the
    project as ``frames``. output: the video; None: in ``out/`` of the project. files: name →
    content of more files to put into the project.
    settings: frames ("FIRST:LAST"), ranges ("FIRST:KEY:LAST" each), frame_rate, stylizer,
    stylizer_options, detail, and fields of PropagateOptions and RunOptions.
    Raises OutputError if the folder exists and is not empty or lies in a folder of images that it
    reads, InputError for the clip or a key,
    OptionsError for a setting; nothing is left behind then.
    """
    clip, keys = Path(clip), tuple(keys)
    root = Path(folder or clip_name(clip) + SUFFIX)
    _check_free(root)
    check_outputs_apart([f"{root}/"], [clip, *keys])
    project_settings = _settings(settings)
    options = _options(clip, keys, project_settings)
    with ClipSource.of(options).open() as opened:
        key_files = find_keys(keys, opened, options.key_offset) if keys else []
    with_numbers(options, project_settings.ranges, project_settings.frames)
    created = make_folder(root.absolute().parent)
    temporary = None
    try:
        temporary = Path(tempfile.mkdtemp(prefix=".kadr-", dir=root.absolute().parent))
        run_settings = project_settings.run or {}
        project_settings = replace(
            project_settings,
            clip=_TAKEN if take_clip else relative_path(clip, root),
            sha256=clip_identity(clip, temporary / "work"),
            size=clip_size(clip),
            output=_output(clip, root, output),
            keys="keys" if copy_keys else relative_path(keys[0], root),
            run={name: _relative_to(name, value, root) for name, value in run_settings.items()},
        )
        _fill(temporary, key_files if copy_keys else (), files or {})
        if take_clip:
            shutil.move(clip, temporary / _TAKEN)
        text = project_text(project_settings)
        read_settings(root / FILE, text)
        write_text(temporary / FILE, text)
        if root.is_dir():
            root.rmdir()  # it is empty; some systems do not replace a folder by another
        publish(temporary, root)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"{root}: cannot be created ({error.strerror})") from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
        remove_empty(created)
    return open_project(root)


def _fill(folder: Path, keys: Sequence[KeyFile], files: Mapping[str, bytes]) -> None:
    """Put copies of the keys and other files into a new project."""
    (folder / "keys").mkdir()
    adopt_folder(folder / "work")
    for key in keys:
        shutil.copyfile(key.path, folder / "keys" / key.path.name)
    for name, data in files.items():
        (folder / name).write_bytes(data)


def clip_name(clip: Path) -> str:
    """The name of a clip: ``shot`` of ``shot.mp4``, ``frames`` of ``frames/f_%05d.png``."""
    path = local_copy(clip).absolute()
    if path.is_dir():
        return path.name
    return path.stem if path.is_file() else path.parent.name


def _check_free(root: Path) -> None:
    if (root / FILE).exists():
        raise OutputError(f"{root}: is a project already; open it, or choose another name with -o")
    if root.is_dir() and not any(root.iterdir()):
        return
    if root.exists() or root.is_symlink():
        raise OutputError(f"{root}: exists already; choose another name with -o")


def _settings(settings: Mapping[str, Any]) -> Settings:
    """Settings by name as Settings; Nones are left out. Raises OptionsError for unknown names."""
    values = {name: value for name, value in settings.items() if value is not None}
    names = sorted(_PROJECT_SETTINGS | _RUN_SETTINGS | _PICTURE_SETTINGS)
    for name in values:
        if name not in names:
            raise OptionsError(f"setting {describe_unknown(name, names)}")
    project = {name: value for name, value in values.items() if name in _PROJECT_SETTINGS}
    if "frame_rate" in project:
        project["frame_rate"] = float(parse_rate(str(project["frame_rate"]), "frame-rate"))
    project["ranges"] = tuple(project.get("ranges", ()))
    return Settings(
        clip="",
        picture={name: value for name, value in values.items() if name in _PICTURE_SETTINGS},
        run={name: value for name, value in values.items() if name in _RUN_SETTINGS},
        **project,
    )


def _options(clip: Path, keys: tuple[Path, ...], settings: Settings) -> RunOptions:
    """The settings as options of a run, which checks them; keys may still have to be painted."""
    painted = settings.stylizer == "external"
    if settings.frame_rate is not None and local_copy(clip).is_file():
        raise OptionsError(
            f"frame-rate {settings.frame_rate:.6g}: is for image sequences; "
            f"{clip} has a rate of its own"
        )
    for name in () if painted else fields_that_need(RunOptions, PAINTED_KEYS):
        if (settings.run or {}).get(name):
            raise OptionsError(
                f"{name.replace('_', '-')}: is for painted keys; {settings.stylizer} makes its own"
            )
    if not painted:
        create_stylizer(settings.stylizer, **(settings.stylizer_options or {}))
    elif settings.stylizer_options:
        name = next(iter(settings.stylizer_options))
        raise OptionsError(f"stylizer-option {name}: is for a stylizer that makes keys")
    return RunOptions(
        clip=clip,
        output="out",
        keys=keys or ((Path("keys"),) if painted else ()),
        stylizer=settings.stylizer,
        frame_rate=settings.frame_rate,
        propagate=settings.propagate(),
        **(settings.run or {}),
    )


def _relative_to(name: str, value: Any, root: Path) -> Any:
    if name == "background" and (path := parse_background(value).path) is not None:
        return relative_path(path, root)
    if isinstance(value, dict):
        return {key: _relative_to(name, item, root) for key, item in value.items()}
    return Path(relative_path(value, root)) if isinstance(value, Path) else value


def _output(clip: Path, root: Path, output: str | Path | None) -> str:
    if output is None:
        return f"out/{clip_name(clip)}.mp4"
    path = relative_path(Path(output), root)
    return f"{path.rstrip('/')}/" if str(output).endswith(("/", "\\")) else path
