"""The settings of a web interface are its owner's: before and after a run they are the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from fake_a1111 import DEFAULTS, MODELS, FakeA1111
from fake_http import ReceivedRequest, Response, json_response
from stylize_samples import jobs

from kadr.core.events import CancelToken
from kadr.errors import BackendError, Cancelled
from kadr.storage.cache import server_folder
from kadr.storage.undo_records import keep_record
from kadr.stylize.base import StylizeContext
from kadr.stylize.registry import create_stylizer
from kadr.stylize.servers import a1111_settings

OTHERS: dict[str, Any] = {
    "clip_skip": 2,
    "noise_source": "cpu",
    "color_correction": True,
    "exact_steps": True,
    "vae": "kl-f8.pt",
    "model": "sd-v1-5-inpainting",
}
"""Options that differ from the server's own settings, none of which its configuration file holds
but the checkpoint."""


@pytest.fixture
def server() -> Iterator[FakeA1111]:
    with FakeA1111() as running:
        yield running


def _run(server: FakeA1111, context: StylizeContext | None = None, **options: Any) -> None:
    stylizer = create_stylizer("a1111", url=server.url, width=128, height=96, **options)
    list(stylizer.stylize(jobs((4, 5)), context or StylizeContext()))


def _sent(server: FakeA1111) -> list[dict[str, Any]]:
    return [request.json["override_settings"] for request in server.requests_to("/img2img")]


def _records(cache: Path) -> list[Path]:
    return list(cache.glob("servers/*/*.json"))


def test_a_run_leaves_the_server_as_it_was(server: FakeA1111, cache: Path) -> None:
    _run(server, **OTHERS)
    assert server.options == DEFAULTS
    used = {"vae": "kl-f8.pt", "model": MODELS[0]["title"]}
    assert [{name: image[name] for name in used} for image in server.used] == [used, used]
    first, second = _sent(server)
    assert first == second
    assert (first["CLIP_stop_at_last_layers"], first["randn_source"]) == (2, "CPU")
    assert not _records(cache)


def test_a_run_that_changes_nothing_writes_nothing_there(server: FakeA1111, cache: Path) -> None:
    _run(server)
    assert not [request for request in server.requests_to("/options") if request.method == "POST"]
    assert not (cache / "servers").exists()


def test_settings_are_put_back_that_the_server_keeps() -> None:
    class Keeping(FakeA1111):
        """Keeps the settings of every request, as if it did not know to put them back."""

        def respond(self, request: ReceivedRequest) -> Response:
            if request.path.endswith("/img2img"):
                self.keeps = set(DEFAULTS)
            answer = super().respond(request)
            self.keeps = set()
            return answer

    with Keeping() as keeping:
        _run(keeping, **OTHERS)
        assert keeping.options == DEFAULTS


@pytest.mark.parametrize("ending", ["error", "cancelled", "closed"])
def test_settings_are_put_back_however_a_run_ends(ending: str, cache: Path) -> None:
    cancel = CancelToken()
    context = StylizeContext(cancel=cancel)
    with FakeA1111(slow=20 if ending == "cancelled" else 0) as server:
        if ending == "error":
            server.fail("/img2img", json_response({"error": "OutOfMemoryError"}, 500), times=9)
            with pytest.raises(BackendError, match="ran out of memory"):
                _run(server, context, **OTHERS)
        elif ending == "cancelled":
            threading.Timer(0.3, cancel.cancel).start()
            with pytest.raises(Cancelled):
                _run(server, context, **OTHERS)
        else:
            stylizer = create_stylizer("a1111", url=server.url, width=128, height=96, **OTHERS)
            batches = stylizer.stylize(jobs((4, 5)), context)
            next(batches)
            assert _records(cache)
            batches.close()
        assert server.options == DEFAULTS
        assert not _records(cache)


def test_settings_of_another_job_are_not_taken_for_the_servers_own(
    server: FakeA1111, caplog: pytest.LogCaptureFixture
) -> None:
    server.saved["CLIP_stop_at_last_layers"] = 1
    other = server.occupy("task(of another user)", 0.4, CLIP_stop_at_last_layers=5)
    _run(server, clip_skip=2)
    other.join()
    assert server.options == DEFAULTS
    assert "is busy; waiting up to 60 s to read its settings" in caplog.text


def test_a_server_that_stays_busy_is_told(
    server: FakeA1111, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(a1111_settings, "_is_busy", lambda client: True)
    _run(server, server_patience=0)
    assert "was never idle for 0 s" in caplog.text


def test_a_server_that_refuses_to_go_back_is_told_and_the_next_run_tries_again(
    cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Stubborn(FakeA1111):
        """Takes settings only with a frame."""

        def respond(self, request: ReceivedRequest) -> Response:
            if request.path.endswith("/options") and request.method == "POST":
                return json_response({"error": "AssertionError", "errors": "frozen"}, 403)
            return super().respond(request)

    with Stubborn() as stubborn:
        _run(stubborn, noise_source="cpu", clip_skip=2)
        assert "could not be put back" in caplog.text
        assert "randn_source is CPU, was GPU" in caplog.text
        assert _records(cache)
        # the owner allows it again
        stubborn.respond = lambda request: FakeA1111.respond(stubborn, request)  # type: ignore[method-assign]
        caplog.clear()
        _run(stubborn)
        assert stubborn.options == DEFAULTS
        assert "a run that was ended left settings changed, which are put back" in caplog.text
        assert "CLIP_stop_at_last_layers is 2, was 1" in caplog.text
        assert not _records(cache)


def test_what_the_owner_changed_meanwhile_stays(server: FakeA1111) -> None:
    stylizer = create_stylizer("a1111", url=server.url, width=128, height=96, clip_skip=2)
    batches = stylizer.stylize(jobs((4, 5)), StylizeContext())
    next(batches)
    server.saved["CLIP_stop_at_last_layers"] = 4
    list(batches)
    assert server.options["CLIP_stop_at_last_layers"] == 4


def test_two_runs_at_once_leave_the_server_as_it_was(server: FakeA1111) -> None:
    stylizers = [
        create_stylizer("a1111", url=server.url, width=128, height=96, clip_skip=skip)
        for skip in (2, 3)
    ]
    first, second = (stylizer.stylize(jobs((4, 5)), StylizeContext()) for stylizer in stylizers)
    next(first)
    # as if the first run's frame were in the making when the second run reads the settings
    server.saved["CLIP_stop_at_last_layers"] = 2
    next(second)
    list(first)
    list(second)
    assert server.options == DEFAULTS


KILLED = """
import sys
from stylize_samples import jobs
from kadr.stylize.base import StylizeContext
from kadr.stylize.registry import create_stylizer
options = {"width": 128, "height": 96, "clip_skip": 2, "noise_source": "cpu"}
stylizer = create_stylizer("a1111", url=sys.argv[1], **options)
list(stylizer.stylize(jobs((4,)), StylizeContext()))
"""


def test_the_next_run_puts_back_what_a_killed_one_left(
    cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths = os.pathsep.join(path for path in sys.path if path)
    with FakeA1111(slow=20) as server:
        server.keeps = {"CLIP_stop_at_last_layers"}
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, server.url], env={**os.environ, "PYTHONPATH": paths}
        )
        try:
            while not server.task:
                assert process.poll() is None
                time.sleep(0.02)
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        assert len(_records(cache)) == 1
        server.interrupted.set()  # its frame ends some time
        server.slow, server.keeps = 0, set()
        _run(server, clip_skip=3)
        assert server.options == DEFAULTS
    assert "CLIP_stop_at_last_layers is 2, was 1" in caplog.text
    # this one the server put back by itself
    assert "randn_source" not in caplog.text
    assert not _records(cache)


def test_the_next_run_says_what_a_server_that_vanished_was_left_with(
    cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Vanishing(FakeA1111):
        """Is gone in the middle of a frame, with the frame's settings in force."""

        gone = False

        def respond(self, request: ReceivedRequest) -> Response:
            if request.path.endswith("/img2img") and len(self.requests_to("/img2img")) == 2:
                self.gone = True
                self.saved |= request.json["override_settings"]
            return Response(drop=True) if self.gone else super().respond(request)

    with Vanishing() as server:
        with pytest.raises(BackendError, match="the connection broke off"):
            _run(server, clip_skip=2, retries=0, server_patience=0)
        assert "its settings could not be put back" in caplog.text
        assert "CLIP_stop_at_last_layers is 2, was 1; the next run on it tries again" in caplog.text
        server.gone = False
        caplog.clear()
        _run(server)
        assert "left settings changed, which are put back: CLIP_stop_at_last_layers" in caplog.text
        assert server.options == DEFAULTS
        assert not _records(cache)


def test_what_a_killed_run_left_is_looked_at_only_while_the_server_is_idle(
    server: FakeA1111, cache: Path
) -> None:
    content = {"own": {"CLIP_stop_at_last_layers": 1}, "sent": {"CLIP_stop_at_last_layers": 5}}
    with suppress(KeyError), keep_record(server_folder(server.url), content):
        raise KeyError  # as a killed process leaves it
    server.saved["CLIP_stop_at_last_layers"] = 1
    other = server.occupy("task(of another user)", 1, CLIP_stop_at_last_layers=5)
    _run(server, clip_skip=3, server_patience=0.1)
    other.join()
    posts = [request for request in server.requests_to("/options") if request.method == "POST"]
    # the value that it had is what the run stores, not that of the other job
    assert [request.json["CLIP_stop_at_last_layers"] for request in posts] == [1]
    assert len(_records(cache)) == 1
    _run(server)
    assert server.options == DEFAULTS
    assert not _records(cache)


def test_a_record_that_cannot_be_written_is_told(
    server: FakeA1111, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (cache / "servers").write_text("a file in the place of the folder")
    _run(server, clip_skip=2)
    assert "if this run is killed, nobody knows which settings" in caplog.text
    assert server.options == DEFAULTS
