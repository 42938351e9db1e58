"""Pictures and downloads. Addresses hold numbers only; what they stand for lies in the project."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response

from kadr.studio.pictures import SHEET_FRAMES, PictureStore
from kadr.studio.refusals import CONFLICT, MISSING, Refusal
from kadr.studio.start_routes import studio_of

router = APIRouter()

_FOR_EVER = {"Cache-Control": "private, max-age=31536000, immutable"}
_REPORT = {
    "Content-Security-Policy": "sandbox allow-scripts; default-src 'none'; img-src data:; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'; frame-ancestors 'none'",
    "Cache-Control": "no-cache",
}


def _pictures(request: Request, index: int) -> PictureStore:
    """The pictures of the open project, which has the frame. Raises Refusal."""
    studio = studio_of(request)
    store, clip = studio.project.pictures, studio.state.parts["clip"]
    if store is None or clip is None:
        raise Refusal(CONFLICT, "the clip is not read yet, or cannot be used")
    if not 0 <= index < clip["count"]:
        raise Refusal(MISSING, f"frame {index}: the clip has {clip['count']} frames")
    return store


def _jpeg(path: Path) -> Response:
    return FileResponse(path, media_type="image/jpeg", headers=_FOR_EVER)


@router.get("/api/frames/{index}/input.jpg")
async def input_picture(request: Request, index: int, full: bool = False) -> Response:
    """A filmed frame."""
    return _jpeg(await _pictures(request, index).input(index, full=full))


@router.get("/api/frames/{index}/styled.jpg")
async def styled_picture(request: Request, index: int, full: bool = False) -> Response:
    """A finished frame."""
    store, files = _pictures(request, index), studio_of(request).project.frame_files
    stored = None if files is None else files.finished(index)
    if stored is None:
        raise Refusal(MISSING, f"frame {index}: is not made yet")
    version, file = stored
    return _jpeg(await store.of_file("styled", index, version, file, full=full))


@router.get("/api/frames/{index}/preview.jpg")
async def preview_picture(request: Request, index: int, full: bool = False) -> Response:
    """The preview of a frame."""
    store, files = _pictures(request, index), studio_of(request).project.frame_files
    stored = None if files is None else files.preview(index)
    if stored is None:
        raise Refusal(MISSING, f"frame {index}: has no preview")
    version, file = stored
    return _jpeg(await store.of_file("preview", index, version, file, full=full))


@router.get("/api/keys/{index}/image.jpg")
async def key_picture(
    request: Request, index: int, full: bool = False, layer: str | None = None
) -> Response:
    """A key; one that a stylizer made is the finished frame."""
    store, session = _pictures(request, index), studio_of(request).project
    key = session.key(index, layer)
    if key["path"] is None:
        return await styled_picture(request, index, full)
    path = _inside(session.root, Path(key["path"]))
    return _jpeg(await store.of_file("keys", index, key["version"], path, full=full))


@router.get("/api/takes/{number}/frames/{index}.jpg")
async def take_picture(request: Request, number: int, index: int) -> Response:
    """A finished frame as the settings of a take made it."""
    studio = studio_of(request)
    takes, kept = studio.state.parts["takes"], studio.project.takes
    key = next((take["key"] for take in takes if take["id"] == number), "")
    path = None if kept is None else kept.path(key, index)
    if path is None:
        raise Refusal(MISSING, f"take {number}: has no picture of frame {index}")
    return _jpeg(path)


@router.get("/api/sheets/{number}.jpg")
async def sheet(request: Request, number: int) -> Response:
    """Thumbnails of a hundred frames."""
    return _jpeg(await _pictures(request, number * SHEET_FRAMES).sheet(number))


@router.get("/api/keys/{index}/file")
async def key_file(request: Request, index: int, layer: str | None = None) -> Response:
    """The file of a key, to be painted elsewhere."""
    session = studio_of(request).project
    key = session.key(index, layer)
    if key["path"] is None:
        raise Refusal(MISSING, f"key {index}: has no file")
    return _download(_inside(session.root, Path(key["path"])))


@router.get("/api/output")
async def output(request: Request) -> Response:
    """The film."""
    studio = studio_of(request)
    path = Path(studio.project_facts.get("output", ""))
    return _download(_inside(studio.project.root, path))


@router.get("/api/exports/{number}")
async def exported(request: Request, number: int) -> Response:
    """The file that an export job wrote."""
    runner = studio_of(request).project.runner
    job = runner.find(number)
    name = Path(str((job.result or {}).get("file", ""))).name if job.kind == "export" else ""
    if not name:
        raise Refusal(MISSING, f"job {number}: exported nothing")
    return _download(_inside(studio_of(request).project.root, runner.export_folder / name))


@router.get("/api/report")
async def report(request: Request) -> Response:
    """The report of the last run: a page of its own, without access to this one."""
    root = studio_of(request).project.root
    path = _inside(root, root / "out" / "report.html")
    return FileResponse(path, media_type="text/html; charset=utf-8", headers=_REPORT)


def _download(path: Path) -> Response:
    headers = {"Cache-Control": "no-cache"}
    return FileResponse(path, filename=path.name, headers=headers)


def _inside(root: Path, path: Path) -> Path:
    """A regular file of the project. Raises Refusal for links, and for what lies elsewhere."""
    try:
        inside = path.resolve(strict=True).is_relative_to(root.resolve(strict=True))
    except OSError as error:
        raise Refusal(MISSING, f"{path.name}: is not there") from error
    if not inside or path.is_symlink() or not path.is_file():
        raise Refusal(MISSING, f"{path}: is no file of the project; open it there")
    return path
