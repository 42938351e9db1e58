"""The body of a request in, a file out: streamed, with a length that was told and is bounded."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from starlette.requests import ClientDisconnect, Request

from kadr.errors import OutputError
from kadr.files import write_error
from kadr.studio.refusals import FULL, MALFORMED, NO_LENGTH, TOO_LARGE, Refusal

_CHUNK = 1 << 20
_SPARE = 64 << 20
"""Bytes that stay free on the disk."""


@contextlib.asynccontextmanager
async def received_file(request: Request, folder: Path, limit: int) -> AsyncIterator[Path]:
    """Write the body into a new file in ``folder``, which is deleted unless it is moved away.

    Raises Refusal without a length, with one above ``limit`` bytes or more than the disk has free,
    and for a body of another length.
    """
    length = _length(request, limit)
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(folder).free < length + _SPARE:
        raise Refusal(FULL, f"{folder}: no room for {length} bytes; free some space and try again")
    handle, name = tempfile.mkstemp(prefix=".kadr-", suffix=".upload", dir=folder)
    path = Path(name)
    try:
        with open(handle, "wb", buffering=0) as file:  # noqa: PTH123 - a handle
            await _receive(request, file, length)
        yield path
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise write_error(folder, error) from error
    finally:
        path.unlink(missing_ok=True)


def _length(request: Request, limit: int) -> int:
    text = request.headers.get("content-length")
    if text is None or not text.isdecimal() or len(text) > 18:
        raise Refusal(NO_LENGTH, "the upload has no Content-Length")
    length = int(text)
    if length > limit:
        raise Refusal(TOO_LARGE, f"{length} bytes; at most {limit} are taken")
    if length == 0:
        raise Refusal(MALFORMED, "the upload is empty")
    return length


async def _receive(request: Request, file: BinaryIO, length: int) -> None:
    buffer, received = bytearray(), 0
    try:
        async for chunk in request.stream():
            received += len(chunk)
            if received > length:
                raise Refusal(MALFORMED, "the upload is longer than its Content-Length")
            buffer += chunk
            if len(buffer) >= _CHUNK:
                await asyncio.to_thread(file.write, bytes(buffer))
                buffer.clear()
    except ClientDisconnect as error:
        raise Refusal(MALFORMED, "the upload was interrupted; send it again") from error
    await asyncio.to_thread(file.write, bytes(buffer))
    if received != length:
        raise Refusal(MALFORMED, f"{received} of {length} bytes came; send the file again")
