"""Takes: the settings of a project, kept under names."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

from kadr.errors import InputError, OptionsError
from kadr.files import atomic_file
from kadr.project.folder import ProjectFolder
from kadr.project.settings import read_settings
from kadr.studio.worker.journal import studio_folder

_MOST_CHARACTERS = 60


def _file(root: Path) -> Path:
    return studio_folder(root) / "takes.json"


def read_takes(root: Path) -> list[dict[str, Any]]:
    """The takes of a project, oldest first: ``id``, ``name`` and ``text`` of its file."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        takes = json.loads(_file(root).read_text(encoding="utf-8"))["takes"]
        return [
            {"id": int(take["id"]), "name": str(take["name"]), "text": str(take["text"])}
            for take in takes
        ]
    return []


def list_takes(project: ProjectFolder) -> list[dict[str, Any]]:
    """``id`` and ``name`` of each take, and whether the settings are as it holds them.

    key: of its pictures: the id and a hash of its settings.
    """
    return [
        {
            "id": take["id"],
            "name": take["name"],
            "current": take["text"] == project.text,
            "key": f"{take['id']}-{hashlib.sha256(take['text'].encode()).hexdigest()[:12]}",
        }
        for take in read_takes(project.root)
    ]


def write_takes(root: Path, takes: list[dict[str, Any]]) -> None:
    """Keep the takes. Raises OutputError."""
    with atomic_file(_file(root)) as temporary:
        temporary.write_text(json.dumps({"takes": takes}, ensure_ascii=False), encoding="utf-8")


def keep_take(project: ProjectFolder, name: str) -> int:
    """Keep the present settings as ``name``, in the place of a take of this name."""
    name = " ".join(name.split())
    if not 0 < len(name) <= _MOST_CHARACTERS:
        raise OptionsError(f"take {name!r}: expected a name of 1 to {_MOST_CHARACTERS} characters")
    takes = read_takes(project.root)
    number = next(
        (take["id"] for take in takes if take["name"] == name),
        1 + max((take["id"] for take in takes), default=0),
    )
    others = [take for take in takes if take["id"] != number]
    write_takes(project.root, [*others, {"id": number, "name": name, "text": project.text}])
    return int(number)


def take_text(project: ProjectFolder, number: int) -> str:
    """The text of a take, checked. Raises InputError if there is none, OptionsError."""
    for take in read_takes(project.root):
        if take["id"] == number:
            text = str(take["text"])
            settings = read_settings(project.toml, text)
            if settings.sha256 != project.settings.sha256:
                raise OptionsError(f"take {take['name']!r}: is of another clip")
            return text
    raise InputError(f"take {number}: there is no such take")
