"""The studio as a program: killed and started again, its port taken, its memory."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from studio_samples import HEADERS, Page, make_project, picture, png
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

import kadr

COUNT = 60
"""Frames: enough that a run is still at work when its server is killed."""


def _command(*words: str) -> list[str]:
    code = "import sys; from kadr.cli.main import main; sys.exit(main())"
    return [sys.executable, "-c", code, *words]


def _environment(folder: Path) -> dict[str, str]:
    source = str(Path(kadr.__file__).parents[1])
    return {**os.environ, "PYTHONPATH": source, "KADR_CACHE": str(folder / "cache")}


@contextmanager
def _server(folder: Path, *words: str) -> Iterator[tuple[Page, subprocess.Popen[str]]]:
    """A studio in a process of its own; killed at the end if it still runs."""
    process = subprocess.Popen(
        _command("studio", *words, "--no-browser"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_environment(folder),
    )
    try:
        assert process.stdout is not None
        match = re.search(r"http://\S+", process.stdout.readline())
        assert match is not None, process.stderr and process.stderr.read()
        with httpx.Client(base_url=match[0], headers=HEADERS, timeout=60) as client:
            yield Page(client), process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def _run_job(snapshot: dict[str, Any]) -> dict[str, Any]:
    return next(job for job in snapshot["jobs"] if job["kind"] == "run")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_run_goes_on_after_its_server_was_killed_and_another_kadr_is_seen(
    tmp_path: Path,
) -> None:
    root = make_project(tmp_path, COUNT)
    with _server(tmp_path, str(root)) as (page, process):
        page.wait(lambda snapshot: snapshot["clip"])
        assert page.put_key(0, png(255 - picture(0))).status_code == 200
        page.client.post("/api/jobs", json={"kind": "run"})
        page.wait(lambda snapshot: _run_job(snapshot)["step"] == "propagate")
        boot = page.snapshot()["boot"]
        process.kill()
        process.wait()
    with _server(tmp_path, str(root)) as (page, process):
        snapshot = page.wait(lambda snapshot: snapshot["clip"])
        assert snapshot["boot"] != boot
        assert _run_job(snapshot)["state"] in ("queued", "working")
        job = _run_job(page.wait(lambda snapshot: _run_job(snapshot)["ended"]))
        assert (job["error"], job["state"]) == (None, "done")
        page.wait(lambda state: state["frames"]["states"] == [["current", 0, COUNT - 1]])
        if sys.platform == "linux":
            status = Path(f"/proc/{process.pid}/status").read_text()
            memory = re.search(r"VmHWM:\s+(\d+) kB", status)
            assert memory is not None
            assert int(memory[1]) < 120_000
        shutil.rmtree(root / "work" / "store")
        shutil.rmtree(root / "out" / "frames")
        other = subprocess.Popen(_command("run", str(root), "-q"), env=_environment(tmp_path))
        snapshot = page.wait(lambda snapshot: snapshot["read_only"])
        assert snapshot["read_only"]["process"] == other.pid
        assert snapshot["jobs"][0]["source"] == "terminal"
        assert page.edit("DELETE", "/api/keys/0").status_code == 423
        assert page.client.post("/api/jobs", json={"kind": "run"}).status_code == 423
        assert other.wait() == 0
        page.wait(lambda snapshot: not snapshot["read_only"])
        page.wait(lambda state: state["frames"]["states"] == [["current", 0, COUNT - 1]])
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_a_foreign_origin_opens_no_websocket_and_a_used_port_is_told(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = str(listener.getsockname()[1])
        result = subprocess.run(
            _command("studio", str(tmp_path), "--no-browser", "--port", port),
            capture_output=True,
            text=True,
            env=_environment(tmp_path),
        )
    assert result.returncode == 2
    assert result.stderr == (
        f"error: port {port}: another program listens there, maybe another studio; "
        "give another --port, or leave it out\n"
    )
    with _server(tmp_path, str(tmp_path)) as (page, _):
        snapshot = page.snapshot()
        assert snapshot["start"]["folder"]["path"] == str(tmp_path)
        address = str(page.client.base_url).rstrip("/").replace("http", "ws")
        events = f"{address}/api/events?boot={snapshot['boot']}&after={snapshot['event']}"
        with (
            pytest.raises(InvalidStatus, match="403"),
            connect(
                events,
                origin="http://evil.example",
                proxy=None,  # type: ignore[arg-type]
            ),
        ):
            pass
        own = address.replace("ws", "http")
        with connect(events, origin=own, proxy=None) as sockets:  # type: ignore[arg-type]
            sockets.ping().wait(10)
        page_text = page.client.get("/").text
        assert "__STATIC__" not in page_text
        for name in re.findall(r"/static/[^\"']+", page_text):
            response = page.client.get(name)
            assert response.status_code == 200
            assert "immutable" in response.headers["cache-control"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("nothing.kadr",), "no such project, clip or folder"),
        (("--host", "203.0.113.7", "--port", "8999"), "is no address of this machine"),
    ],
)
def test_a_start_that_cannot_be_is_one_line(
    tmp_path: Path, words: tuple[str, ...], text: str
) -> None:
    result = subprocess.run(
        _command("studio", "--no-browser", *words),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=_environment(tmp_path),
    )
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert text in result.stderr


def test_without_the_extra_one_line_tells_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from kadr.cli import studio
    from kadr.cli.main import main

    monkeypatch.setattr(studio, "_PACKAGES", ("fastapi", "surely_missing"))
    assert main(["studio", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error == (
        "error: studio: needs surely_missing; install it with pip install 'kadr[studio]'\n"
    )


def test_five_thousand_frames_make_a_snapshot_that_is_small_and_quick(tmp_path: Path) -> None:
    from kadr.studio.frame_table import FrameFile, FrameTable, Work
    from kadr.studio.page_state import PageState

    state, table = PageState("test"), FrameTable(5000, 0, 4999)
    table.finished = {index: FrameFile(f"k{index:06d}", index) for index in range(0, 5000, 2)}
    table.patch(Work())
    state.frames = table.facts
    start = time.perf_counter()
    text = httpx.Response(200, json=state.snapshot()).text
    assert time.perf_counter() - start < 0.3
    assert len(text) < 400_000
