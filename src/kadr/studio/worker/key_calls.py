"""Keys: export a frame to be painted, take a painted file, remove a key."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from kadr.errors import InputError, KadrError, OutputError
from kadr.files import atomic_file, file_digest, make_folder
from kadr.image_files import IMAGE_SUFFIXES, WRITABLE_SUFFIXES
from kadr.storage.frame_folder import FrameFolder
from kadr.studio.error_facts import error_facts
from kadr.studio.worker.call import Call
from kadr.studio.worker.clip_facts import clip_source
from kadr.studio.worker.journal import Journal, studio_folder
from kadr.studio.worker.key_list import TO_PAINT, key_images, list_keys, replace_offset
from kadr.studio.worker.open_folder import OpenFolder, open_folder
from kadr.stylize.external import KeyFile, find_keys, load_key
from kadr.video.clips import create_clip


def export_key(call: Call) -> dict[str, str]:
    """Save a frame as PNG in the folder of frames to paint.

    source: "input", the filmed frame, or "styled", the finished one, to paint over it. Raises
    OutputError if it was exported before and painted since.
    """
    folder, index = open_folder(call), call["index"]
    _check_index(folder, index)
    path = folder.paint / f"{folder.clip.name(index)}.png"
    digests = _read_digests(folder)
    is_unpainted = path.is_file() and digests.get(path.name) == file_digest(path)
    if path.is_file() and not is_unpainted:
        raise OutputError(f"{path}: was painted; take it as a key, or move it elsewhere")
    make_folder(folder.paint)
    with Journal(folder.root).edit(f"export frame {folder.clip.number(index)}", path):
        if call.get("source") == "styled":
            frames = FrameFolder(folder.project.frames, folder.clip.name)
            source = frames.path(index)
            if not source.is_file():
                raise InputError(f"{source}: is not made yet; run or preview it first")
            with atomic_file(path) as temporary:
                shutil.copyfile(source, temporary)
        else:
            with clip_source(folder.project, folder.located).open() as clip:
                target = f"{folder.paint}/"
                writer = create_clip(target, like=clip, overwrite=True, indices=[index])
                with writer:
                    writer.write(clip.frame(index))
        digests[path.name] = file_digest(path)
        _write_digests(folder, digests)
    return {"path": str(path.absolute())}


def put_key(call: Call) -> None:
    """Make a painted picture the key of a frame, in the place of an older one.

    file: where it is; it is left there. name: as people know it, whose suffix counts. Raises
    InputError, in terms of this name, if kadr cannot use it.
    """
    folder, index = open_folder(call), call["index"]
    _check_index(folder, index)
    name, file = Path(str(call["name"])).name, Path(call["file"])
    suffix = Path(name).suffix.lower()
    if suffix not in IMAGE_SUFFIXES:
        types = " ".join(sorted(WRITABLE_SUFFIXES))
        raise InputError(f"{name}: is no image; expected one of {types}")
    size = folder.clip.width, folder.clip.height
    try:
        load_key(KeyFile(index, file), size, fit=folder.fit_keys, turn=folder.key_turn)
    except KadrError as error:
        raise InputError(str(error).replace(str(file), name)) from error
    _store_key(folder, index, file, suffix)


def _store_key(folder: OpenFolder, index: int, file: Path, suffix: str) -> None:
    keys, number = folder.view.keys, folder.clip.number(index)
    stem = folder.clip.name(index)
    if folder.key_offset:
        stem = f"frame_{number - folder.key_offset:05d}"
    path = keys / f"{stem}{suffix}"
    old_files = [key.path for key in _files_of(folder, index) if key.path != path]
    make_folder(keys)
    with Journal(folder.root).edit(f"key {number}", path, *old_files):
        for old in old_files:
            old.unlink()
        with atomic_file(path) as temporary:
            shutil.copyfile(file, temporary)


def _files_of(folder: OpenFolder, index: int) -> list[KeyFile]:
    """The files of a frame's key, whatever is wrong with the other keys."""
    files = []
    for path in key_images(folder.view.keys):
        try:
            files += find_keys([path], folder.clip, folder.key_offset)
        except KadrError:
            continue
    return [key for key in files if key.index == index]


def remove_key(call: Call) -> None:
    """Remove the key of a frame: its painted file, or the frame that was exported to be painted."""
    folder, index = open_folder(call), call["index"]
    _check_index(folder, index)
    paths = [key.path for key in _files_of(folder, index)]
    entries, _ = list_keys(replace_offset(folder), None)
    paths += [entry.path for entry in entries if _is_export(entry, index) and entry.path]
    export = folder.paint / f"{folder.clip.name(index)}.png"
    if paths and export.is_file() and export not in paths:
        paths.append(export)
    if not paths:
        raise InputError(f"key {folder.clip.number(index)}: there is no file of it to remove")
    ranges = folder.project.toml
    with Journal(folder.root).edit(f"remove key {folder.clip.number(index)}", *paths, ranges):
        for path in paths:
            path.unlink()
        _remove_range(folder, index)


def _is_export(entry: Any, index: int) -> bool:
    return bool(entry.index == index and entry.state == TO_PAINT)


def _remove_range(folder: OpenFolder, index: int) -> None:
    """A range without its key is an error of the project: it goes with the key."""
    from kadr.core.parsing import parse_span

    texts = folder.project.settings.ranges
    kept = [text for text in texts if parse_span(text, folder.clip).key != index]
    if not folder.view.layer and len(kept) < len(texts):
        folder.project.edit("keys", {"ranges": kept or None})


def import_painted(call: Call) -> dict[str, Any]:
    """Make keys of exported frames that somebody painted on and saved.

    Returns ``keys``, the indices of new keys, and ``errors`` by file name.
    """
    folder = open_folder(call)
    digests, keys, errors = _read_digests(folder), [], {}
    for path in key_images(folder.paint):
        digest = file_digest(path)
        if digests.get(path.name) == digest:
            continue
        if path.name not in digests:  # made by kadr plan, or put there: not painted on yet
            digests[path.name] = digest
            continue
        try:
            index = find_keys([path], folder.clip)[0].index
            load_key(KeyFile(index, path), _size(folder), fit=folder.fit_keys, turn=folder.key_turn)
        except KadrError as error:
            errors[path.name] = error_facts(error)
            continue
        _store_key(folder, index, path, path.suffix.lower())
        digests[path.name] = digest
        keys.append(index)
    _write_digests(folder, digests)
    return {"keys": keys, "errors": errors}


def store_image(folder: OpenFolder, index: int, image: Any) -> None:
    """Make a picture in memory, (H, W, 3 or 4) uint8, the key of a frame."""
    from kadr.image_files import write_image

    with tempfile.TemporaryDirectory(prefix="kadr-studio-") as name:
        file = Path(name) / "key.png"
        write_image(file, image)
        _store_key(folder, index, file, ".png")


def _size(folder: OpenFolder) -> tuple[int, int]:
    return folder.clip.width, folder.clip.height


def _check_index(folder: OpenFolder, index: int) -> None:
    if not 0 <= index < len(folder.clip):
        raise InputError(f"frame {index}: the clip has {len(folder.clip)} frames")
    if folder.view.settings.stylizer != "external":
        raise InputError(
            f"{folder.root}: its keys are made by {folder.view.settings.stylizer}; choose painted "
            "keys (external) to use files"
        )


def _digests_file(folder: OpenFolder) -> Path:
    return studio_folder(folder.root) / "exported.json"


def _read_digests(folder: OpenFolder) -> dict[str, str]:
    """File name → digest of the frames to paint, as they were exported or taken last."""
    try:
        content = json.loads(_digests_file(folder).read_text(encoding="utf-8"))
        return {str(name): str(digest) for name, digest in content[folder.view.layer].items()}
    except (OSError, ValueError, KeyError, AttributeError):
        return {}


def _write_digests(folder: OpenFolder, digests: dict[str, str]) -> None:
    file = _digests_file(folder)
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = {}
    if content.get(folder.view.layer) == digests:
        return
    content[folder.view.layer] = digests
    with atomic_file(file) as temporary:
        temporary.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
