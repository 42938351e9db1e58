"""Jobs: start, stop, pause, reorder them, and keep a picture of a seed grid."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import FileResponse, JSONResponse, Response

from kadr.studio.edit_routes import Edit
from kadr.studio.refusals import CONFLICT, MISSING, REFUSED, Refusal
from kadr.studio.start_routes import studio_of

router = APIRouter()

_MOST_PREVIEWED = 60
"""Frames of a preview."""


class JobBody(BaseModel):
    """A job. What else it has depends on its kind."""

    kind: Literal["run", "preview", "plan", "stylize", "seeds", "export"]
    author: str | None = Field(default=None, max_length=80)
    first: int | None = None
    last: int | None = None
    budget: Annotated[int, Field(ge=1, le=10_000)] | None = None
    frames: list[int] | None = Field(default=None, max_length=10_000)
    frame: int | None = None
    stylizer: str | None = None
    options: dict[str, Any] | None = None
    seeds: list[int] | None = Field(default=None, max_length=64)
    axes: dict[str, list[Any]] | None = Field(default=None, max_length=3)
    format: str | None = None
    layer: str | None = None


class QueueBody(BaseModel):
    """Whether the queue waits."""

    paused: bool


class KeepBody(Edit):
    """Which picture of a seed grid becomes the key."""

    image: int


_NEEDED = {
    "run": (),
    "preview": ("first", "last"),
    "plan": (),
    "stylize": ("frames", "stylizer"),
    "seeds": ("frame", "stylizer"),
    "export": ("format",),
}
_TAKEN = {
    **_NEEDED,
    "plan": ("budget", "layer"),
    "stylize": ("frames", "stylizer", "options", "layer"),
    "seeds": ("frame", "stylizer", "options", "seeds", "axes", "layer"),
}
"""Kind → members that its call needs, and those that it takes."""


@router.post("/api/jobs")
async def add_job(request: Request, body: JobBody) -> Response:
    """Queue a job."""
    session = studio_of(request).project
    session.check_writable()
    for name in _NEEDED[body.kind]:
        if getattr(body, name) is None:
            raise Refusal(REFUSED, f"{body.kind}: {name} is missing")
    values = {name: getattr(body, name) for name in _TAKEN[body.kind]}
    arguments = {name: value for name, value in values.items() if value is not None}
    clip = studio_of(request).state.parts["clip"]
    if clip is None:
        raise Refusal(CONFLICT, "the clip is not read yet, or cannot be used")
    indices = [arguments[name] for name in ("first", "last", "frame") if name in arguments] + list(
        arguments.get("frames", ())
    )
    for index in indices:
        if not 0 <= index < clip["count"]:
            raise Refusal(REFUSED, f"frame {index}: the clip has {clip['count']} frames")
    if body.kind == "preview" and not 0 <= arguments["last"] - arguments["first"] < _MOST_PREVIEWED:
        raise Refusal(REFUSED, f"preview: expected 1 to {_MOST_PREVIEWED} frames, first to last")
    job = session.runner.add(body.kind, arguments, body.author)
    return JSONResponse({"job": job.facts()}, status_code=201)


@router.delete("/api/jobs/{number}")
async def stop_job(request: Request, number: int) -> dict[str, Any]:
    """Stop a job, or forget one that ended."""
    studio_of(request).project.runner.stop(number)
    return {}


@router.delete("/api/jobs")
async def stop_jobs(request: Request) -> dict[str, Any]:
    """Stop all jobs."""
    studio_of(request).project.runner.stop_all()
    return {}


@router.post("/api/queue")
async def pause(request: Request, body: QueueBody) -> dict[str, Any]:
    """Pause the queue, or go on with it."""
    studio_of(request).project.runner.pause(body.paused)
    return {}


@router.post("/api/jobs/{number}/first")
async def put_first(request: Request, number: int) -> dict[str, Any]:
    """Move a job to the head of the queue."""
    studio_of(request).project.runner.put_first(number)
    return {}


@router.get("/api/jobs/{number}/images/{image}.jpg")
async def seed_image(request: Request, number: int, image: int) -> Response:
    """A picture of a seed grid."""
    path = _seed_file(request, number, image, ".jpg")
    return FileResponse(path, media_type="image/jpeg", headers={"Cache-Control": "no-cache"})


@router.post("/api/jobs/{number}/keep")
async def keep_image(request: Request, number: int, body: KeepBody) -> dict[str, Any]:
    """Make a picture of a seed grid the key of its frame."""
    studio = studio_of(request)
    path = _seed_file(request, number, body.image, ".png")
    job = studio.project.runner.find(number)
    arguments = {
        "index": job.arguments["frame"],
        "file": str(path),
        "name": path.name,
        "layer": job.arguments.get("layer"),
    }
    await studio.project.edit("put_key", arguments, body.revision, body.author)
    return {"revision": studio.state.revision}


def _seed_file(request: Request, number: int, image: int, suffix: str) -> Path:
    runner = studio_of(request).project.runner
    job = runner.find(number)
    count = (job.result or {}).get("images", 0) if job.kind == "seeds" else 0
    path = runner.seeds_folder(number) / f"{image}{suffix}"
    if not 0 <= image < count or not path.is_file():
        raise Refusal(MISSING, f"picture {image} of job {number}: there is none")
    return path
