"""Whatever a server, a picture or a workflow holds: a value, or an error of one line, quickly."""

from __future__ import annotations

import base64
import copy
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import pytest
from fake_a1111 import ALTERNATIVE, MODELS
from hypothesis import given
from hypothesis import strategies as st
from stylize_samples import jobs, picture

from fuzz_settings import fuzz
from kadr.core.png import with_text
from kadr.errors import KadrError
from kadr.stylize.base import StylizeContext
from kadr.stylize.image_settings import read_image_settings
from kadr.stylize.infotext import _OPTIONS, infotext_settings, other_fields, parse_infotext
from kadr.stylize.registry import create_stylizer
from kadr.stylize.servers import a1111, comfyui_queue
from kadr.stylize.servers.client import Client
from kadr.stylize.servers.comfyui import _StepProgress
from kadr.stylize.servers.comfyui_file import parse_graph
from kadr.stylize.servers.comfyui_graph import plain_graph
from kadr.stylize.servers.comfyui_options import ComfyUIOptions
from kadr.stylize.servers.comfyui_settings import (
    apply_options,
    graph_infotext,
    read_graph_settings,
)
from kadr.stylize.servers.endpoint import parse_endpoint
from kadr.stylize.servers.error_text import error_text
from kadr.stylize.servers.options import ServerOptions
from kadr.stylize.servers.retry_after import retry_after

_SECONDS = 5.0
"""More than any of these may take on a busy machine."""

ANY_TEXT = st.text(max_size=30)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -1, 0, 1, 2**63, math.nan, math.inf, 1e308, 5e-324]),
    st.floats(),
    ANY_TEXT,
    st.sampled_from(["\ud800", "a\nb", "\u2028", "\0", "x" * 5000, "../..", "²", ""]),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)
DEEP = st.integers(90, 3000).map(lambda levels: "[" * levels + "]" * levels)
DEEP_OBJECT = st.integers(90, 3000).map(lambda levels: '{"error":' * levels + "1" + "}" * levels)


@st.composite
def changed(draw: st.DrawFn, *valid: Any) -> Any:
    """A valid value with some parts replaced by any other, or left out."""
    value = [copy.deepcopy(draw(st.sampled_from(valid)))]
    for _ in range(draw(st.integers(0, 3))):
        place: Any = value
        key: Any = 0
        while isinstance(place[key], (dict, list)) and place[key] and draw(st.integers(0, 4)):
            place = place[key]
            keys = list(place) if isinstance(place, dict) else range(len(place))
            key = draw(st.sampled_from(keys))
        if isinstance(place, dict) and draw(st.integers(0, 5)) == 0:
            del place[key]
        else:
            place[key] = draw(VALUES)
    return value[0]


def texts(*valid: Any) -> st.SearchStrategy[bytes]:
    """Texts like the JSON of a valid value, and others."""
    return st.one_of(
        changed(*valid).map(lambda value: json.dumps(value).encode()),
        changed(*valid).map(lambda value: json.dumps(value).encode()),
        VALUES.map(lambda value: json.dumps(value).encode()),
        (DEEP | DEEP_OBJECT).map(str.encode),
        st.binary(max_size=40),
    )


def check(function: Callable[[], object]) -> None:
    """Call a function that may raise nothing but an error of one printable line."""
    start = time.monotonic()
    try:
        function()
    except KadrError as error:
        message = str(error)
        assert len(message.splitlines()) == 1, message
        assert len(message) < 12_000
        message.encode()
    assert time.monotonic() - start < _SECONDS


# --- error responses, headers, addresses -----------------------------------------------------

ERRORS = (
    {"error": "RuntimeError", "detail": "", "body": "", "errors": "CUDA out of memory"},
    {"detail": [{"loc": ["body", "steps"], "msg": "not an integer", "type": "type_error"}]},
    {"error": {"type": "a", "message": "b", "details": "c"}, "node_errors": {"1": {"errors": []}}},
)


@fuzz(100)
@given(texts(*ERRORS))
def test_error_bodies(body: bytes) -> None:
    line = error_text(body)
    assert len(line) <= 240
    assert len(line.splitlines()) <= 1
    line.encode()


DATES = st.datetimes().map(lambda time: time.strftime("%a, %d %b %Y %H:%M:%S GMT"))


@fuzz(100)
@given(st.one_of(ANY_TEXT, DATES, st.integers().map(str), st.floats().map(str)))
def test_times_to_retry(text: str) -> None:
    seconds = retry_after(text, 30.0)
    assert seconds is None or 0 <= seconds <= 30


@fuzz(100)
@given(
    st.one_of(ANY_TEXT, ANY_TEXT.map(lambda text: f"http://{text}")),
    st.one_of(st.just(""), ANY_TEXT),
)
def test_addresses(url: str, auth: str) -> None:
    check(lambda: parse_endpoint(url, auth).headers)


# --- answers of the servers ------------------------------------------------------------------


@dataclass(frozen=True)
class _Answering(Client):
    """A client that gets the same answer to each request for a path."""

    answers: dict[str, bytes] = field(default_factory=dict)

    def _send(
        self,
        path: str,
        request: Any,
        on_poll: Callable[[], object] | None = None,
        before_retry: Callable[[], object] | None = None,
        max_bytes: int | None = None,
    ) -> bytes:
        if on_poll is not None:
            on_poll()
        found = [body for name, body in self.answers.items() if path.startswith(name)]
        return found[0] if found else b"{}"


def _answer(
    monkeypatch: pytest.MonkeyPatch, answers: dict[str, Any], path: str, body: bytes
) -> _Answering:
    """Answer requests for a path with a body, all others with valid values."""
    bodies = {name: json.dumps(value).encode() for name, value in answers.items()}
    client = _Answering(
        parse_endpoint("http://127.0.0.1:1"), timeout=0.02, answers=bodies | {path: body}
    )
    monkeypatch.setattr(ServerOptions, "client", lambda self, cancel, hint: client)
    for module in (a1111, comfyui_queue):
        monkeypatch.setattr(module, "Client", lambda *_, **__: client)
    monkeypatch.setattr(a1111, "_PROGRESS_SECONDS", 0.0)
    for name in ("_MIN_POLL_SECONDS", "_MAX_POLL_SECONDS"):
        monkeypatch.setattr(comfyui_queue, name, 0.001)
    return client


def _png() -> bytes:
    return cv2.imencode(".png", picture(96, 128))[1].tobytes()


A1111 = {
    "/sdapi/v1/options": {"sd_vae": "Automatic", "img2img_fix_steps": False, "randn_source": "GPU",
                          "img2img_color_correction": False},
    "/sdapi/v1/sd-models": MODELS,
    "/sdapi/v1/script-info": [ALTERNATIVE],
    "/controlnet/model_list": {"model_list": ["tile [d14c016b]"]},
    "/sdapi/v1/progress": {"progress": 0.5, "current_task": None, "state": {}},
    "/sdapi/v1/interrupt": {},
    "/sdapi/v1/img2img": {
        "images": [base64.b64encode(_png()).decode()],
        "parameters": {},
        "info": json.dumps({"all_seeds": [1], "infotexts": ["a"], "index_of_first_image": 0}),
    },
}  # fmt: skip


@st.composite
def _image_answers(draw: st.DrawFn) -> bytes:
    """Answers with an image whose description may be anything."""
    answer = dict(A1111["/sdapi/v1/img2img"])
    answer["info"] = draw(texts(json.loads(answer["info"]))).decode("latin-1")
    return json.dumps(answer).encode()


def _stylize(name: str, **options: Any) -> None:
    stylizer = create_stylizer(name, width=128, height=96, retries=0, **options)
    for batch in stylizer.stylize(jobs((4,)), StylizeContext()):
        assert batch[0].image.shape == (48, 64, 3)


@pytest.mark.parametrize("path", [*A1111, "image"])
@fuzz(40)
@given(data=st.data())
def test_answers_of_a1111(path: str, monkeypatch: pytest.MonkeyPatch, data: st.DataObject) -> None:
    bodies = _image_answers() if path == "image" else texts(A1111[path])
    path = "/sdapi/v1/img2img" if path == "image" else path
    with monkeypatch.context() as patch:
        _answer(patch, A1111, path, data.draw(bodies))
        check(
            lambda: _stylize(
                "a1111",
                model="v1-5-pruned-emaonly",
                inversion="plain",
                vae="x",
                controlnet=("tile",),
                control=("none",),
            )
        )


LOADER = {"CheckpointLoaderSimple": {"input": {"required": {"ckpt_name": [["a.ckpt"], {}]}}}}
NEW_LOADER = {
    "CheckpointLoaderSimple": {
        "input": {"required": {"ckpt_name": ["COMBO", {"options": ["a.ckpt"]}]}}
    }
}
FILE = {"filename": "a.png", "subfolder": "", "type": "output"}
OUTPUTS = {"8": {"images": [FILE]}, "9": {"gifs": [FILE], "text": ["a"]}}
FAILED = {
    "status_str": "error",
    "messages": [["execution_error", {"node_id": "6", "exception_message": "out of memory"}]],
}
HISTORY = (
    {"id": {"outputs": OUTPUTS, "status": {"status_str": "success", "messages": []}}},
    {"id": {"outputs": {}, "status": FAILED}},
    {},
)
COMFYUI = {
    "/object_info/": LOADER,
    "/upload/image": {"name": "a.png", "subfolder": "kadr", "type": "input"},
    "/prompt": {"prompt_id": "id", "number": 1, "node_errors": {}},
    "/history/": HISTORY[0],
    "/queue": {"queue_running": [[0, "id", {}]], "queue_pending": []},
    "/interrupt": {},
}
VARIANTS = {"/object_info/": (LOADER, NEW_LOADER), "/history/": HISTORY}


@pytest.mark.parametrize("path", [*COMFYUI, "/view"])
@fuzz(40)
@given(data=st.data())
def test_answers_of_comfyui(
    path: str, monkeypatch: pytest.MonkeyPatch, data: st.DataObject
) -> None:
    valid = VARIANTS.get(path, (COMFYUI.get(path),))
    body = data.draw(texts(*valid) if path in COMFYUI else st.binary(max_size=60))
    answers = COMFYUI | ({"/history/": {}} if path == "/queue" else {})
    with monkeypatch.context() as patch:
        client = _answer(patch, answers, path, body)
        client.answers.setdefault("/view", _png())
        check(lambda: _stylize("comfyui", model="a"))


MESSAGE = {"type": "progress", "data": {"value": 1, "max": 20, "node": "6"}}


@fuzz(100)
@given(texts(MESSAGE))
def test_messages_of_comfyui(message: bytes) -> None:
    shares: list[float] = []
    context = StylizeContext(progress=lambda index, share: shares.append(share))
    progress = _StepProgress(next(jobs((4,))), context)
    progress.on_message(message.decode("latin-1"))
    progress.report()
    assert all(0 <= share <= 1 for share in shares)


# --- workflows and pictures ------------------------------------------------------------------

GRAPH = plain_graph("a.ckpt")
GRAPH["9"] = {"class_type": "String", "inputs": {"value": "x"}, "_meta": {"title": "Title"}}
CHANGES: tuple[dict[str, Any], ...] = (
    {},
    {"prompt": "oil", "negative_prompt": "bad", "model": "a"},
    {"steps": 3, "seed": 5, "cfg_scale": 2.0, "denoising_strength": 0.5, "sampler": "Euler a"},
    {"sampler_node": "KSampler", "scheduler": "karras", "seed": 1},
    {"patch": ("6.steps=3", "Title.value=[1")},
)


@fuzz(100)
@given(texts(GRAPH, {"prompt": GRAPH}), st.sampled_from(CHANGES))
def test_workflows(text: bytes, changes: dict[str, Any]) -> None:
    options = ComfyUIOptions(**changes)

    def use() -> None:
        graph = parse_graph(text, Path("graph.json"))
        read_graph_settings(graph)
        graph = apply_options(graph, options, ["a.ckpt"])
        assert isinstance(graph_infotext(graph, options, (8, 8)), str)

    check(use)


FIELD = st.tuples(
    st.sampled_from([*_OPTIONS, "Size", "Model hash", "Hashes", "Schedule type"]) | ANY_TEXT,
    st.one_of(
        ANY_TEXT,
        LEAVES.map(str),
        LEAVES.map(json.dumps),
        st.sampled_from(["5.0", "1e999", "9" * 5000, "512x512", "True", "{", '"', "a: b, c"]),
    ),
)


@st.composite
def infotexts(draw: st.DrawFn) -> str:
    """Texts like those of A1111, with any fields."""
    fields = draw(st.lists(FIELD, max_size=8))
    line = ", ".join(f"{name}: {value}" for name, value in fields)
    break_ = draw(st.sampled_from(["\n", "\r\n"]))
    return break_.join([draw(ANY_TEXT), f"Negative prompt: {draw(ANY_TEXT)}", line, draw(ANY_TEXT)])


@fuzz(100)
@given(infotexts() | st.text())
def test_infotexts(text: str) -> None:
    info = parse_infotext(text)
    start = time.monotonic()
    assert isinstance(infotext_settings(info), dict)
    assert other_fields(info).keys() <= info.fields.keys()
    assert time.monotonic() - start < _SECONDS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where pictures are written."""
    return tmp_path_factory.mktemp("pictures")


@pytest.mark.parametrize("stylizer", ["a1111", "comfyui", "diffusion"])
@fuzz(40)
@given(data=st.data())
def test_settings_of_pictures(stylizer: str, folder: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["parameters", "prompt"]))
    text = data.draw(infotexts() if name == "parameters" else texts(GRAPH))
    content = text if isinstance(text, str) else text.decode("latin-1")
    path = folder / "picture.png"
    path.write_bytes(with_text(_png(), name, content.encode("utf-8", "replace").decode()))

    def use() -> None:
        options = read_image_settings(path, stylizer).options
        required = {"model": "any"} if stylizer == "diffusion" else {}
        create_stylizer(stylizer, **required | dict(options))

    check(use)
