"""The stylizer ``comfyui`` against a real server with its interface, and its failures."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fake_comfyui import FakeComfyUI
from fake_http import ReceivedRequest, Response, json_response
from stylize_samples import jobs, picture

from kadr.core.events import CancelToken
from kadr.core.frames import Frame
from kadr.core.png import with_text
from kadr.errors import BackendError, Cancelled, InputError, OptionsError
from kadr.stylize.base import StyledFrame, StylizeContext, StylizeJob
from kadr.stylize.infotext import PARAMETERS, infotext_settings, parse_infotext
from kadr.stylize.registry import create_stylizer
from kadr.stylize.servers.comfyui import _StepProgress
from kadr.stylize.servers.comfyui_graph import plain_graph
from kadr.stylize.servers.comfyui_options import ComfyUIOptions
from kadr.stylize.servers.comfyui_settings import apply_options

SIZE = {"width": 128, "height": 96}
MODEL = "sd15/v1-5-pruned-emaonly.safetensors"


@pytest.fixture
def server() -> Iterator[FakeComfyUI]:
    with FakeComfyUI() as running:
        yield running


def _run(
    server: FakeComfyUI,
    context: StylizeContext | None = None,
    indices: tuple[int, ...] = (4,),
    **options: Any,
) -> list[StyledFrame]:
    if "workflow" not in options:
        options = {"model": "v1-5-pruned-emaonly", **SIZE, **options}
    stylizer = create_stylizer("comfyui", url=server.url, **options)
    batches = stylizer.stylize(jobs(indices), context or StylizeContext())
    return [styled for batch in batches for styled in batch]


def _graph(server: FakeComfyUI) -> dict:
    return server.requests_to("/prompt")[-1].json["prompt"]


def _saved(tmp_path: Path, graph: Any) -> Path:
    path = tmp_path / "graph.json"
    path.write_text(json.dumps(graph))
    return path


def _users_graph() -> dict[str, Any]:
    """A graph as users export it: with titles, a ControlNet, a text node and a preview."""
    graph = plain_graph(MODEL)
    graph["4"]["inputs"]["text"] = ["20", 0]
    graph["5"]["inputs"]["text"] = "ugly"
    graph["4"]["_meta"] = {"title": "Positive"}
    graph["6"]["_meta"] = {"title": "First pass"}
    graph["6"]["inputs"] |= {"positive": ["21", 0], "negative": ["22", 0], "seed": 321}
    graph["20"] = {"class_type": "PrimitiveString", "inputs": {"value": "a photo"}}
    graph["21"] = {"class_type": "ControlNetApply", "inputs": {"conditioning": ["4", 0]}}
    graph["22"] = {"class_type": "ControlNetApply", "inputs": {"conditioning": ["5", 0]}}
    graph["30"] = {"class_type": "PreviewImage", "inputs": {"images": ["2", 0]}}
    return graph


def test_notation_that_comfyui_does_not_read_is_told(caplog: pytest.LogCaptureFixture) -> None:
    options = ComfyUIOptions(prompt="a (man:1.2) [at sea:0.5] <lora:ink:1>", negative_prompt="bad")
    apply_options(plain_graph("m"), options, [])
    assert caplog.messages == [
        "the positive prompt has <lora:…>, [a:b:0.5] or [a|b]: ComfyUI takes it for words unless a "
        "node of the graph reads it"
    ]


def test_frames_are_sent_and_returned_without_a_workflow(server: FakeComfyUI) -> None:
    server.paint = lambda image, request: image
    (styled,) = _run(server, prompt="oil")
    assert styled.image.shape == (48, 64, 3)
    assert np.abs(styled.image.astype(int) - picture(seed=4)).mean() < 3
    (name,) = server.files.keys() - {f for f in server.files if f.startswith("output")}
    sent = cv2.imdecode(np.frombuffer(server.files[name], np.uint8), cv2.IMREAD_COLOR)
    assert sent.shape == (96, 128, 3)


def test_the_plain_graph_accepts_every_option(server: FakeComfyUI) -> None:
    _run(
        server,
        prompt="oil",
        negative_prompt="photo",
        denoising_strength=0.4,
        cfg_scale=5.5,
        steps=12,
        sampler="DPM++ 2M Karras",
        seed=77,
    )
    graph = _graph(server)
    assert graph["1"]["inputs"]["ckpt_name"] == MODEL
    assert graph["4"]["inputs"]["text"] == "oil"
    assert graph["5"]["inputs"]["text"] == "photo"
    expected = {
        "denoise": 0.4,
        "cfg": 5.5,
        "steps": 12,
        "sampler_name": "dpmpp_2m",
        "scheduler": "karras",
        "seed": 77,
    }
    assert {name: graph["6"]["inputs"][name] for name in expected} == expected


def test_only_the_frame_of_a_workflow_changes(server: FakeComfyUI, tmp_path: Path) -> None:
    graph = _users_graph()
    _run(server, workflow=_saved(tmp_path, graph))
    ran = _graph(server)
    assert ran["2"]["inputs"].pop("image").startswith("kadr/kadr-")
    graph["2"]["inputs"].pop("image")
    assert ran == graph


def test_a_workflow_gets_frames_in_their_size(server: FakeComfyUI, tmp_path: Path) -> None:
    path = _saved(tmp_path, _users_graph())
    stylizer = create_stylizer("comfyui", url=server.url, workflow=path)
    list(stylizer.stylize([StylizeJob(Frame(0, picture(45, 61)), 0, 1)], StylizeContext()))
    name = next(name for name in server.files if name.startswith("input"))
    sent = cv2.imdecode(np.frombuffer(server.files[name], np.uint8), cv2.IMREAD_COLOR)
    assert sent.shape == (48, 64, 3)


def test_prompts_are_found_along_the_links(server: FakeComfyUI, tmp_path: Path) -> None:
    path = _saved(tmp_path, _users_graph())
    _run(server, workflow=path, prompt="oil", negative_prompt="photo")
    graph = _graph(server)
    assert graph["20"]["inputs"]["value"] == "oil"
    assert graph["5"]["inputs"]["text"] == "photo"
    assert graph["4"]["inputs"]["text"] == ["20", 0]


@pytest.mark.parametrize("name", ["6", "First pass", "first PASS", "KSampler"])
def test_nodes_are_found_by_id_title_or_class(
    server: FakeComfyUI, tmp_path: Path, name: str
) -> None:
    path = _saved(tmp_path, _users_graph())
    _run(server, workflow=path, patch=(f"{name}.steps=7", f"{name}.sampler_name=heun"))
    inputs = _graph(server)["6"]["inputs"]
    assert (inputs["steps"], inputs["sampler_name"]) == (7, "heun")


def _two_passes() -> dict[str, Any]:
    graph = _users_graph()
    graph["9"] = {
        "class_type": "KSampler",
        "inputs": {**graph["6"]["inputs"], "latent_image": ["6", 0], "seed": 5},
    }
    graph["7"]["inputs"]["samples"] = ["9", 0]
    return graph


def test_of_several_samplers_one_must_be_named(server: FakeComfyUI, tmp_path: Path) -> None:
    path = _saved(tmp_path, _two_passes())
    with pytest.raises(OptionsError, match=r"steps: 6 \(First pass\), 9 \(KSampler\) have steps"):
        _run(server, workflow=path, steps=9)
    assert not server.requests_to("/prompt")
    _run(server, workflow=path, steps=9, seed=11, sampler_node="First pass")
    graph = _graph(server)
    assert (graph["6"]["inputs"]["steps"], graph["9"]["inputs"]["steps"]) == (9, 20)
    assert (graph["6"]["inputs"]["seed"], graph["9"]["inputs"]["seed"]) == (11, 5)
    _run(server, workflow=path, seed=11)
    graph = _graph(server)
    assert (graph["6"]["inputs"]["seed"], graph["9"]["inputs"]["seed"]) == (11, 11)


def _separate_nodes(latent: str) -> dict[str, Any]:
    """A sampler as in newer graphs: each setting has its own node."""
    return {
        "sample": {
            "class_type": "SamplerCustomAdvanced",
            "inputs": {
                "noise": ["noise", 0],
                "guider": ["guider", 0],
                "sampler": ["select", 0],
                "sigmas": ["levels", 0],
                "latent_image": [latent, 0],
            },
        },
        "noise": {"class_type": "RandomNoise", "inputs": {"noise_seed": 8}},
        "select": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler"}},
        "levels": {
            "class_type": "BasicScheduler",
            "inputs": {"steps": 20, "denoise": 0.4, "scheduler": "simple"},
        },
        "guider": {
            "class_type": "CFGGuider",
            "inputs": {"cfg": 3.0, "positive": ["4", 0], "negative": ["5", 0]},
        },
    }


def test_settings_in_nodes_of_their_own(server: FakeComfyUI, tmp_path: Path) -> None:
    alone = {key: node for key, node in _users_graph().items() if key != "6"} | _separate_nodes("3")
    alone["7"]["inputs"]["samples"] = ["sample", 0]
    options = {"steps": 4, "denoising_strength": 0.3, "cfg_scale": 2, "seed": 1, "sampler": "Heun"}
    _run(server, workflow=_saved(tmp_path, alone), prompt="oil", **options)
    graph = _graph(server)
    assert graph["levels"]["inputs"] == {"steps": 4, "denoise": 0.3, "scheduler": "simple"}
    assert graph["noise"]["inputs"]["noise_seed"] == 1
    assert graph["guider"]["inputs"]["cfg"] == 2
    assert graph["select"]["inputs"]["sampler_name"] == "heun"
    assert graph["20"]["inputs"]["value"] == "oil"
    # after another pass, whose settings do not change
    second = _users_graph() | _separate_nodes("6")
    second["7"]["inputs"]["samples"] = ["sample", 0]
    path = _saved(tmp_path, second)
    _run(server, workflow=path, sampler_node="SamplerCustomAdvanced", **options)
    graph = _graph(server)
    assert graph["levels"]["inputs"]["steps"] == 4
    assert graph["noise"]["inputs"]["noise_seed"] == 1
    assert graph["6"]["inputs"]["steps"] == 20
    assert graph["6"]["inputs"]["seed"] == 321


def test_seed_each_gives_each_frame_its_own_seed(server: FakeComfyUI) -> None:
    _run(server, indices=(1, 2), seed_each=True)
    first, second = (s.json["prompt"]["6"]["inputs"]["seed"] for s in server.requests_to("/prompt"))
    assert first != second


def test_the_saved_image_is_used_not_the_preview(server: FakeComfyUI, tmp_path: Path) -> None:
    (styled,) = _run(server, workflow=_saved(tmp_path, _users_graph()))
    difference = np.abs(styled.image.astype(int) - picture(seed=4)).mean()
    (preview,) = _run(server, workflow=_saved(tmp_path, _users_graph()), output_node="30")
    assert difference > 10
    np.testing.assert_array_equal(preview.image, picture(seed=4))


def test_of_several_saved_images_one_must_be_named(server: FakeComfyUI, tmp_path: Path) -> None:
    graph = _users_graph()
    graph["30"]["class_type"] = "SaveImage"
    path = _saved(tmp_path, graph)
    with pytest.raises(
        OptionsError, match="output-node: nodes 8, 30 made images; give -O output-node=NODE"
    ):
        _run(server, workflow=path)
    _run(server, workflow=path, output_node="8")
    with pytest.raises(OptionsError, match=r"output-node 7: made no image; 8, 30 did"):
        _run(server, workflow=path, output_node="VAEDecode")


def test_the_graphs_parameters_are_in_the_info(server: FakeComfyUI, tmp_path: Path) -> None:
    path = _saved(tmp_path, _users_graph())
    (styled,) = _run(server, workflow=path, prompt="oil", sampler="DPM++ 2M Karras")
    assert infotext_settings(parse_infotext(styled.info[PARAMETERS])) == {
        "prompt": "oil",
        "negative_prompt": "ugly",
        "steps": 20,
        "sampler": "DPM++ 2M Karras",
        "cfg_scale": 7.0,
        "seed": 321,
        "width": 64,
        "height": 48,
        "model": "v1-5-pruned-emaonly",
        "denoising_strength": 0.5,
        "noise_source": "cpu",
    }


def test_the_scheduler_in_a_sampler_name_is_set_and_in_the_info(server: FakeComfyUI) -> None:
    (styled,) = _run(server, sampler="Euler Simple")
    assert _graph(server)["6"]["inputs"]["sampler_name"] == "euler"
    assert _graph(server)["6"]["inputs"]["scheduler"] == "simple"
    assert infotext_settings(parse_infotext(styled.info[PARAMETERS]))["sampler"] == "Euler Simple"


def test_the_mask_is_sent_as_alpha(server: FakeComfyUI) -> None:
    mask = np.zeros((48, 64), bool)
    mask[:, :32] = True
    (styled,) = _run(server, StylizeContext(mask=lambda index: mask))
    np.testing.assert_array_equal(styled.image[:, 32:], picture(seed=4)[:, 32:])
    assert (styled.image[:, :32] != picture(seed=4)[:, :32]).any()
    name = next(name for name in server.files if name.startswith("input"))
    sent = cv2.imdecode(np.frombuffer(server.files[name], np.uint8), cv2.IMREAD_UNCHANGED)
    assert (sent[:, :60, 3] == 0).all()
    assert (sent[:, 68:, 3] == 255).all()


def test_the_frames_of_a_run_overwrite_one_file(server: FakeComfyUI) -> None:
    server.paint = lambda image, request: image
    stylizer = create_stylizer("comfyui", url=server.url, model=MODEL, **SIZE)
    styled = [
        batch[0]
        for indices in ((4, 5), (6,))
        for batch in stylizer.stylize(jobs(indices), StylizeContext())
    ]
    for index, frame in zip((4, 5, 6), styled, strict=True):
        assert np.abs(frame.image.astype(int) - picture(seed=index)).mean() < 3
    assert len([file for file in server.files if file.startswith("input/")]) == 1
    _run(server)  # another run has a file of its own
    assert len([file for file in server.files if file.startswith("input/")]) == 2


def test_a_loader_that_may_know_files_by_their_names_gets_a_new_one_for_each_frame(
    server: FakeComfyUI, tmp_path: Path
) -> None:
    server.paint = lambda image, request: image
    graph = _users_graph()
    graph["2"]["class_type"] = "LoadByName"
    options = {"workflow": _saved(tmp_path, graph), "image_node": "2", "output_node": "8"}
    context = StylizeContext(number=lambda index: index + 1000)
    styled = _run(server, context, indices=(4, 5), **options)
    for index, frame in zip((4, 5), styled, strict=True):
        assert np.abs(frame.image.astype(int) - picture(seed=index)).mean() < 3
    assert "kadr-1005-" in _graph(server)["2"]["inputs"]["image"]


def test_the_same_frame_again_is_not_taken_from_the_cache(server: FakeComfyUI) -> None:
    first, second = _run(server, seed=3)[0], _run(server, seed=3)[0]
    np.testing.assert_array_equal(first.image, second.image)
    assert (_run(server, seed=4)[0].image != first.image).any()


@pytest.mark.parametrize("times", [1, 2, 9])
def test_a_run_without_images_is_repeated(server: FakeComfyUI, times: int, tmp_path: Path) -> None:
    graph = _users_graph()
    if times == 9:
        del graph["8"], graph["30"]
    else:
        entry = {"outputs": {}, "status": None}
        real_respond = server.respond

        def respond_without_images(request):
            nonlocal times
            name = request.path.rpartition("/")[2]
            if request.path.startswith("/history/") and name in server.history and times:
                times -= 1
                return json_response({name: entry})
            return real_respond(request)

        server.respond = respond_without_images
    path = _saved(tmp_path, graph)
    if times == 9:
        with pytest.raises(BackendError, match="ran 3 times and left no image"):
            _run(server, workflow=path)
    else:
        assert len(_run(server, workflow=path)) == 1


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (
            {"gifs": [{"filename": "a.mp4", "type": "output"}]},
            r"node 8 \(SaveImage\) wrote gifs, and no node .*; end the workflow in a SaveImage",
        ),
        ({"images": ["x"]}, r"node 8 \(SaveImage\) wrote images, and no node wrote an image that"),
        ({"images": [{"filename": 5}], "text": ["a"]}, "wrote images, and no node"),
    ],
)
def test_a_run_that_leaves_no_image_is_not_repeated(
    server: FakeComfyUI, output: dict, message: str
) -> None:
    real_respond = server.respond

    def respond(request: ReceivedRequest) -> Response:
        name = request.path.rpartition("/")[2]
        if request.path.startswith("/history/") and name in server.history:
            return json_response({name: {"outputs": {"8": output, "99": {"text": [5]}}}})
        return real_respond(request)

    server.respond = respond
    with pytest.raises(BackendError, match=message):
        _run(server)
    assert len(server.requests_to("/prompt")) == 1


@pytest.mark.parametrize(
    "entry",
    [
        [],
        {"outputs": "x"},
        {"outputs": {"8": [1]}, "status": [1]},
        {"outputs": {"8": {"images": 5}}},
        {"outputs": {"8": {"text": ["a"]}}},
        {"status": {"status_str": ["error"]}},
    ],
)
def test_a_history_of_other_values_is_no_image(
    server: FakeComfyUI, monkeypatch: pytest.MonkeyPatch, entry: Any
) -> None:
    for name in ("_MIN_POLL_SECONDS", "_MAX_POLL_SECONDS"):
        monkeypatch.setattr(f"kadr.stylize.servers.comfyui_queue.{name}", 0.01)
    real_respond = server.respond

    def respond(request: ReceivedRequest) -> Response:
        name = request.path.rpartition("/")[2]
        if request.path.startswith("/history/"):
            return json_response({name: entry})
        return real_respond(request)

    server.respond = respond
    with pytest.raises(BackendError, match="ran 3 times and left no image"):
        _run(server)


@pytest.mark.parametrize(
    "choices", [None, 5, [], ["COMBO"], ["COMBO", 5], ["COMBO", {"options": "abc"}], {"0": []}]
)
def test_a_list_of_checkpoints_that_is_none_is_one_line(server: FakeComfyUI, choices: Any) -> None:
    info = {"input": {"required": {"ckpt_name": choices}}}
    server.fail("CheckpointLoaderSimple", json_response({"CheckpointLoaderSimple": info}))
    with pytest.raises(BackendError, match="lists no checkpoints"):
        _run(server)


@pytest.mark.parametrize(
    "message",
    [
        "[" * 100_000,
        "NaN",
        '{"type": "progress", "data": {"value": 1, "max": 0}}',
        '{"type": "progress", "data": {"value": 1e999, "max": "x"}}',
        '{"type": "progress", "data": [1]}',
        '{"type": ["progress"], "data": {"value": 1, "max": 2}}',
    ],
)
def test_messages_of_other_values_are_no_progress(message: str) -> None:
    shares: list[float] = []
    context = StylizeContext(progress=lambda index, share: shares.append(share))
    (job,) = jobs((4,))
    progress = _StepProgress(job, context)
    progress.on_message(message)
    progress.report()
    assert shares == []
    progress.on_message('{"type": "progress", "data": {"value": 1, "max": 4}}')
    progress.report()
    assert shares == [0.25]


def test_a_lost_prompt_is_queued_again(
    server: FakeComfyUI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kadr.stylize.servers.comfyui_queue._MAX_POLL_SECONDS", 0.06)
    server.forget = 2
    assert len(_run(server)) == 1
    assert len(server.requests_to("/prompt")) == 3
    server.forget = 9
    with pytest.raises(BackendError, match="ran 3 times and left no image"):
        _run(server)


def test_a_failing_node_is_named(server: FakeComfyUI) -> None:
    server.error = {
        "node_id": "6",
        "node_type": "KSampler",
        "exception_type": "torch.OutOfMemoryError",
        "exception_message": "Allocation on device 0\nwould exceed: out of memory",
    }
    with pytest.raises(
        BackendError,
        match=r"node 6 \(KSampler\): torch.OutOfMemoryError: .*out of memory; give fewer pixels$",
    ) as caught:
        _run(server)
    assert "\n" not in str(caught.value)


def test_an_interruption_at_the_server_is_an_error() -> None:
    with FakeComfyUI(slow=20) as server:
        threading.Timer(0.4, server.interrupted.set).start()
        with pytest.raises(BackendError, match="interrupted at the server"):
            _run(server)


def test_a_refused_graph_is_an_error(server: FakeComfyUI, tmp_path: Path) -> None:
    graph = _users_graph()
    graph["50"] = {"class_type": "IPAdapter", "inputs": {}}
    with pytest.raises(BackendError, match=r"400, Cannot execute because node IPAdapter does not"):
        _run(server, workflow=_saved(tmp_path, graph))
    server.fail("/prompt", json_response({"error": {"message": "odd"}}, 400))
    with pytest.raises(BackendError, match="400, odd"):
        _run(server)


@pytest.mark.parametrize(
    ("node", "name", "value", "message"),
    [
        ("1", "ckpt_name", "sdxl", r"node 1 \(CheckpointLoaderSimple\), ckpt_name 'sdxl': the"),
        ("6", "sampler_name", "dpmpp2m", r"6 \(First pass\), sampler_name .*server has dpmpp_2m"),
        ("6", "scheduler", "karas", r"6 \(First pass\), scheduler 'karas': the server has karras"),
    ],
)
def test_an_unknown_name_in_a_graph_is_told_with_the_nearest_ones(
    server: FakeComfyUI, tmp_path: Path, node: str, name: str, value: str, message: str
) -> None:
    graph = _users_graph()
    graph[node]["inputs"][name] = value
    with pytest.raises(OptionsError, match=message):
        _run(server, workflow=_saved(tmp_path, graph), model="")
    # a server that does not list what it knows
    server.fail(f"/object_info/{graph[node]['class_type']}", json_response({}, 404))
    with pytest.raises(BackendError, match=f"400, .*Value not in list; {name}: '{value}'"):
        _run(server, workflow=_saved(tmp_path, graph), model="")


def test_the_model_must_exist_and_be_unambiguous(server: FakeComfyUI) -> None:
    with pytest.raises(
        OptionsError, match=r"model 'sd2': the server has sdxl\.safetensors, sd15/v1"
    ):
        _run(server, model="sd2")
    with pytest.raises(OptionsError, match=r"model: give --model NAME, one of sd15/v1-5.*, sdxl"):
        _run(server, model="")
    server.models = ["only.safetensors"]
    _run(server, model="")
    assert _graph(server)["1"]["inputs"]["ckpt_name"] == "only.safetensors"
    info = {"input": {"required": {"ckpt_name": ["COMBO", {"options": ["new.ckpt"]}]}}}
    server.models = ["new.ckpt"]
    server.fail("CheckpointLoaderSimple", json_response({"CheckpointLoaderSimple": info}))
    _run(server, model="new")
    server.fail("CheckpointLoaderSimple", json_response([]))
    with pytest.raises(BackendError, match="lists no checkpoints"):
        _run(server)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"graph\.json: not JSON"),
        ("[]", r"not a ComfyUI graph; export it with Export \(API\)"),
        ('{"a": 1}', "not a ComfyUI graph"),
        ("{}", "not a ComfyUI graph"),
        ('{"nodes": [], "links": []}', "as the editor saves it"),
        ("[" * 100_000, r"not JSON \(more than 100 levels of brackets\)"),
        ('{"1": {"inputs": {"a": ' + '{"a":' * 200 + "1" + "}" * 203, "more than 100 levels"),
        ("[NaN, 1e999]", "not a ComfyUI graph"),
        ("GIF89a\xff", "not JSON but other data"),
        (json.dumps({str(key): {"inputs": {}} for key in range(6000)}), "6000 nodes"),
    ],
)
def test_other_files_are_errors(
    server: FakeComfyUI, tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "graph.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(InputError, match=message) as caught:
        _run(server, workflow=path)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"missing\.json: cannot be read"):
        _run(server, workflow=tmp_path / "missing.json")


def _comfyui_picture(folder: Path, **texts: str) -> Path:
    """A PNG with texts, as ComfyUI saves them."""
    png = cv2.imencode(".png", picture())[1].tobytes()
    for name, text in texts.items():
        png = with_text(png, name, text)
    path = folder / "picture.png"
    path.write_bytes(png)
    return path


def test_the_graph_of_a_picture_is_a_workflow(server: FakeComfyUI, tmp_path: Path) -> None:
    graph = _users_graph()
    graph["2"]["is_changed"] = [math.nan]
    editor = json.dumps({"nodes": [], "links": []})
    path = _comfyui_picture(tmp_path, workflow=editor, prompt=json.dumps(graph))
    assert len(_run(server, workflow=path)) == 1
    sent = _graph(server)
    del graph["2"]["is_changed"]
    graph["2"]["inputs"]["image"] = sent["2"]["inputs"]["image"]
    assert sent == graph


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"workflow": "{}"}, "holds only the workflow as the editor saves it"),
        ({"parameters": "oil"}, "a picture without a ComfyUI graph"),
        ({"prompt": "oil"}, r"picture\.png: not JSON"),
        ({"prompt": "[1]"}, "not a ComfyUI graph"),
    ],
)
def test_a_picture_without_a_graph_is_an_error(
    server: FakeComfyUI, tmp_path: Path, texts: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        _run(server, workflow=_comfyui_picture(tmp_path, **texts))


def test_a_graph_inside_a_request_is_accepted(server: FakeComfyUI, tmp_path: Path) -> None:
    assert _run(server, workflow=_saved(tmp_path, {"prompt": _users_graph()}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prompt_node": "Nobody"}, r"prompt-node 'Nobody': no such node; there are 1 \("),
        ({"prompt_node": "CLIPTextEncode"}, r"4 \(Positive\), 5 \(CLIPTextEncode\) have this name"),
        ({"image_node": "77"}, "image-node '77': no such node"),
        ({"output_node": "77"}, "output-node '77': no such node"),
        ({"patch": ("6.stepz=3",)}, r"patch '6\.stepz=3': the node has model, positive"),
        ({"patch": ("66.steps=3",)}, r"node '66': no such node"),
    ],
)
def test_missing_nodes_are_errors_before_any_frame(
    server: FakeComfyUI, tmp_path: Path, options: dict, message: str
) -> None:
    with pytest.raises(OptionsError, match=message):
        _run(server, workflow=_saved(tmp_path, _users_graph()), prompt="oil", **options)
    assert not server.requests_to("/prompt")


def test_a_graph_without_the_necessary_nodes_is_an_error(
    server: FakeComfyUI, tmp_path: Path
) -> None:
    graph = _users_graph()
    del graph["2"]
    with pytest.raises(OptionsError, match="image-node: expected one LoadImage"):
        _run(server, workflow=_saved(tmp_path, graph))
    graph = {"2": {"class_type": "LoadImage", "inputs": {"image": ""}}}
    with pytest.raises(OptionsError, match="prompt-node: no node of the workflow"):
        _run(server, workflow=_saved(tmp_path, graph), prompt="oil")
    with pytest.raises(OptionsError, match="steps: no node of the workflow has steps to set"):
        _run(server, workflow=_saved(tmp_path, graph), steps=3)


@pytest.mark.parametrize(
    ("path", "fault", "message"),
    [
        ("/upload/image", json_response({}), "took no image"),
        ("/prompt", json_response({}), "queued no prompt"),
        ("/prompt", Response(200, b"<html>"), "is not JSON"),
        ("/view", Response(200, b"GIF89a"), "6 bytes that are no image"),
        ("/view", Response(404), "404"),
    ],
)
def test_errors_have_one_line(
    server: FakeComfyUI, path: str, fault: Response, message: str
) -> None:
    server.fail(path, fault, times=9)
    with pytest.raises(BackendError, match=message) as caught:
        _run(server, retries=0)
    assert "\n" not in str(caught.value)


def test_dropped_connections_are_retried_everywhere(server: FakeComfyUI) -> None:
    expected = _run(server)[0]
    for path in ("/upload/image", "/prompt", "/view", "CheckpointLoaderSimple"):
        server.fail(path, Response(drop=True))
    server.fail("/view", Response(200, b"GIF89a and more", cut=3))
    np.testing.assert_array_equal(_run(server)[0].image, expected.image)


def test_an_image_of_another_aspect_is_an_error(server: FakeComfyUI, tmp_path: Path) -> None:
    graph = _users_graph()
    scale = {"image": ["7", 0], "width": 64, "height": 64}
    graph["10"] = {"class_type": "ImageScale", "inputs": scale}
    graph["8"]["inputs"]["images"] = ["10", 0]
    with pytest.raises(BackendError, match=r"64×64 pixels, the frame has 64×48"):
        _run(server, workflow=_saved(tmp_path, graph))
    scale |= {"width": 160, "height": 120}
    assert _run(server, workflow=_saved(tmp_path, graph))[0].image.shape == (48, 64, 3)


def test_an_image_of_one_colour_is_no_error(server: FakeComfyUI) -> None:
    server.paint = lambda image, request: np.zeros_like(image)
    assert not _run(server)[0].image.any()


def test_a_slow_server_is_interrupted_after_the_time_out() -> None:
    with FakeComfyUI(slow=30) as server:
        with pytest.raises(BackendError, match="no image within 1 s"):
            _run(server, timeout=1)
        assert server.interrupted.wait(2)


def test_a_prompt_is_interrupted_if_its_history_fails() -> None:
    class WithoutHistory(FakeComfyUI):
        def respond(self, request: ReceivedRequest) -> Response:
            fails = request.path.startswith("/history/") and self.running
            return Response(500) if fails else super().respond(request)

    with WithoutHistory(slow=30) as server:
        with pytest.raises(BackendError, match="500"):
            _run(server, retries=0)
        assert server.interrupted.wait(2)


def test_a_prompt_is_stopped_if_the_response_to_it_is_lost() -> None:
    class WithoutResponse(FakeComfyUI):
        def respond(self, request: ReceivedRequest) -> Response:
            response = super().respond(request)
            return Response(drop=True) if request.path == "/prompt" else response

    with WithoutResponse(slow=30) as server:
        with pytest.raises(BackendError, match="broke off"):
            _run(server, retries=0)
        assert server.interrupted.wait(2) or not server.running


def test_cancellation_interrupts_the_server() -> None:
    cancel = CancelToken()
    with FakeComfyUI(slow=30) as server:
        threading.Timer(0.3, cancel.cancel).start()
        start = time.monotonic()
        with pytest.raises(Cancelled):
            _run(server, StylizeContext(cancel=cancel))
        assert time.monotonic() - start < 5
        assert server.interrupted.wait(2)


def test_cancellation_does_not_interrupt_other_users() -> None:
    cancel = CancelToken()
    with FakeComfyUI(slow=30) as server:

        def run_other() -> None:
            with pytest.raises(BackendError):
                _run(server)

        other = threading.Thread(target=run_other)
        other.start()
        while not server.running:
            time.sleep(0.01)
        threading.Timer(0.3, cancel.cancel).start()
        with pytest.raises(Cancelled):
            _run(server, StylizeContext(cancel=cancel))
        assert not server.interrupted.is_set()
        assert not server.pending
        server.interrupted.set()
        other.join()


def test_progress_comes_from_the_server() -> None:
    reports: list[tuple[int, float]] = []
    with FakeComfyUI(slow=1.2) as server:
        _run(server, StylizeContext(progress=lambda index, share: reports.append((index, share))))
    shares = [share for _, share in reports]
    assert {index for index, _ in reports} == {4}
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert any(0 < share < 0.95 for share in shares)


def test_a_server_without_a_websocket_works_too(server: FakeComfyUI) -> None:
    server.websocket = lambda request, connection: False
    assert len(_run(server)) == 1


def test_a_password() -> None:
    with FakeComfyUI(auth="a:b") as guarded:
        _run(guarded, auth="a:b")
        with pytest.raises(BackendError, match="401"):
            _run(guarded)


def test_no_jobs_no_requests(server: FakeComfyUI) -> None:
    assert _run(server, indices=()) == []
    assert not server.requests


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patch": ("steps=3",)}, r"patch 'steps=3': expected NODE\.input=value"),
        ({"patch": ("3.steps",)}, "expected NODE"),
        ({"seed": 3, "seed_each": True}, "seed-each: gives each frame its own seed"),
        ({"steps": 0}, "steps 0: expected 1 to"),
    ],
)
def test_bad_options_are_errors_before_any_request(options: dict, message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        create_stylizer("comfyui", **options)
