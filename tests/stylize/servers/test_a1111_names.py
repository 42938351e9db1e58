"""Names on a web interface: found however they are written, and refused where they are unknown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_a1111 import FakeA1111
from fake_http import json_response
from stylize_samples import jobs

from kadr.errors import OptionsError
from kadr.stylize.base import StylizeContext
from kadr.stylize.registry import create_stylizer

NOT_FOUND = json_response({"detail": "Not Found"}, 404)


@pytest.fixture
def server() -> Iterator[FakeA1111]:
    with FakeA1111() as running:
        yield running


def _run(server: FakeA1111, **options: Any) -> None:
    stylizer = create_stylizer("a1111", url=server.url, width=128, height=96, **options)
    list(stylizer.stylize(jobs((4,)), StylizeContext()))


@pytest.mark.parametrize(
    ("sampler", "scheduler", "used"),
    [
        ("Euler", "", ("Euler", "Automatic")),
        ("euler A", "", ("Euler a", "Automatic")),
        ("k_euler_a", "", ("Euler a", "Automatic")),
        ("DPM++ 2M", "karras", ("DPM++ 2M", "Karras")),
        ("DPM++ 2M Karras", "", ("DPM++ 2M", "Karras")),
        ("dpm++ 2m sgm_uniform", "", ("DPM++ 2M", "SGM Uniform")),
        ("DPM++ 2M Karras", "Karras", ("DPM++ 2M", "Karras")),
    ],
)
def test_a_sampler_is_found_however_it_is_written(
    server: FakeA1111, sampler: str, scheduler: str, used: tuple[str, str]
) -> None:
    _run(server, sampler=sampler, scheduler=scheduler)
    assert (server.used[0]["sampler"], server.used[0]["scheduler"]) == used


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"sampler": "Eular"},
            r"^sampler 'Eular': the server has Euler, Euler a, .*nearest first$",
        ),
        ({"sampler": "Eular Karras"}, r"^sampler 'Eular Karras': the server has Euler"),
        ({"scheduler": "karas"}, r"^scheduler 'karas': the server has Karras, Automatic"),
        (
            {"sampler": "DPM++ 2M Karras", "scheduler": "SGM Uniform"},
            "names the scheduler Karras, and the option scheduler says SGM Uniform; leave out one",
        ),
        (
            {"vae": "vae-ft-mse"},
            r"^vae 'vae-ft-mse': the server has vae-ft-mse-840000\.safetensors",
        ),
        ({"model": "sdxl"}, r"^model 'sdxl': the server has sd-v1-5-inpainting, v1-5-pruned-ema"),
        (
            {"controlnet": ("tile",), "control": ("cany",)},
            "^control 'cany': the server has canny, none, depth_midas, nearest first$",
        ),
    ],
)
def test_an_unknown_name_is_an_error_before_any_frame(
    server: FakeA1111, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(OptionsError, match=message):
        _run(server, **options)
    assert not server.requests_to("/img2img")


def test_names_in_a_payload_are_checked_too(server: FakeA1111, tmp_path: Path) -> None:
    for fields, message in (
        ({"sampler_name": "Eular"}, "sampler 'Eular'"),
        ({"scheduler": "karas"}, "scheduler 'karas'"),
        ({"override_settings": {"sd_vae": "x"}}, "vae 'x'"),
        ({"override_settings": {"sd_model_checkpoint": "x"}}, "model 'x'"),
        ({"override_settings": {"eta_noise": 1}}, "the server has no setting eta_noise"),
    ):
        path = tmp_path / "more.json"
        path.write_text(json.dumps(fields))
        with pytest.raises(OptionsError, match=message):
            _run(server, payload=path)


@pytest.mark.parametrize("vae", ["None", "Automatic", "kl-f8", "KL-F8.pt", "odd one"])
def test_vaes_of_the_server_are_taken(server: FakeA1111, vae: str) -> None:
    server.saved["sd_vae"] = "odd one"
    _run(server, vae=vae)
    expected = "kl-f8.pt" if "8" in vae else vae
    assert server.requests_to("/img2img")[0].json["override_settings"]["sd_vae"] == expected


def test_without_a_list_a_name_is_taken_and_that_is_told(
    server: FakeA1111, caplog: pytest.LogCaptureFixture
) -> None:
    for path in ("/samplers", "/schedulers", "/sd-vae", "/sd-models", "/module_list"):
        server.fail(path, NOT_FOUND, times=9)
    names = {"sampler": "A", "scheduler": "B", "vae": "C", "model": "D"}
    _run(server, **names, controlnet=("tile",), control=("E",))
    request = server.requests_to("/img2img")[0].json
    assert (request["sampler_name"], request["scheduler"]) == ("A", "B")
    assert request["override_settings"]["sd_vae"] == "C"
    for option, name in (names | {"control": "E"}).items():
        text = f"no list of names for {option}, so {name!r} could not be checked"
        assert text in caplog.text


def test_lists_that_are_none_are_one_line(server: FakeA1111) -> None:
    odd: list[Any] = [None, 5, {"name": ["x"]}, {"name": 7, "aliases": 3}, {"aliases": [None, "y"]}]
    server.fail("/samplers", json_response(odd))
    with pytest.raises(OptionsError, match="sampler 'Euler a': the server has"):
        _run(server)
    server.fail("/samplers", json_response([]))
    with pytest.raises(OptionsError, match="sampler 'Euler a': the server has none"):
        _run(server)
