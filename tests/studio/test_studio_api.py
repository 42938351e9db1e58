"""The contract of the page and the server, on a real project with real child processes."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from studio_samples import (
    COUNT,
    HEADERS,
    PORT,
    SIZE,
    Page,
    make_clip,
    make_project,
    open_page,
    picture,
    png,
)

from kadr import open_project
from kadr.errors import OutputError
from kadr.image_files import read_image
from kadr.storage.clean import delete_work_files, find_work_files
from kadr.studio import jobs


def _project_with_keys(folder: Path) -> Path:
    """A project whose frames 2 and 6 are painted."""
    root = make_project(folder)
    for index in (2, 6):
        (root / "keys" / f"frame_{index:05d}.png").write_bytes(png(255 - picture(index)))
    return root


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("studio")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KADR_CACHE", str(folder / "cache"))
        root = _project_with_keys(folder)
        with open_page(folder, root) as opened:
            opened.root = root
            yield opened


def _keys(snapshot: dict[str, Any]) -> dict[int, str]:
    return {key["index"]: key["state"] for key in snapshot["keys"]}


def _image(response: Any) -> np.ndarray:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "image/jpeg"
    assert "immutable" in response.headers["cache-control"]
    return cv2.imdecode(np.frombuffer(response.content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def test_the_snapshot_tells_the_clip_and_its_pictures_come(page: Page) -> None:
    snapshot = page.snapshot()
    clip = snapshot["clip"]
    facts = clip["count"], clip["width"], clip["height"], clip["first"], clip["last"]
    assert facts == (COUNT, *SIZE, 0, COUNT - 1)
    assert clip["numbers"] is None
    assert clip["times"] is None
    assert snapshot["project"]["local"] is True
    assert snapshot["start"] is None
    for index in (COUNT - 1, 0, 3):
        image = _image(page.client.get(f"/api/frames/{index}/input.jpg"))
        assert np.abs(image.astype(int) - picture(index)).mean() < 12
    ready = page.wait(lambda state: state["pictures"]["sheet"]["ready"] == [0])["pictures"]
    assert ready["ready"] == [[0, COUNT - 1]]
    sheet = _image(page.client.get("/api/sheets/0.jpg"))
    width, height = ready["sheet"]["width"], ready["sheet"]["height"]
    assert sheet.shape == (height, 10 * width, 3)
    thumbnail = cv2.resize(sheet[:, 3 * width : 4 * width], SIZE, interpolation=cv2.INTER_AREA)
    assert np.abs(thumbnail.astype(int) - picture(3)).mean() < 16


def test_an_exported_frame_becomes_a_key_when_somebody_paints_on_it(page: Page) -> None:
    response = page.edit("POST", "/api/keys/3")
    assert response.status_code == 200, response.text
    path = Path(response.json()["path"])
    assert _keys(page.snapshot())[3] == "to-paint"
    painted = 255 - read_image(path)
    path.write_bytes(png(painted))
    page.wait(lambda state: _keys(state).get(3) == "painted", 15)
    project = open_project(page.root)
    key = project.keys / "frame_00003.png"
    assert (read_image(key) == painted).all()
    assert page.edit("POST", "/api/undo").status_code == 200
    assert _keys(page.snapshot())[3] == "to-paint"
    assert page.edit("POST", "/api/redo").status_code == 200
    assert _keys(page.snapshot())[3] == "painted"


def test_a_key_of_another_size_is_refused_with_its_remedy(page: Page) -> None:
    small = png(cv2.resize(255 - picture(4), (32, 24), interpolation=cv2.INTER_AREA))
    response = page.put_key(4, small, "painting of mine.png")
    assert response.status_code == 422
    error = response.json()["error"]
    assert error["message"].startswith("painting of mine.png: 32×24 pixels")
    assert 4 not in _keys(page.snapshot())
    assert page.edit("PATCH", "/api/options", values=error["remedy"]["options"]).status_code == 200
    assert page.put_key(4, small).status_code == 200
    snapshot = page.snapshot()
    assert _keys(snapshot)[4] == "painted"
    assert _image(page.client.get("/api/keys/4/image.jpg")).shape == (24, 32, 3)
    assert page.put_key(4, png(255 - picture(4))).status_code == 200
    assert _image(page.client.get("/api/keys/4/image.jpg")).shape == (48, 64, 3)
    assert page.client.get("/api/keys/4/file").content == png(255 - picture(4))


@pytest.mark.parametrize(
    ("data", "name"), [(b"no image", "a.png"), (b"x", "a.exe"), (png(picture(0))[:200], "a.png")]
)
def test_what_is_no_picture_is_refused_and_nothing_changes(
    page: Page, data: bytes, name: str
) -> None:
    before = page.snapshot()
    response = page.put_key(5, data, name)
    assert response.status_code == 422, response.text
    assert "Traceback" not in response.text
    assert ".upload" not in response.text
    after = page.snapshot()
    assert (after["keys"], after["revision"]) == (before["keys"], before["revision"])
    assert list((page.root / "studio").glob("*.upload")) == []


def test_an_edit_of_an_older_state_is_refused(page: Page) -> None:
    revision = page.snapshot()["revision"]
    response = page.edit("PUT", "/api/keys/6/range", first=4, last=7, revision=revision - 1)
    assert response.status_code == 409
    assert response.json()["revision"] == revision
    assert page.edit("PUT", "/api/keys/6/range", first=4, last=7).status_code == 200
    key = next(key for key in page.snapshot()["keys"] if key["index"] == 6)
    assert (key["first"], key["last"], key["range"]) == (4, 7, True)
    assert open_project(page.root).settings.ranges == ("4:6:7",)
    response = page.edit("PUT", "/api/keys/6/range", first=7, last=7)
    assert response.status_code == 422
    assert "key must lie between" in response.json()["error"]["message"]
    assert page.edit("PUT", "/api/keys/6/range", first=None, last=None).status_code == 200
    assert open_project(page.root).settings.ranges == ()


def test_an_option_is_checked_by_what_reads_the_project(page: Page) -> None:
    before = open_project(page.root).text
    for values, text in (
        ({"picture.mapping": 5000}, "mapping 5000"),
        ({"picture.nonsense": 1}, "nonsense"),
        ({"nonsense": 1}, "nonsense"),
        ({"picture.mapping": "much"}, "expected a number"),
        ({"clip.frames": "0:99"}, "no frame 99"),
        ({}, "expected an object"),
        ({"guides.guide": ["ids"]}, "guide 'ids': expected NAME=VALUE"),
        ({"guides.guide-weight": ["ids=3"]}, "there is no guide of this name"),
    ):
        response = page.edit("PATCH", "/api/options", values=values)
        assert response.status_code == 422, values
        assert text in response.json()["error"]["message"]
    assert open_project(page.root).text == before
    response = page.edit("PATCH", "/api/options", values={"picture.mapping": 4, "run.seed": 3})
    assert response.status_code == 200
    values = {"guides.guide": ["ids=../ids"], "guides.guide-weight": ["ids=8"]}
    assert page.edit("PATCH", "/api/options", values=values).status_code == 200
    run = open_project(page.root).settings.run
    assert run is not None
    assert (run["guide"], run["guide_weight"]) == ({"ids": Path("../ids")}, {"ids": 8.0})
    (section,) = [
        item for item in page.snapshot()["options"]["sections"] if item["name"] == "guides"
    ]
    shown = {option["name"]: (option["kind"], option["value"]) for option in section["options"]}
    assert shown["guide"] == ("list", ["ids=../ids"])
    assert page.edit("PATCH", "/api/options", values=dict.fromkeys(values)).status_code == 200
    assert page.edit("POST", "/api/takes", name="firm").status_code == 200
    response = page.edit(
        "PATCH", "/api/options", values={"stylizer.name": "paint", "stylizer.radius": 5}
    )
    assert response.status_code == 200, response.text
    response = page.edit("PATCH", "/api/options", values={"stylizer.name": "external"})
    assert response.status_code == 200, response.text
    take = page.snapshot()["takes"][0]
    assert page.edit("PUT", f"/api/takes/{take['id']}").status_code == 200
    assert page.snapshot()["takes"][0]["current"] is True
    assert open_project(page.root).settings.propagate().mapping == 4
    assert page.edit("DELETE", "/api/takes/77").status_code == 422
    assert page.edit("DELETE", f"/api/takes/{take['id']}").status_code == 200


def _preview_run_and_export(page: Page) -> None:
    job = page.do("preview", first=3, last=4)
    assert (job["state"], job["error"]) == ("done", None)
    snapshot = page.wait(lambda state: len(state["frames"]["previews"]) == 2)
    _image(page.client.get("/api/frames/3/preview.jpg"))
    assert page.client.get("/api/frames/3/styled.jpg").status_code == 404
    assert snapshot["frames"]["states"] == [["not-made", 0, COUNT - 1]]
    job = page.do("run")
    assert job["error"] is None
    assert job["result"]["frames"] == COUNT
    snapshot = page.wait(lambda state: state["curves"]["error"])
    assert snapshot["frames"]["states"] == [["current", 0, COUNT - 1]]
    assert snapshot["frames"]["previews"] == {}
    assert None not in snapshot["frames"]["versions"]
    assert len(snapshot["curves"]["error"]) == COUNT
    styled = _image(page.client.get("/api/frames/2/styled.jpg"))
    assert np.abs(styled.astype(int) - (255 - picture(2))).mean() < 12
    assert page.client.get("/api/output").headers["content-type"] == "video/mp4"
    report = page.client.get("/api/report")
    assert "sandbox" in report.headers["content-security-policy"]
    job = page.do("export", format="frames")
    assert page.client.get(f"/api/exports/{job['id']}").content[:2] == b"PK"
    assert "expected one of" in page.do("export", format="exe")["error"]["message"]


def _remove_a_key_and_undo(page: Page) -> None:
    assert page.edit("DELETE", "/api/keys/6").status_code == 200
    assert page.edit("DELETE", "/api/keys/6").status_code == 422
    snapshot = page.wait(lambda state: state["frames"]["states"][-1] == ["stale", 3, COUNT - 1])
    assert _keys(snapshot) == {2: "painted"}
    assert page.edit("POST", "/api/undo").status_code == 200
    page.wait(lambda state: state["frames"]["states"] == [["current", 0, COUNT - 1]])


def _paint_over_a_finished_frame(page: Page) -> None:
    assert page.edit("POST", "/api/keys/4", source="nonsense").status_code == 400
    response = page.edit("POST", "/api/keys/4", source="styled")
    assert response.status_code == 200, response.text
    path = Path(response.json()["path"])
    finished = page.root / "out" / "frames" / path.name
    assert path.read_bytes() == finished.read_bytes()
    assert _keys(page.snapshot())[4] == "to-paint"
    assert page.edit("DELETE", "/api/keys/4").status_code == 200
    assert not path.exists()
    assert 4 not in _keys(page.snapshot())


def _change_a_frame_by_hand(page: Page) -> None:
    page.do("run")
    (file,) = (page.root / "out" / "frames").glob("*00005.png")
    file.write_bytes(png(picture(1)))
    snapshot = page.wait(lambda state: ["edited", 5, 5] in state["frames"]["states"], 15)
    assert snapshot["frames"]["versions"][5]
    page.do("run")
    assert file.read_bytes() == png(picture(1))


def test_a_film_from_its_keys_to_its_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KADR_CACHE", str(tmp_path / "cache"))
    root = _project_with_keys(tmp_path)
    with open_page(tmp_path, root) as page:
        page.root = root
        _preview_run_and_export(page)
        _remove_a_key_and_undo(page)
        _paint_over_a_finished_frame(page)
        _change_a_frame_by_hand(page)


def test_a_plan_suggests_keys_and_a_picture_of_a_grid_becomes_one(page: Page) -> None:
    job = page.do("plan", budget=COUNT)
    assert job["error"] is None, job
    snapshot = page.snapshot()
    suggested = [key["index"] for key in snapshot["suggestions"]["keys"]]
    assert not set(suggested) & _keys(snapshot).keys()
    assert snapshot["suggestions"]["current"]
    coverage = snapshot["curves"]["coverage"]
    assert coverage[2] == max(coverage)
    assert len(coverage) == COUNT
    job = page.do("seeds", frame=0, stylizer="paint", options={"radius": 2})
    assert job["error"] is None, job
    assert job["result"]["images"] == 1
    assert page.client.get(f"/api/jobs/{job['id']}/images/0.jpg").status_code == 200
    assert page.client.get(f"/api/jobs/{job['id']}/images/1.jpg").status_code == 404
    assert page.edit("POST", f"/api/jobs/{job['id']}/keep", image=0).status_code == 200
    snapshot = page.snapshot()
    assert _keys(snapshot)[0] == "painted"
    assert not snapshot["suggestions"]["current"]
    job = page.do("seeds", frame=0, stylizer="paint", axes={"radius": [1, 3], "strokes": [0]})
    labels = [f"seed 0  radius {radius}  strokes 0" for radius in (1, 3)]  # paint has a seed
    assert job["result"]["labels"] == labels
    job = page.do("stylize", frames=[7], stylizer="paint")
    assert job["error"] is None, job
    assert _keys(page.snapshot())[7] == "painted"
    assert (
        "radius 99"
        in page.do("seeds", frame=0, stylizer="paint", options={"radius": 99})["error"]["message"]
    )


def _settled_snapshot(page: Page) -> dict[str, Any]:
    """The snapshot once the studio has seen all files that earlier tests changed."""
    snapshot = page.snapshot()
    while True:
        time.sleep(1.2)
        later = page.snapshot()
        if later["revision"] == snapshot["revision"]:
            return later
        snapshot = later


def test_a_page_that_was_away_gets_what_it_missed(page: Page) -> None:
    snapshot = _settled_snapshot(page)
    events = f"ws://127.0.0.1:{PORT}/api/events"
    address = f"{events}?boot={snapshot['boot']}&after={snapshot['event']}"
    assert page.edit("PATCH", "/api/options", values={"run.seed": 9}).status_code == 200
    with page.client.websocket_connect(address, headers=HEADERS) as socket:
        message = socket.receive_json()
    (change,) = [event for event in message["events"] if "revision" in event.get("set", {})]
    assert message["boot"] == snapshot["boot"]
    assert change["author"] == "tab-1"
    assert change["set"]["revision"] == snapshot["revision"] + 1
    assert change["n"] > snapshot["event"]
    for query in ("boot=other&after=0", f"boot={snapshot['boot']}&after=999999"):
        with page.client.websocket_connect(f"{events}?{query}") as socket:
            assert socket.receive_json() == {"boot": snapshot["boot"], "reset": True}


HOSTILE = (
    "/static/../app.py",
    "/static/x/../../guard.py",
    "/api/frames/..%2f..%2fproject.toml/input.jpg",
    "/api/frames/-1/input.jpg",
    "/api/frames/99999999999999999999/input.jpg",
    "/api/frames/0/..%2f..%2f..%2fproject.toml",
    "/api/keys/%2e%2e%2f%2e%2e/file",
    "/api/exports/..%2f..%2f..%2fetc%2fpasswd",
    "/api/sheets/..%5c..%5cproject.toml.jpg",
    "//etc/passwd",
    "/api/jobs/1/images/..%2f..%2f0.jpg",
)


@pytest.mark.parametrize("path", HOSTILE)
def test_hostile_addresses_lead_nowhere(page: Page, path: str) -> None:
    response = page.client.get(path)
    assert response.status_code in (400, 404), response.text
    assert "format =" not in response.text
    assert "Traceback" not in response.text


def test_links_out_of_the_project_are_not_followed(page: Page, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(png(picture(1)))
    root = page.root
    link = root / "keys" / "frame_00001.png"
    link.symlink_to(secret)
    try:
        time.sleep(1.5)
        assert page.client.get("/api/keys/1/file").status_code == 404
        assert page.client.get("/api/keys/1/image.jpg").status_code == 404
    finally:
        link.unlink()
    page.wait(lambda state: state["run_problem"] is None, 15)


def test_uploads_need_a_length_and_have_a_bound(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = {"revision": page.snapshot()["revision"], "name": "a.png"}

    def chunks() -> Iterator[bytes]:
        yield b"x"

    address = "/api/keys/4/image"
    assert page.client.put(address, params=query, content=chunks()).status_code == 411
    large = {"Content-Length": "999999999999"}
    assert page.client.put(address, params=query, headers=large, content=b"x").status_code == 413
    assert page.client.put(address, params=query, content=b"").status_code == 400
    assert page.client.put("/api/uploads?name=a.exe", content=b"x").status_code == 400
    usage = SimpleNamespace(total=10, used=10, free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    response = page.client.put(address, params=query, content=b"x")
    assert response.status_code == 507
    assert "free some space" in response.json()["error"]["message"]


def _full(*_: object) -> None:
    raise OutputError("queue.json: cannot be written; free some space and try again")


def test_on_a_full_disk_a_job_is_refused_and_the_rest_goes_on(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = page.snapshot()["jobs"]
    with monkeypatch.context() as full:
        full.setattr(jobs, "atomic_file", _full)
        response = page.client.post("/api/jobs", json={"kind": "plan"})
    assert response.status_code == 507
    assert "free some space" in response.json()["error"]["message"]
    assert page.snapshot()["jobs"] == before
    _image(page.client.get("/api/frames/1/input.jpg"))


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "nonsense"},
        {"kind": "preview"},
        {"kind": "preview", "first": 0, "last": 99},
        {"kind": "preview", "first": 3, "last": 2},
        {"kind": "stylize", "frames": [0]},
        {"kind": "seeds", "frame": -1, "stylizer": "paint"},
        {"kind": "plan", "budget": 0},
    ],
    ids=str,
)
def test_a_job_that_makes_no_sense_is_refused(page: Page, body: dict[str, Any]) -> None:
    response = page.client.post("/api/jobs", json=body)
    assert response.status_code in (400, 422)
    assert response.json()["error"]["message"]


def test_jobs_wait_while_the_queue_is_paused_and_can_be_dropped(page: Page) -> None:
    page.client.post("/api/queue", json={"paused": True})
    first = page.client.post("/api/jobs", json={"kind": "plan"}).json()["job"]["id"]
    second = page.client.post("/api/jobs", json={"kind": "run"}).json()["job"]["id"]
    assert page.client.post("/api/jobs", json={"kind": "run"}).status_code == 409
    page.client.post(f"/api/jobs/{second}/first")
    snapshot = page.snapshot()
    assert snapshot["queue"] == {"paused": True}
    waiting = [job["id"] for job in snapshot["jobs"] if job["state"] == "queued"]
    assert waiting == [second, first]
    assert page.client.delete(f"/api/jobs/{second}").status_code == 200
    assert page.client.delete("/api/jobs").status_code == 200
    states = {job["id"]: job["state"] for job in page.snapshot()["jobs"]}
    assert (states[first], states[second]) == ("stopped", "stopped")
    assert page.client.delete(f"/api/jobs/{first}").status_code == 200
    assert page.client.delete(f"/api/jobs/{first}").status_code == 404
    page.client.post("/api/queue", json={"paused": False})


def test_pictures_for_the_page_are_work_files(page: Page) -> None:
    work = find_work_files(page.root / "work")
    assert "pictures for the studio" in work.kinds
    assert work.others == ()
    assert delete_work_files(work)
    _image(page.client.get("/api/frames/1/input.jpg"))


def test_open_a_clip_close_it_and_find_it_among_the_recent_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KADR_CACHE", str(tmp_path / "cache"))
    clip = make_clip(tmp_path / "one.mp4", 1)
    with open_page(tmp_path, None) as page:
        start = page.snapshot()["start"]
        assert [item["name"] for item in start["folder"]["clips"]] == ["one.mp4"]
        assert page.client.post("/api/jobs", json={"kind": "run"}).status_code == 409
        for path in ("nothing.mp4", "", "a\0b"):
            assert page.client.post("/api/open", json={"path": path}).status_code in (400, 422)
        response = page.client.post("/api/open", json={"path": str(clip)})
        assert response.status_code == 200, response.text
        assert response.json() == {"path": str(tmp_path / "one.kadr")}
        snapshot = page.wait(lambda state: state["clip"])
        assert snapshot["clip"]["count"] == 1
        assert snapshot["frames"]["states"] == [["not-made", 0, 0]]
        assert page.client.get("/api/sheets/0.jpg").status_code == 200
        assert page.client.post("/api/close").status_code == 200
        snapshot = page.snapshot()
        assert snapshot["project"] is None
        assert [item["name"] for item in snapshot["start"]["recent"]] == ["one"]
        response = page.client.put("/api/uploads?name=../two.mp4", content=clip.read_bytes())
        assert response.status_code == 200, response.text
        assert response.json() == {"path": str(tmp_path / "two.kadr")}
        assert (tmp_path / "two.mp4").is_file()
        page.client.post("/api/close")
        response = page.client.put("/api/uploads?name=bad.mp4", content=b"no video at all")
        assert response.status_code == 422
        assert not (tmp_path / "bad.mp4").exists()
        assert not (tmp_path / "bad.kadr").exists()


def test_a_project_is_open_in_one_studio_at_a_time(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = page.root
    with open_page(tmp_path, None) as other:
        response = other.client.post("/api/open", json={"path": str(root)})
        assert response.status_code == 422
        assert "is open in another studio" in response.json()["error"]["message"]
        assert other.snapshot()["project"] is None
    assert page.snapshot()["project"]["name"] == "shot"


def test_a_project_that_cannot_be_read_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KADR_CACHE", str(tmp_path / "cache"))
    root = make_project(tmp_path, 2)
    toml = root / "project.toml"
    text = toml.read_text()
    toml.write_text(text + "\nnonsense = 1\n")
    with open_page(tmp_path, root) as page:
        problem = page.snapshot()["problem"]
        assert "project.toml, line" in problem["message"]
        toml.write_text(text)  # mended in an editor: the page goes on
        snapshot = page.wait(lambda state: state["clip"], 15)
        assert snapshot["problem"] is None
