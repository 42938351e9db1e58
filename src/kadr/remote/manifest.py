"""What an upload consists of, as a JSON file that is written last: then the upload is complete."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from kadr.files import file_digest

MANIFEST = "manifest.json"
"""In a folder of images; of a video it follows the name, ``film.mp4.manifest.json``."""

UNFINISHED = ".kadr-unfinished"
"""In a folder of images while it is uploaded: a folder that holds it is not complete."""

_FORMAT = 1


def manifest_text(files: Iterable[Path]) -> str:
    """The manifest of finished files on this machine: name, size in bytes and SHA-256 of each."""
    entries = [
        {"name": file.name, "bytes": file.stat().st_size, "sha256": file_digest(file)}
        for file in files
    ]
    return json.dumps({"kadr-manifest": _FORMAT, "files": entries}, indent=1) + "\n"
