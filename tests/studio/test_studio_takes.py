"""Takes in a real studio: the pictures of each stay, and a restart shows frames at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from studio_samples import COUNT, Page, make_project, open_page, picture, png

ALL = [[0, COUNT - 1]]


def _take(snapshot: dict[str, Any], number: int) -> dict[str, Any]:
    return next(take for take in snapshot["takes"] if take["id"] == number)


def _run_take(page: Page, name: str, number: int) -> bytes:
    """Make the film, keep its settings, and wait for all pictures; returns one of them."""
    assert page.do("run")["error"] is None
    assert page.edit("POST", "/api/takes", name=name).status_code == 200
    page.wait(lambda snapshot: _take(snapshot, number)["frames"] == ALL)
    response = page.client.get(f"/api/takes/{number}/frames/4.jpg")
    assert response.headers["content-type"] == "image/jpeg"
    assert "immutable" in response.headers["cache-control"]
    data: bytes = response.content
    return data


def test_each_take_keeps_its_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KADR_CACHE", str(tmp_path / "cache"))
    root = make_project(tmp_path)
    (root / "keys" / "frame_00002.png").write_bytes(png(255 - picture(2)))
    with open_page(tmp_path, root) as page:
        first = _run_take(page, "soft", 1)
        values = {"picture.video-weight": 1, "picture.patch-size": 9}
        assert page.edit("PATCH", "/api/options", values=values).status_code == 200
        second = _run_take(page, "firm", 2)
        assert first != second
        assert page.client.get("/api/takes/1/frames/4.jpg").content == first
        assert page.client.get("/api/takes/1/frames/99.jpg").status_code == 404
        assert page.client.get("/api/takes/7/frames/4.jpg").status_code == 404
        assert page.edit("PUT", "/api/takes/1").status_code == 200
        page.wait(lambda snapshot: snapshot["frames"]["states"] != [["current", 0, COUNT - 1]])
        assert page.client.get("/api/takes/2/frames/4.jpg").content == second
    with open_page(tmp_path, root) as page:
        snapshot = page.snapshot()
        assert "not-made" not in {state for state, _, _ in snapshot["frames"]["states"]}
        assert [take["frames"] for take in snapshot["takes"]] == [ALL, ALL]
        assert page.edit("DELETE", "/api/takes/2").status_code == 200
        assert page.client.get("/api/takes/2/frames/4.jpg").status_code == 404
        assert len(list((root / "work" / "studio" / "takes").glob("*/*"))) == 1


def test_frames_are_never_shown_as_not_made_before_they_were_looked_for(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    for index in range(COUNT):
        path = root / "out" / "frames" / f"frame_{index:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(picture(index)))
    with open_page(tmp_path, None) as page:
        page.client.post("/api/open", json={"path": str(root)})
        seen = set()

        def is_read(snapshot: dict[str, Any]) -> bool:
            if snapshot["clip"]:
                seen.update(state for state, _, _ in snapshot["frames"]["states"])
            return bool(snapshot["clip"] and snapshot["pictures"])

        page.wait(is_read)
        assert seen
        assert "not-made" not in seen
