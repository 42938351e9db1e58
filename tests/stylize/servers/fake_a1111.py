"""A server with A1111's documented interface, which calls any function to make its images."""

from __future__ import annotations

import base64
import json
import threading
import time
import zlib
from collections.abc import Callable
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
    unless it is interrupted.
    """

    def __init__(self, paint: Paint = tint, *, auth: str = "", slow: float = 0.0) -> None:
        super().__init__(auth=auth)
        self.paint, self.slow = paint, slow
        self.arrange: Callable[[list[np.ndarray]], list[np.ndarray]] = list
        self.info: dict[str, Any] = {}
        self.options: dict[str, Any] = {
            "sd_model_checkpoint": MODELS[1]["title"],
            "sd_vae": "Automatic",
            "CLIP_stop_at_last_layers": 1,
            "img2img_fix_steps": False,
            "img2img_color_correction": False,
            "randn_source": "GPU",
        }
        self.scripts: list[dict[str, Any]] = [ALTERNATIVE]
        self.task: str | None = None
        self.interrupted = threading.Event()
        self._queue = threading.Lock()
        self._start_time = 0.0

    def respond(self, request: ReceivedRequest) -> Response:
        """Routes of the interface."""
        routes: dict[str, Callable[[ReceivedRequest], Response]] = {
            "/sdapi/v1/img2img": self._img2img,
            "/sdapi/v1/interrupt": self._interrupt,
            "/sdapi/v1/progress": self._progress,
            "/sdapi/v1/options": lambda _: json_response(self.options),
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
        with self._queue:
            self.task, self._start_time = fields.get("force_task_id"), time.monotonic()
            self.interrupted.clear()
            if self.slow:
                self.interrupted.wait(self.slow)
            self.task = None
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
        if fields["sampler_name"] not in ("Euler", "Euler a", "DPM++ 2M"):
            return json_response({"detail": "Sampler not found"}, 404)
        unknown = set(fields["override_settings"]) - set(self.options)
        if unknown:
            return json_response({"error": "KeyError", "errors": str(unknown)}, 500)
        return None

    def _interrupt(self, request: ReceivedRequest) -> Response:
        self.interrupted.set()
        return json_response({})

    def _progress(self, request: ReceivedRequest) -> Response:
        share = (
            (time.monotonic() - self._start_time) / self.slow if self.task and self.slow else 0.0
        )
        return json_response({"progress": min(share, 0.99), "current_task": self.task, "state": {}})


def _encode(image: np.ndarray) -> str:
    return base64.b64encode(cv2.imencode(".png", image[..., ::-1])[1].tobytes()).decode()
