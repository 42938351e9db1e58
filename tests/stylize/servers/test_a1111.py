"""The stylizer ``a1111`` against a real server with its interface, and its failures."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from fake_a1111 import ALTERNATIVE, FakeA1111, tint
from fake_http import ReceivedRequest, Response, json_response
from stylize_samples import jobs, picture

from kadr.core.events import CancelToken
from kadr.core.frames import Frame
from kadr.errors import BackendError, Cancelled, InputError, OptionsError
from kadr.stylize.base import StyledFrame, StylizeContext, StylizeJob
from kadr.stylize.infotext import PARAMETERS
from kadr.stylize.registry import create_stylizer

SIZE = {"width": 128, "height": 96}


@pytest.fixture
def server() -> Iterator[FakeA1111]:
    with FakeA1111() as running:
        yield running


def _run(
    server: FakeA1111,
    context: StylizeContext | None = None,
    indices: tuple[int, ...] = (4,),
    **options,
) -> list[StyledFrame]:
    stylizer = create_stylizer("a1111", url=server.url, **{**SIZE, **options})
    batches = stylizer.stylize(jobs(indices), context or StylizeContext())
    return [styled for batch in batches for styled in batch]


def _request(server: FakeA1111) -> dict:
    return server.requests_to("/img2img")[-1].json


def _answer(info: object) -> Response:
    """An image with a description of it."""
    png = cv2.imencode(".png", picture(96, 128))[1].tobytes()
    return json_response({"images": [base64.b64encode(png).decode()], "info": info})


def _image(text: str) -> np.ndarray:
    data = np.frombuffer(base64.b64decode(text), np.uint8)
    return cv2.imdecode(data, cv2.IMREAD_UNCHANGED)


def test_frames_are_sent_unchanged_and_returned_in_their_size(server: FakeA1111) -> None:
    server.paint = lambda image, request: image
    (styled,) = _run(server, prompt="oil")
    np.testing.assert_array_equal(
        _image(_request(server)["init_images"][0])[..., ::-1], picture(seed=4)
    )
    assert styled.image.shape == (48, 64, 3)
    # enlarged to twice the size and reduced again
    assert np.abs(styled.image.astype(int) - picture(seed=4)).mean() < 3


def test_the_request_contains_all_values_that_have_defaults_on_the_server(
    server: FakeA1111,
) -> None:
    _run(
        server,
        prompt="oil, (thick:1.2)",
        negative_prompt="photo",
        denoising_strength=0.4,
        cfg_scale=5.5,
        steps=12,
        sampler="DPM++ 2M",
        scheduler="Karras",
        seed=77,
    )
    request = _request(server)
    expected = {
        "prompt": "oil, (thick:1.2)",
        "negative_prompt": "photo",
        "denoising_strength": 0.4,
        "cfg_scale": 5.5,
        "steps": 12,
        "sampler_name": "DPM++ 2M",
        "scheduler": "Karras",
        "seed": 77,
        "width": 128,
        "height": 96,
        "resize_mode": 0,
    }
    assert {name: request[name] for name in expected} == expected
    assert "script_name" not in request
    assert "alwayson_scripts" not in request


def test_the_size_is_nearest_to_the_frames_aspect(server: FakeA1111) -> None:
    _run(server, width=None, height=None, pixels=256 * 192)
    request = _request(server)
    assert (request["width"], request["height"]) == (256, 192)


def test_one_seed_for_all_frames_or_one_for_each(server: FakeA1111) -> None:
    _run(server, indices=(1, 2), seed=9)
    assert [request.json["seed"] for request in server.requests_to("/img2img")] == [9, 9]
    _run(server, indices=(1, 2), seed=None)
    first, second = (request.json["seed"] for request in server.requests_to("/img2img")[2:])
    assert first != second
    assert 0 <= first < 2**32


def test_the_servers_parameters_are_in_the_info(server: FakeA1111) -> None:
    (styled,) = _run(server, prompt="oil", seed=5)
    assert styled.info[PARAMETERS] == "oil\nSteps: 20, Seed: 5, Size: 8x8"
    for info in ("[" * 100_000, 7, None, [1], "NaN", "{", '{"infotexts": [[1]]}'):
        server.fail("/img2img", _answer(info))
        (styled,) = _run(server)
        assert styled.info[PARAMETERS].startswith("Steps: 20, Sampler: Euler a")
    server.info = {"infotexts": None}
    (styled,) = _run(server, prompt="oil", seed=5, negative_prompt="photo")
    assert styled.info[PARAMETERS] == (
        "oil\nNegative prompt: photo\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, "
        "Size: 128x96, Denoising strength: 0.5"
    )


def test_settings_that_make_a_frame_what_it_is_are_sent_even_where_they_are_the_servers_own(
    server: FakeA1111,
) -> None:
    server.saved["img2img_color_correction"] = True
    server.saved["CLIP_stop_at_last_layers"] = 2
    _run(server, exact_steps=True, noise_source="cpu", vae="kl-f8")
    expected = {
        "img2img_fix_steps": True,
        "img2img_color_correction": False,
        "randn_source": "CPU",
        "CLIP_stop_at_last_layers": 2,
        "sd_vae": "kl-f8.pt",
        "sd_model_checkpoint": "v1-5-pruned-emaonly.safetensors [6ce0161689]",
    }
    assert _request(server)["override_settings"] == expected
    server.known.remove("img2img_fix_steps")
    del server.saved["img2img_fix_steps"]
    _run(server)
    with pytest.raises(OptionsError, match="has no setting img2img_fix_steps"):
        _run(server, exact_steps=True)


@pytest.mark.parametrize(
    "name",
    [
        "sd-v1-5-inpainting",
        "sd-v1-5-inpainting.ckpt",
        "c6bbc15e32",
        "sd-v1-5-inpainting.ckpt [c6bbc15e32]",
    ],
)
def test_a_model_is_found_by_any_of_its_names(server: FakeA1111, name: str) -> None:
    _run(server, model=name)
    title = "sd-v1-5-inpainting.ckpt [c6bbc15e32]"
    assert _request(server)["override_settings"]["sd_model_checkpoint"] == title


@pytest.mark.parametrize(
    "models",
    [
        [{"title": ["a"], "hash": {}, "model_name": None, "filename": 5}, "x", None, [1]],
        [{"model_name": "sdxl\nbase"}],
        [],
    ],
)
def test_a_list_of_models_that_is_none_is_one_line(server: FakeA1111, models: list) -> None:
    server.fail("/sd-models", json_response(models))
    with pytest.raises(OptionsError, match="'a': the server has") as caught:
        _run(server, model="a")
    assert "\n" not in str(caught.value)
    server.fail("/sd-models", json_response([{"model_name": "a", "hash": []}]))
    _run(server, model="a")
    assert _request(server)["override_settings"]["sd_model_checkpoint"] == "a"


def test_an_unknown_model_is_an_error_before_any_frame(server: FakeA1111) -> None:
    with pytest.raises(
        OptionsError, match="'sdxl': the server has sd-v1-5-inpainting, v1-5-pruned"
    ):
        _run(server, model="sdxl")
    assert not server.requests_to("/img2img")


@pytest.mark.parametrize("inversion", ["plain", "adjusted"])
def test_inversion_keeps_the_restyling_prompt(server: FakeA1111, inversion: str) -> None:
    _run(
        server,
        prompt="oil",
        inversion=inversion,
        original_prompt="a photo",
        original_negative_prompt="blur",
        decode_cfg_scale=1.5,
        randomness=0.25,
        steps=30,
    )
    request = _request(server)
    assert request["script_name"] == "img2img alternative test"
    # in the order of the script's own arguments; every "override" is off
    assert request["script_args"] == [
        None, False, False, "a photo", "blur", False, 30, False, 1.5, 0.25,
        inversion == "adjusted",
    ]  # fmt: skip
    assert request["sampler_name"] == "Euler"
    _run(server, inversion=inversion, decode_steps=50)
    assert _request(server)["script_args"][6] == 50


def test_a_missing_script_is_an_error_before_any_frame(server: FakeA1111) -> None:
    server.scripts = [{**ALTERNATIVE, "is_img2img": False}]
    with pytest.raises(OptionsError, match="has no script 'img2img alternative test'"):
        _run(server, inversion="plain")
    server.scripts = [{**ALTERNATIVE, "args": ALTERNATIVE["args"][1:]}]
    with pytest.raises(OptionsError, match="takes 10 arguments, not the 11 of A1111"):
        _run(server, inversion="plain")
    server.scripts = [{**ALTERNATIVE, "args": 5}, None, {"name": [], "is_img2img": True}]
    with pytest.raises(OptionsError, match="takes 0 arguments"):
        _run(server, inversion="plain")
    server.scripts = [{**ALTERNATIVE, "args": ["x", None, {"label": []}]}]
    with pytest.raises(OptionsError, match="takes 3 arguments"):
        _run(server, inversion="plain")
    server.scripts = [{**ALTERNATIVE, "args": ALTERNATIVE["args"][::-1]}]
    with pytest.raises(OptionsError, match="takes 11 arguments"):
        _run(server, inversion="plain")
    assert not server.requests_to("/img2img")


def test_controlnets_get_the_frame_or_a_control_image_of_the_context(server: FakeA1111) -> None:
    edges = picture(seed=99)
    context = StylizeContext(control=lambda name, index: edges if name == "edges" else picture())
    names = ("control_v11p_sd15_canny:0.8", "tile")
    _run(server, context, controlnet=names, control=("canny", "@edges"))
    canny, tile = _request(server)["alwayson_scripts"]["ControlNet"]["args"]
    assert (canny["model"], canny["module"]) == ("control_v11p_sd15_canny [d14c016b]", "canny")
    assert (canny["weight"], tile["weight"]) == (0.8, 1.0)
    assert (tile["model"], tile["module"]) == ("tile", "none")
    np.testing.assert_array_equal(_image(canny["image"])[..., ::-1], picture(seed=4))
    np.testing.assert_array_equal(_image(tile["image"])[..., ::-1], edges)


def test_an_unknown_controlnet_lists_the_available_ones(server: FakeA1111) -> None:
    with pytest.raises(OptionsError, match="controlnet 'depth': the server has tile, control_v11p"):
        _run(server, controlnet=("depth",), control=("canny",))
    server.fail("/model_list", json_response({"detail": "Not Found"}, 404))
    with pytest.raises(OptionsError, match="has no ControlNet extension"):
        _run(server, controlnet=("tile",), control=("none",))


def test_outside_the_mask_a_frame_is_unchanged(server: FakeA1111) -> None:
    mask = np.zeros((48, 64), bool)
    mask[:, :32] = True
    (styled,) = _run(server, StylizeContext(mask=lambda index: mask))
    np.testing.assert_array_equal(styled.image[:, 32:], picture(seed=4)[:, 32:])
    assert (styled.image[:, :32] != picture(seed=4)[:, :32]).any()
    assert "mask" not in _request(server)
    _run(server, StylizeContext(mask=lambda index: mask), send_mask=True, mask_blur=7)
    sent = _request(server)
    np.testing.assert_array_equal(_image(sent["mask"]) == 255, mask)
    assert (sent["mask_blur"], sent["inpaint_full_res"], sent["inpainting_fill"]) == (7, False, 1)


def test_alpha_and_16_bits(server: FakeA1111) -> None:
    stylizer = create_stylizer("a1111", url=server.url, **SIZE)
    deep = picture(alpha=True).astype(np.uint16) * 257
    ((styled,),) = stylizer.stylize([StylizeJob(Frame(0, deep), 0, 1)], StylizeContext())
    assert styled.image.shape == (48, 64, 4)
    assert (styled.image[..., 3] == 200).all()


def test_further_fields_from_the_users_payload(
    server: FakeA1111, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "more.json"
    path.write_text(
        json.dumps(
            {
                "tiling": True,
                "init_images": ["x"],
                "override_settings": {"sd_vae": "kl-f8.pt"},
                "sampler_name": "lms",
                "alwayson_scripts": {"ADetailer": {"args": [True]}},
            }
        )
    )
    _run(server, payload=path, noise_source="cpu", controlnet=("tile",), control=("none",))
    assert "left out init_images, which kadr sets itself" in caplog.text
    request = _request(server)
    assert request["init_images"] != ["x"]
    assert request["sampler_name"] == "LMS"
    assert request["tiling"] is True
    sent = request["override_settings"]
    assert (sent["sd_vae"], sent["randn_source"]) == ("kl-f8.pt", "CPU")
    assert set(request["alwayson_scripts"]) == {"ControlNet", "ADetailer"}
    for content, message in (("[1]", "expected a JSON object"), ("{", "not JSON")):
        path.write_text(content)
        with pytest.raises(InputError, match=rf"more\.json: {message}"):
            _run(server, payload=path)
    with pytest.raises(InputError, match=r"missing\.json: cannot be read"):
        _run(server, payload=tmp_path / "missing.json")


def test_a_grid_before_and_a_control_image_after_are_skipped(server: FakeA1111) -> None:
    expected = _run(server)[0]
    grid, control = picture(200, 260), picture(96, 128)
    server.arrange = lambda images: [grid, *images, control]
    np.testing.assert_array_equal(_run(server)[0].image, expected.image)
    # a grid of the requested size is recognized by the index that the server sends
    server.arrange = lambda images: [control, *images, control]
    server.info = {"index_of_first_image": 1}
    np.testing.assert_array_equal(_run(server)[0].image, expected.image)


def test_an_image_of_another_size_is_an_error(server: FakeA1111) -> None:
    server.arrange = lambda images: [picture(192, 256)]
    with pytest.raises(BackendError, match=r"sent 256×192 pixels for 128×96; turn off"):
        _run(server)


def test_an_image_of_one_colour_is_no_error(server: FakeA1111) -> None:
    server.paint = lambda image, request: np.zeros_like(image)
    assert not _run(server)[0].image.any()
    stylizer = create_stylizer("a1111", url=server.url, **SIZE)
    dark = StylizeJob(Frame(0, np.zeros((48, 64, 3), np.uint8)), 0, 1)
    ((styled,),) = stylizer.stylize([dark], StylizeContext())
    assert not styled.image.any()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (json_response({"images": []}), "holds no images"),
        (json_response([1]), "holds no images"),
        (json_response({"images": ["!!"]}), "sent an image that is not base64 text"),
        (json_response({"images": [None]}), "sent an image that is not base64 text"),
        (json_response({"images": [{"a": [1]}]}), "sent an image that is not base64 text"),
        (json_response({"images": "abc"}), "holds no images"),
        (
            json_response({"images": [base64.b64encode(b"GIF89a").decode()]}),
            "6 bytes that are no image",
        ),
        (Response(200, b"<html>Sign in"), "is not JSON"),
        (json_response({"detail": "Script not found"}, 422), "422, Script not found"),
        (
            json_response({"detail": "Sampler not found"}, 404),
            "give --sampler NAME as the web interface lists it",
        ),
        (
            json_response({"error": "OutOfMemoryError", "errors": "CUDA out of memory"}, 500),
            "ran out of memory at 128×96; give -O pixels=6144",
        ),
        (
            json_response({"error": "NansException", "errors": "A tensor with all NaNs was"}, 500),
            "start it with --no-half-vae",
        ),
    ],
)
def test_errors_have_one_line(server: FakeA1111, fault: Response, message: str) -> None:
    server.fail("/img2img", fault, times=9)
    with pytest.raises(BackendError, match=message) as caught:
        _run(server, retries=0)
    assert "\n" not in str(caught.value)


def test_a_dropped_connection_and_a_500_are_retried(server: FakeA1111) -> None:
    expected = _run(server)[0]
    server.fail("/img2img", Response(drop=True))
    server.fail("/img2img", json_response({"error": "RuntimeError"}, 500))
    np.testing.assert_array_equal(_run(server, retries=2)[0].image, expected.image)


def test_a_frame_is_interrupted_before_a_retry() -> None:
    class Losing(FakeA1111):
        """Still processes the first request when the connection breaks."""

        def respond(self, request: ReceivedRequest) -> Response:
            tries = len(self.requests_to("/img2img"))
            if request.path.endswith("/img2img") and tries == 1:
                self.task = request.json["force_task_id"]
                return Response(drop=True)
            if request.path.endswith("/interrupt"):
                interrupted.append(tries)
                self.task = None
            return super().respond(request)

    interrupted: list[int] = []
    with Losing() as server:
        _run(server, retries=1)
    assert interrupted == [1]


def test_an_overflow_is_not_retried(server: FakeA1111) -> None:
    detail = "A tensor with all NaNs was produced in VAE. Use --disable-nan-check to disable this."
    server.fail(
        "/img2img", json_response({"error": "NansException", "errors": detail}, 500), times=9
    )
    with pytest.raises(BackendError, match=r"--no-half-vae .* another -O vae=NAME") as caught:
        _run(server, retries=3)
    assert "\n" not in str(caught.value)
    assert len(server.requests_to("/img2img")) == 1


def test_another_program_at_the_address() -> None:
    with FakeA1111() as server:
        server.fail("/options", json_response({"detail": "Not Found"}, 404))
        with pytest.raises(BackendError, match=r"404, the server has no such.*--api"):
            _run(server)
    with pytest.raises(BackendError, match=r"no server answers there; start .* --api"):
        _run(server, server_patience=0, retries=0)


def test_a_password(server: FakeA1111) -> None:
    with FakeA1111(auth="a:b") as guarded:
        _run(guarded, auth="a:b")
        with pytest.raises(BackendError, match="401"):
            _run(guarded)


def test_a_server_that_takes_too_long_is_interrupted() -> None:
    with FakeA1111(slow=30) as server:
        with pytest.raises(BackendError, match=r"/img2img: no answer within 1 s"):
            _run(server, timeout=1)
        assert server.interrupted.is_set()


def test_cancellation_interrupts_the_server() -> None:
    cancel = CancelToken()
    with FakeA1111(slow=30) as server:
        threading.Timer(0.3, cancel.cancel).start()
        start = time.monotonic()
        with pytest.raises(Cancelled):
            _run(server, StylizeContext(cancel=cancel))
        assert time.monotonic() - start < 5
        assert server.interrupted.is_set()


def test_cancellation_does_not_interrupt_other_users(caplog: pytest.LogCaptureFixture) -> None:
    cancel = CancelToken()
    with FakeA1111() as server:
        server.paint = lambda image, request: image

        def jobs_after_another_user() -> Iterator[StylizeJob]:
            yield from jobs((4,))
            # the server is busy from here on, and our second frame waits
            other.append(server.occupy("task(of another user)", 30))
            threading.Timer(0.3, cancel.cancel).start()
            yield from jobs((5,))

        other: list[threading.Thread] = []
        stylizer = create_stylizer("a1111", url=server.url, **SIZE)
        with pytest.raises(Cancelled):
            list(stylizer.stylize(jobs_after_another_user(), StylizeContext(cancel=cancel)))
        assert "our frame still waits there behind other work" in caplog.text
        assert not server.interrupted.is_set()
        assert not server.requests_to("/interrupt")
        server.interrupted.set()
        other[0].join()


def test_a_server_that_does_not_tell_whose_frame_runs_is_not_interrupted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cancel = CancelToken()
    with FakeA1111(slow=30) as server:
        server.has_page = False
        threading.Timer(0.3, cancel.cancel).start()
        with pytest.raises(Cancelled):
            _run(server, StylizeContext(cancel=cancel))
        assert not server.requests_to("/interrupt")
        assert "does not tell whose frame it is working on; nothing is interrupted" in caplog.text
        server.interrupted.set()


def test_progress_comes_from_the_server() -> None:
    reports: list[tuple[int, float]] = []
    with FakeA1111(slow=2.3) as server:
        _run(server, StylizeContext(progress=lambda index, share: reports.append((index, share))))
    shares = [share for _, share in reports]
    assert {index for index, _ in reports} == {4}
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert any(0.2 < share < 0.95 for share in shares)


def test_no_jobs_no_requests(server: FakeA1111) -> None:
    assert _run(server, indices=()) == []
    assert not server.requests


def test_the_same_seed_gives_the_same_bytes(server: FakeA1111) -> None:
    server.paint = tint
    first, second = _run(server, seed=3)[0], _run(server, seed=3)[0]
    np.testing.assert_array_equal(first.image, second.image)
    assert (_run(server, seed=4)[0].image != first.image).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inversion": "refined"}, r"inversion 'refined': expected none, plain, adjusted"),
        ({"noise_source": "tpu"}, r"noise-source 'tpu': expected nothing, gpu, cpu, nv"),
        ({"width": 512}, "width and height: give both"),
        ({"width": 500, "height": 512}, "width 500: expected a multiple of 8"),
        ({"controlnet": ("a",)}, "control: 0 given for 1 ControlNets"),
        ({"original_prompt": "a"}, "original-prompt: is for inversion"),
        ({"original_negative_prompt": "a"}, "original-negative-prompt: is for inversion"),
        (
            {"decode_cfg_scale": 2.0},
            "decode-cfg-scale: is for inversion; give --inversion plain, or",
        ),
        ({"decode_steps": 9}, "decode-steps: is for inversion"),
        ({"randomness": 0.5}, "randomness: is for inversion"),
        ({"mask_blur": 9}, "mask-blur: is for a mask that is sent; give -O send-mask=yes, or"),
        (
            {"width": 512, "height": 512, "pixels": 9999},
            "pixels: not used with width and height; leave out one",
        ),
        ({"denoising_strength": 2}, "denoising-strength 2: expected 0 to 1"),
        ({"url": "nowhere:x"}, "expected an address"),
    ],
)
def test_bad_options_are_errors_before_any_request(options: dict, message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        create_stylizer("a1111", **options)
