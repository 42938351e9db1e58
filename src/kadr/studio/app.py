"""The web application: its routes, its guard, and how errors are answered."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import AsyncIterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from kadr.errors import KadrError
from kadr.studio import edit_routes, job_routes, picture_routes, start_routes
from kadr.studio.guard import Access, Guard
from kadr.studio.lanes import CallError
from kadr.studio.refusals import MALFORMED, Refusal, status_of
from kadr.studio.studio import Studio

_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_SHARED = "shared"
_PLACE = "__STATIC__"
"""In the page, where the folder of its modules is to be written."""


def create_app(
    studio: Studio, access: Access, project: Path | None = None, *, sample: bool = False
) -> Any:
    """The application. project: opened when it starts; None: the start page, or the sample."""

    @contextlib.asynccontextmanager
    async def run(app: FastAPI) -> AsyncIterator[None]:
        try:
            await studio.begin(project, sample=sample)
            yield
        finally:
            await studio.end()

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, lifespan=run)
    app.state.studio = studio
    for module in (start_routes, edit_routes, job_routes, picture_routes):
        app.include_router(module.router)
    _add_pages(app, read_static())
    _add_errors(app)
    return Guard(app, access)


def read_static() -> dict[str, bytes]:
    """Name → content of every file of the page; those that the report has too are in shared/."""
    own = _files_of(files("kadr.studio") / "static", "")
    shared = _files_of(files("kadr.report") / _SHARED, f"{_SHARED}/")
    return dict(sorted((own | shared).items()))


def _files_of(folder: Traversable, prefix: str) -> dict[str, bytes]:
    if not folder.is_dir():
        return {}
    return {
        f"{prefix}{item.name}": item.read_bytes()
        for item in folder.iterdir()
        if item.is_file() and _suffix(item.name) in _TYPES
    }


def _suffix(name: str) -> str:
    return Path(name).suffix


def _add_pages(app: FastAPI, static: dict[str, bytes]) -> None:
    digest = hashlib.sha256(b"".join(static.values())).hexdigest()[:12]
    page = static.get("index.html", b"").decode().replace(_PLACE, f"/static/{digest}")

    @app.get("/")
    async def index() -> Response:
        return Response(page, media_type=_TYPES[".html"], headers={"Cache-Control": "no-cache"})

    @app.get("/static/{version}/{name:path}")
    async def file(version: str, name: str) -> Response:
        if version != digest or name not in static:
            raise HTTPException(404)
        return Response(static[name], media_type=_TYPES[_suffix(name)], headers=_FOR_EVER)


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(Refusal)
    async def refused(request: Request, error: Refusal) -> Response:
        return JSONResponse(error.body(), status_code=error.status)

    @app.exception_handler(CallError)
    async def failed(request: Request, error: CallError) -> Response:
        return JSONResponse({"error": error.facts}, status_code=status_of(error.facts))

    @app.exception_handler(KadrError)
    async def explained(request: Request, error: KadrError) -> Response:
        from kadr.studio.error_facts import error_facts

        facts = error_facts(error)
        return JSONResponse({"error": facts}, status_code=status_of(facts))

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][1:])
        return _error(MALFORMED, f"{place or 'request'}: {first['msg']}")

    @app.exception_handler(HTTPException)
    async def missing(request: Request, error: HTTPException) -> Response:
        return _error(error.status_code, f"{request.url.path}: {error.detail}")


def _error(status: int, message: str) -> Response:
    facts = {"kind": "Refused", "message": message, "remedy": None}
    return JSONResponse({"error": facts}, status_code=status)
