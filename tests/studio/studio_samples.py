"""A small project in a real studio, and a client that speaks as its page does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from starlette.testclient import TestClient

from kadr import Frame, create_clip, new_project
from kadr.studio.app import create_app
from kadr.studio.guard import Access
from kadr.studio.studio import Studio

SIZE, COUNT = (64, 48), 8
PORT = 8765
HEADERS = {"X-Kadr": "1"}


def picture(index: int) -> np.ndarray:
    """(48, 64, 3) uint8: a square that moves over stripes."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    image = np.stack([x * 3, y * 4, (x + y) % 16 * 12], axis=2).astype(np.uint8)
    image[12:30, 6 + 4 * index : 22 + 4 * index] = (240, 200, 40)
    return image


def make_clip(path: Path, count: int = COUNT) -> Path:
    """A video of ``count`` frames."""
    with create_clip(path, like=None) as writer:
        for index in range(count):
            writer.write(Frame(index, picture(index % 10)))
    return path


def make_project(folder: Path, count: int = COUNT) -> Path:
    """A project without keys."""
    return new_project(make_clip(folder / "shot.mp4", count), (), folder / "shot.kadr").root


def png(image: np.ndarray) -> bytes:
    """A picture as the bytes of a PNG file."""
    return cv2.imencode(".png", image[..., ::-1])[1].tobytes()


class Page:
    """What the page does, without the page."""

    root = Path()
    """The project's folder, where a test knows it."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def snapshot(self) -> dict[str, Any]:
        """All that the page shows."""
        return self.client.get("/api/snapshot").json()

    def wait(
        self, condition: Callable[[dict[str, Any]], Any], seconds: float = 90
    ) -> dict[str, Any]:
        """The first snapshot that fulfils a condition."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            snapshot = self.snapshot()
            if condition(snapshot):
                return snapshot
            time.sleep(0.05)
        snapshot["options"] = None
        raise AssertionError(f"it did not come to that: {snapshot}")

    def edit(self, method: str, path: str, **body: Any) -> Any:
        """Send an edit with the present revision."""
        body = {"revision": self.snapshot()["revision"], "author": "tab-1", **body}
        return self.client.request(method, path, json=body)

    def put_key(self, index: int, data: bytes, name: str = "key.png") -> Any:
        """Drop a painted file onto a frame."""
        query = {"revision": self.snapshot()["revision"], "author": "tab-1", "name": name}
        return self.client.put(f"/api/keys/{index}/image", params=query, content=data)

    def do(self, kind: str, **arguments: Any) -> dict[str, Any]:
        """Do a job; returns it as it ended."""
        response = self.client.post("/api/jobs", json={"kind": kind, **arguments})
        assert response.status_code == 201, response.text
        number = response.json()["job"]["id"]

        def job(snapshot: dict[str, Any]) -> dict[str, Any]:
            return next(item for item in snapshot["jobs"] if item["id"] == number)

        return job(self.wait(lambda snapshot: job(snapshot)["ended"]))


@contextmanager
def open_page(folder: Path, project: Path | None, host: str = "127.0.0.1") -> Iterator[Page]:
    """A studio in this process, with child processes of its own."""
    access = Access.of(host, PORT)
    app = create_app(Studio("test", folder), access, project)
    base = f"http://{host}:{PORT}"
    with TestClient(app, base_url=base, headers=HEADERS) as client:
        page = Page(client)
        if project is not None:
            page.wait(lambda snapshot: snapshot["clip"] or snapshot["problem"])
        yield page
