"""Edits: keys, ranges, options, takes, undo. Each needs the revision that the page has."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from kadr.studio.start_routes import studio_of
from kadr.studio.uploads import received_file

router = APIRouter()

_KEY_LIMIT = 200_000_000
"""Bytes of an uploaded key."""


class Edit(BaseModel):
    """Which state of the project the page has, and which page it is."""

    revision: int
    author: str | None = Field(default=None, max_length=80)


class ExportBody(Edit):
    """Which picture of a frame to export."""

    source: Literal["input", "styled"] = "input"


class RangeBody(Edit):
    """Indices of the first and the last frame that a key styles; None: as far as its neighbours."""

    first: int | None = None
    last: int | None = None


class OptionsBody(Edit):
    """ "section.entry" → value; None removes it."""

    values: dict[str, Any]


class LayerBody(Edit):
    """The name of a layer, and "show" or "section.entry" → value; None removes it."""

    name: str
    values: dict[str, Any]


class OrderBody(Edit):
    """The names of all layers, from the bottom up."""

    names: list[str]


class TakeBody(Edit):
    """The name of a take."""

    name: str


async def _edit(request: Request, body: Edit, call: str, **arguments: Any) -> dict[str, Any]:
    studio = studio_of(request)
    result = await studio.project.edit(call, arguments, body.revision, body.author)
    facts = result if isinstance(result, dict) else {}
    return {"revision": studio.state.revision, **facts}


@router.post("/api/keys/{index}")
async def export_key(
    request: Request, index: int, body: ExportBody, layer: str | None = None
) -> dict[str, Any]:
    """Export a frame to be painted."""
    return await _edit(request, body, "export_key", index=index, source=body.source, layer=layer)


@router.put("/api/keys/{index}/image")
async def put_key(
    request: Request,
    index: int,
    revision: int,
    author: str | None = None,
    name: str = "key.png",
    layer: str | None = None,
) -> dict[str, Any]:
    """Take a painted picture as the key of a frame."""
    session = studio_of(request).project
    session.check_writable()
    body = Edit(revision=revision, author=author)
    async with received_file(request, session.root / "studio", _KEY_LIMIT) as file:
        return await _edit(
            request, body, "put_key", index=index, file=str(file), name=name, layer=layer
        )


@router.delete("/api/keys/{index}")
async def remove_key(
    request: Request, index: int, body: Edit, layer: str | None = None
) -> dict[str, Any]:
    """Remove a key."""
    return await _edit(request, body, "remove_key", index=index, layer=layer)


@router.put("/api/keys/{index}/range")
async def set_range(request: Request, index: int, body: RangeBody) -> dict[str, Any]:
    """Set the frames that a key styles."""
    return await _edit(request, body, "set_range", index=index, first=body.first, last=body.last)


@router.patch("/api/options")
async def set_options(request: Request, body: OptionsBody) -> dict[str, Any]:
    """Set entries of the project file."""
    return await _edit(request, body, "set_options", values=body.values)


@router.patch("/api/layers")
async def set_layer(request: Request, body: LayerBody) -> dict[str, Any]:
    """Set entries of a layer."""
    return await _edit(request, body, "set_layer", name=body.name, values=body.values)


@router.put("/api/layers/order")
async def set_layer_order(request: Request, body: OrderBody) -> dict[str, Any]:
    """Set the order of layers."""
    return await _edit(request, body, "set_layer_order", names=body.names)


@router.post("/api/undo")
async def undo(request: Request, body: Edit) -> dict[str, Any]:
    """Undo the last edit."""
    return await _edit(request, body, "undo")


@router.post("/api/redo")
async def redo(request: Request, body: Edit) -> dict[str, Any]:
    """Do the last undone edit again."""
    return await _edit(request, body, "redo")


@router.post("/api/takes")
async def add_take(request: Request, body: TakeBody) -> dict[str, Any]:
    """Keep the present settings."""
    return await _edit(request, body, "add_take", name=body.name)


@router.put("/api/takes/{number}")
async def use_take(request: Request, number: int, body: Edit) -> dict[str, Any]:
    """Make the settings of a take current."""
    return await _edit(request, body, "use_take", id=number)


@router.delete("/api/takes/{number}")
async def delete_take(request: Request, number: int, body: Edit) -> dict[str, Any]:
    """Delete a take."""
    return await _edit(request, body, "delete_take", id=number)
