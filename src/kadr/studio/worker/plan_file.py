"""The plan that the page shows: kept in the work folder, by the content of the clip."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kadr.files import read_json_object, write_json_object
from kadr.studio.worker.clip_facts import pictures_folder
from kadr.studio.worker.open_folder import OpenFolder


def _file(folder: OpenFolder) -> Path:
    layer = folder.view.layer
    return pictures_folder(folder.root) / (f"plan-{layer}.json" if layer else "plan.json")


def read_plan(folder: OpenFolder) -> dict[str, Any] | None:
    """The last plan of these frames of this clip, or None."""
    content = read_json_object(_file(folder))
    frames = folder.frames
    fits = content.get("clip") == folder.clip.version
    fits = fits and content.get("frames") == [frames.start, frames.stop]
    return content if fits else None


def write_plan(folder: OpenFolder, plan: dict[str, Any]) -> None:
    """Keep a plan: ``keys``, ``present``, ``coverage``, ``cuts`` and ``next``."""
    frames = folder.frames
    facts = {"clip": folder.clip.version, "frames": [frames.start, frames.stop]}
    write_json_object(_file(folder), facts | plan)
