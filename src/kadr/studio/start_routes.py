"""Snapshot and events; open, upload and close a project; the sample."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, Request, WebSocket
from pydantic import BaseModel
from starlette.websockets import WebSocketDisconnect

from kadr.studio.events import merge_events
from kadr.studio.refusals import CONFLICT, MALFORMED, MISSING, Refusal
from kadr.studio.studio import UPLOAD_LIMIT, VIDEO_SUFFIXES, Studio
from kadr.studio.uploads import received_file

router = APIRouter()

_BATCH_SECONDS, _LIFE_SECONDS = 0.1, 10.0
"""Between two messages of changes; after which a message without changes is sent."""


class OpenBody(BaseModel):
    """What to open."""

    path: str


class RevealBody(BaseModel):
    """Which folder to show; layer: whose keys."""

    what: Literal["project", "keys", "paint", "output"]
    layer: str | None = None


def studio_of(request: Request | WebSocket) -> Studio:
    """The studio that a request is for."""
    studio: Studio = request.app.state.studio
    return studio


@router.get("/api/snapshot")
async def snapshot(request: Request) -> dict[str, Any]:
    """All that the page shows."""
    return studio_of(request).state.snapshot()


@router.websocket("/api/events")
async def events(socket: WebSocket, boot: str = "", after: int = 0) -> None:
    """Send changes until the page goes away, or has to take a new snapshot."""
    state = studio_of(socket).state
    await socket.accept()
    log = state.log
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        gone = asyncio.create_task(_wait_until_gone(socket))
        try:
            sent, last_sent = after, time.monotonic()
            while not gone.done():
                changes = None if boot != log.boot or log is not state.log else log.since(sent)
                if changes is None:
                    await socket.send_json({"boot": state.log.boot, "reset": True})
                    await socket.close()
                    return
                if changes or time.monotonic() - last_sent >= _LIFE_SECONDS:
                    await socket.send_json({"boot": boot, "events": merge_events(changes)})
                    sent, last_sent = log.number, time.monotonic()
                    await asyncio.sleep(_BATCH_SECONDS)
                await log.wait(sent, 1.0)
        finally:
            gone.cancel()


async def _wait_until_gone(socket: WebSocket) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while True:
            await socket.receive_text()


@router.post("/api/open")
async def open_path(request: Request, body: OpenBody) -> dict[str, str]:
    """Open a project, or a clip."""
    if "\0" in body.path or not body.path.strip():
        raise Refusal(MALFORMED, "path: expected the path of a project or a clip")
    return {"path": str(await studio_of(request).open(body.path))}


@router.put("/api/uploads")
async def upload(request: Request, name: str) -> dict[str, str]:
    """Take a clip, make a project of it, and open that."""
    studio = studio_of(request)
    plain = Path(name.replace("\\", "/")).name
    if Path(plain).suffix.lower() not in VIDEO_SUFFIXES or plain.startswith("."):
        types = " ".join(VIDEO_SUFFIXES)
        raise Refusal(MALFORMED, f"{plain}: is no video; expected one of {types}")
    async with received_file(request, studio.projects_folder, UPLOAD_LIMIT) as file:
        return {"path": str(await studio.take_upload(file, plain))}


@router.post("/api/sample")
async def sample(request: Request) -> dict[str, str]:
    """Open the sample."""
    return {"path": str(await studio_of(request).open_sample())}


@router.post("/api/close")
async def close(request: Request) -> dict[str, Any]:
    """Back to the start page."""
    await studio_of(request).close_project()
    return {}


@router.post("/api/reveal")
async def reveal(request: Request, body: RevealBody) -> dict[str, Any]:
    """Show a folder of the project in the file manager of this machine."""
    studio = studio_of(request)
    if not studio.is_local:
        raise Refusal(CONFLICT, "the studio runs on another machine; its folders are there")
    facts = studio.project_facts
    paths = {
        "project": facts["path"],
        "keys": facts.get("keys_path"),
        "paint": facts.get("paint_path"),
        "output": str(Path(facts.get("output", "")).parent),
    }
    for layer in studio.state.parts["layers"]:
        if layer["name"] == body.layer:
            paths["keys"] = layer["keys_path"]
    folder = Path(paths[body.what] or facts["path"])
    if not folder.is_dir():
        raise Refusal(MISSING, f"{folder}: is not there yet")
    await asyncio.to_thread(_show_folder, folder)
    return {}


def _show_folder(folder: Path) -> None:
    if os.name == "nt":
        os.startfile(folder)  # type: ignore[attr-defined]
        return
    program = "open" if sys.platform == "darwin" else "xdg-open"
    try:
        subprocess.Popen(
            [program, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise Refusal(MISSING, f"{program}: is not installed; open {folder} yourself") from error
