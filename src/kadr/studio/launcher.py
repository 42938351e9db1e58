"""A file to double-click that starts the studio, for the system at hand."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import platformdirs

from kadr.errors import OutputError
from kadr.files import atomic_file

_MARK = "made by kadr studio --install-launcher"


def install_launcher(folder: Path | None = None, system: str = sys.platform) -> list[Path]:
    """Write the launcher; returns its files, the one to double-click first.

    folder: None: the desktop, and on Linux the menu of programs too. system: as ``sys.platform``.
    A file of the same name that kadr did not write is not replaced: raises OutputError.
    """
    name, text = _launcher(system)
    folders = [folder] if folder is not None else _folders(system)
    paths = [place / name for place in folders]
    for path in paths:
        if path.exists() and _MARK not in path.read_text(encoding="utf-8", errors="replace"):
            raise OutputError(f"{path}: exists, and kadr did not write it; move it elsewhere")
    for path in paths:
        with atomic_file(path) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="")
        path.chmod(0o755)
    return paths


def _folders(system: str) -> list[Path]:
    desktop = platformdirs.user_desktop_path()
    folders = [desktop] if desktop.is_dir() else []
    if system.startswith("linux"):
        folders.append(platformdirs.user_data_path() / "applications")
    elif not folders:
        folders.append(Path.home())
    return folders


def _launcher(system: str) -> tuple[str, str]:
    """The name and the text of the file."""
    words = [sys.executable, "-m", "kadr", "studio"]
    if system == "win32":
        command = " ".join(f'"{word}"' for word in words)
        return (
            "kadr studio.bat",
            f"@echo off\r\nrem {_MARK}\r\n{command}\r\nif errorlevel 1 pause\r\n",
        )
    if system == "darwin":
        return "kadr studio.command", f"#!/bin/sh\n# {_MARK}\nexec {shlex.join(words)}\n"
    command = " ".join(f'"{_escaped(word)}"' for word in words)
    lines = [
        "[Desktop Entry]",
        f"# {_MARK}",
        "Type=Application",
        "Name=kadr studio",
        "Comment=Restyle a video from a few painted frames",
        f"Exec={command}",
        f"Path={_escaped(os.path.expanduser('~'))}",  # noqa: PTH111 - text
        "Terminal=true",
        "Categories=AudioVideo;Video;Graphics;",
    ]
    return "kadr-studio.desktop", "\n".join(lines) + "\n"


def _escaped(word: str) -> str:
    """A word in quotes of a desktop entry."""
    for character in '\\"`$':
        word = word.replace(character, f"\\{character}")
    return word.replace("%", "%%")
