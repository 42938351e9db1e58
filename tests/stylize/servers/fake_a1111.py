"""A server that behaves as A1111 1.10.1 does, and calls any function to make its images.

Faults of the real one that were seen on it are here too: settings that are not in its configuration
keep the value that a request brought, ``/sdapi/v1/progress`` does not name the task, and names of
samplers, schedulers, VAEs and checkpoints that it does not know are accepted, with others used.
"""

from __future__ import annotations

import base64
import json
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
from fake_http import FakeServer, ReceivedRequest, Response, json_response

Paint = Callable[[np.ndarray, dict[str, Any]], np.ndarray]

ALTERNATIVE = {
    "name": "img2img alternative test",
    "is_alwayson": False,
    "is_img2img": True,
    "args": [
        {"label": label}
        for label in (
            "",
            "Override `Sampling method` to Euler?(this method is built for it)",
            "Override `prompt` to the same value as `original prompt`?(and `negative prompt`)",
            "Original prompt",
            "Original negative prompt",
            "Override `Sampling Steps` to the same value as `Decode steps`?",
            "Decode steps",
            "Override `Denoising strength` to 1?",
            "Decode CFG scale",
            "Randomness",
            "Sigma adjustment for finding noise for image",
        )
    ],
}

MODELS = [
    {
        "title": "sd-v1-5-inpainting.ckpt [c6bbc15e32]",
        "model_name": "sd-v1-5-inpainting",
        "hash": "c6bbc15e32",
        "sha256": None,
        "filename": "C:\\models\\sd-v1-5-inpainting.ckpt",
    },
    {
        "title": "v1-5-pruned-emaonly.safetensors [6ce0161689]",
        "model_name": "v1-5-pruned-emaonly",
        "hash": "6ce0161689",
        "sha256": "6ce0161689b3853acaa03779ec93eafe75a02f4ced659bee03f50797806fa2fa",
        "filename": "/models/Stable-diffusion/v1-5-pruned-emaonly.safetensors",
    },
]


SAMPLERS = {
    "DPM++ 2M": ["k_dpmpp_2m"],
    "DPM++ SDE": ["k_dpmpp_sde"],
    "Euler a": ["k_euler_a", "k_euler_ancestral"],
    "Euler": ["k_euler"],
    "LMS": ["k_lms"],
}
"""Name → aliases; the first one is used for names that are unknown."""

SCHEDULERS = {"Automatic": "automatic", "Karras": "karras", "SGM Uniform": "sgm_uniform"}
"""Label → name."""

DEFAULTS: dict[str, Any] = {
    "sd_model_checkpoint": MODELS[1]["title"],
    "sd_vae": "Automatic",
    "CLIP_stop_at_last_layers": 1,
    "img2img_fix_steps": False,
    "img2img_color_correction": False,
    "randn_source": "GPU",
}


def tint(image: np.ndarray, request: dict[str, Any]) -> np.ndarray:
    """Blend an image with a pattern that depends on prompt and seed, by the denoising strength."""
    key = zlib.crc32(f"{request['prompt']}|{request['seed']}".encode())
    pattern = np.random.default_rng(key).integers(0, 256, (4, 4, 3), np.uint8)
    pattern = cv2.resize(pattern, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return cv2.addWeighted(
        image, 1 - request["denoising_strength"], pattern, request["denoising_strength"], 0
    )


class FakeA1111(FakeServer):
    """Handles one request at a time, as the real one.

    arrange: changes the list of images before it is sent. slow: seconds that an image takes
    unless it is interrupted. saved: what its configuration file holds. used: sampler, scheduler,
    VAE and checkpoint of each image. keeps: settings that are never put back. has_page: whether
    the interface of its own page is there, which tells what a task does.
    """

    def __init__(self, paint: Paint = tint, *, auth: str = "", slow: float = 0.0) -> None:
        super().__init__(auth=auth)
        self.paint, self.slow = paint, slow
        self.arrange: Callable[[list[np.ndarray]], list[np.ndarray]] = list
        self.info: dict[str, Any] = {}
        self.saved: dict[str, Any] = {"sd_model_checkpoint": MODELS[1]["title"]}
        self.known = set(DEFAULTS)
        self.vaes = ["kl-f8.pt", "vae-ft-mse-840000.safetensors"]
        self.scripts: list[dict[str, Any]] = [ALTERNATIVE]
        self.used: list[dict[str, Any]] = []
        self.keeps: set[str] = set()
        self.has_page = True
        self.task: str | None = None
        self.queued: list[str | None] = []
        self.finished: list[str | None] = []
        self.interrupted = threading.Event()
        self._queue = threading.Lock()
        self._start_time = 0.0

    @property
    def options(self) -> dict[str, Any]:
        """The settings in force, as the real one shows them."""
        return {name: value for name, value in DEFAULTS.items() if name in self.known} | self.saved

    def occupy(self, task: str, seconds: float, **settings: Any) -> threading.Thread:
        """Work for another user, with settings that hold during this job; returns its thread."""

        def work() -> None:
            with self._job(task, settings):
                self.interrupted.wait(seconds)

        thread = threading.Thread(target=work)
        thread.start()
        while self.task != task:
            time.sleep(0.005)
        return thread

    def respond(self, request: ReceivedRequest) -> Response:
        """Routes of the interface."""
        routes: dict[str, Callable[[ReceivedRequest], Response]] = {
            "/sdapi/v1/img2img": self._img2img,
            "/sdapi/v1/interrupt": self._interrupt,
            "/sdapi/v1/progress": self._progress,
            "/sdapi/v1/options": self._options,
            "/sdapi/v1/samplers": lambda _: json_response(
                [{"name": name, "aliases": aliases} for name, aliases in SAMPLERS.items()]
            ),
            "/sdapi/v1/schedulers": lambda _: json_response(
                [{"name": n, "label": label, "aliases": None} for label, n in SCHEDULERS.items()]
            ),
            "/sdapi/v1/sd-vae": lambda _: json_response(
                [{"model_name": name, "filename": f"/models/VAE/{name}"} for name in self.vaes]
            ),
            "/internal/progress": self._task_progress,
            "/controlnet/module_list": lambda _: json_response(
                {"module_list": ["none", "canny", "depth_midas"]}
            ),
            "/sdapi/v1/sd-models": lambda _: json_response(MODELS),
            "/sdapi/v1/script-info": lambda _: json_response(self.scripts),
            "/controlnet/model_list": lambda _: json_response(
                {"model_list": ["control_v11p_sd15_canny [d14c016b]", "tile"]}
            ),
        }
        route = routes.get(request.path)
        return route(request) if route else json_response({"detail": "Not Found"}, 404)

    def _img2img(self, request: ReceivedRequest) -> Response:
        fields = request.json
        fault = self._check(fields)
        if fault:
            return fault
        with self._job(fields.get("force_task_id"), fields["override_settings"]):
            self._note_use(fields)
            if self.slow:
                self.interrupted.wait(self.slow)
        image = cv2.imdecode(
            np.frombuffer(base64.b64decode(fields["init_images"][0]), np.uint8), cv2.IMREAD_COLOR
        )[..., ::-1]
        size = (fields["width"], fields["height"])
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        images = self.arrange([self.paint(image, fields)])
        text = f"{fields['prompt']}\nSteps: {fields['steps']}, Seed: {fields['seed']}, Size: 8x8"
        info = {"all_seeds": [fields["seed"]], "infotexts": [text] * len(images)} | self.info
        return json_response(
            {
                "images": [_encode(image) for image in images],
                "parameters": {},
                "info": json.dumps(info),
            }
        )

    def _check(self, fields: dict[str, Any]) -> Response | None:
        """The response for a request that the real server refuses too."""
        name = fields.get("script_name")
        if name is not None:
            script = next((s for s in self.scripts if s["name"] == name.lower()), None)
            if script is None:
                return json_response({"detail": "Script not found"}, 422)
            if len(fields["script_args"]) != len(script["args"]):
                return json_response(
                    {"error": "ValueError", "errors": "wrong number of arguments"}, 500
                )
        unknown = set(fields["override_settings"]) - self.known
        if unknown:
            return json_response({"error": "KeyError", "errors": str(unknown)}, 500)
        return None

    @contextmanager
    def _job(self, task: str | None, settings: dict[str, Any]) -> Iterator[None]:
        """Wait for other jobs, and put settings in force; only those that were saved go back."""
        self.queued.append(task)
        with self._queue:
            self.queued.remove(task)
            self.task, self._start_time = task, time.monotonic()
            self.interrupted.clear()
            before = {name: self.saved[name] for name in settings if name in self.saved}
            self.saved |= settings
            try:
                yield
            finally:
                self.saved |= {n: value for n, value in before.items() if n not in self.keeps}
                self.finished.append(task)
                self.task = None

    def _note_use(self, fields: dict[str, Any]) -> None:
        """What is used for the names of a request, known or not."""
        titles = [model["title"] for model in MODELS]
        model, vae = self.options["sd_model_checkpoint"], self.options["sd_vae"]
        scheduler = fields.get("scheduler")
        self.used.append(
            {
                "sampler": fields["sampler_name"]
                if fields["sampler_name"] in SAMPLERS
                else next(iter(SAMPLERS)),
                "scheduler": scheduler if scheduler in SCHEDULERS else "Automatic",
                "vae": vae if vae in self.vaes else "None",
                "model": model if model in titles else titles[0],
            }
        )

    def _options(self, request: ReceivedRequest) -> Response:
        if request.method == "POST":
            self.saved |= {k: v for k, v in request.json.items() if k not in self.keeps}
            return json_response(None)
        return json_response(self.options)

    def _task_progress(self, request: ReceivedRequest) -> Response:
        if not self.has_page:
            return json_response({"detail": "Not Found"}, 404)
        task = request.json["id_task"]
        return json_response(
            {
                "active": task == self.task,
                "queued": task in self.queued,
                "completed": task in self.finished,
            }
        )

    def _interrupt(self, request: ReceivedRequest) -> Response:
        self.interrupted.set()
        return json_response({})

    def _progress(self, request: ReceivedRequest) -> Response:
        share = (
            (time.monotonic() - self._start_time) / self.slow if self.task and self.slow else 0.0
        )
        state = {"job": "scripts_img2img" if self.task else "", "job_count": -1 if self.task else 0}
        return json_response({"progress": min(share, 0.99), "eta_relative": 0.0, "state": state})


def _encode(image: np.ndarray) -> str:
    return base64.b64encode(cv2.imencode(".png", image[..., ::-1])[1].tobytes()).decode()
