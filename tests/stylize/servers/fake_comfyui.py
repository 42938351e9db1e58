"""A server with ComfyUI's documented interface that evaluates graphs node by node."""

from __future__ import annotations

import base64
import hashlib
import json
import queue
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from fake_a1111 import tint
from fake_http import FakeServer, ReceivedRequest, Response, json_response

_TEXT, _BINARY, _CLOSE, _PING = 1, 2, 8, 9
"""Kinds of WebSocket frames."""

Paint = Callable[[np.ndarray, dict[str, Any]], np.ndarray]
SAMPLERS = ["euler", "euler_ancestral", "heun", "dpmpp_2m", "dpm_2", "ddim"]
SCHEDULERS = ["normal", "karras", "simple", "sgm_uniform"]
MODELS = ["sd15/v1-5-pruned-emaonly.safetensors", "sdxl.safetensors"]


class FakeComfyUI(FakeServer):
    """Runs one prompt at a time; a graph that ran before has no outputs, as in some versions.

    It counts as the same graph if the file that LoadImage reads has the same content as well.

    slow: seconds that a sampler takes, in ten steps, unless it is interrupted.
    forget: how many prompts to drop from the queue without running them.
    error: the details of the error that every prompt ends in, if any.
    """

    def __init__(self, paint: Paint = tint, *, auth: str = "", slow: float = 0.0) -> None:
        super().__init__(auth=auth)
        self.paint, self.slow = paint, slow
        self.models = list(MODELS)
        self.files: dict[str, bytes] = {}
        self.history: dict[str, Any] = {}
        self.running: list[Any] = []
        self.pending: list[Any] = []
        self.ran: set[str] = set()
        self.forget = 0
        self.interrupted = threading.Event()
        self.error: dict[str, Any] | None = None
        self._entries: queue.Queue[list[Any] | None] = queue.Queue()
        self._listeners: dict[str, socket.socket] = {}
        self._closing = threading.Event()

    def __enter__(self) -> FakeComfyUI:
        self._worker = threading.Thread(target=self._run)
        self._worker.start()
        super().__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._closing.set()
        self.interrupted.set()
        self._entries.put(None)
        self._worker.join()
        super().__exit__(*error)

    def respond(self, request: ReceivedRequest) -> Response:
        """Routes of the interface."""
        name = request.path.rpartition("/")[2]
        if request.path.startswith("/history/"):
            return json_response({name: self.history[name]} if name in self.history else {})
        if request.path == "/object_info/CheckpointLoaderSimple":
            required = {"ckpt_name": [self.models, {}]}
            return json_response({name: {"input": {"required": required}}})
        if request.path == "/object_info/KSampler":
            combo = ["COMBO", {"options": SCHEDULERS}]
            required = {"sampler_name": [SAMPLERS, {}], "scheduler": combo, "steps": ["INT", {}]}
            return json_response({name: {"input": {"required": required}}})
        if request.path.startswith("/object_info/"):
            return json_response({})
        routes: dict[str, Callable[[ReceivedRequest], Response]] = {
            "/prompt": self._prompt,
            "/upload/image": self._upload,
            "/view": lambda request: Response(
                200, self.files[f"{request.query['type']}/{request.query['filename']}"], "image/png"
            ),
            "/queue": self._queue,
            "/interrupt": self._interrupt,
        }
        route = routes.get(request.path)
        return route(request) if route else json_response({"error": "not found"}, 404)

    def websocket(self, request: ReceivedRequest, connection: socket.socket) -> bool:
        """Complete the handshake, and keep the connection until either side closes it."""
        magic = request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(magic.encode()).digest()).decode()
        head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        connection.sendall(f"{head}Sec-WebSocket-Accept: {accept}\r\n\r\n".encode())
        self._listeners[request.query["clientId"]] = connection
        _send(connection, _PING, b"alive?")
        try:
            while not self._closing.is_set() and (frame := connection.recv(4096)):
                if bytes([0x80 | _CLOSE, 0x80 | 2]) in frame:
                    _send(connection, _CLOSE, b"")
                    break
        except OSError:
            pass
        return True

    def _upload(self, request: ReceivedRequest) -> Response:
        boundary = b"--" + request.headers["content-type"].partition("boundary=")[2].encode()
        fields: dict[str, bytes] = {}
        for part in request.body.split(boundary)[1:-1]:
            head, _, body = part.partition(b"\r\n\r\n")
            name = head.partition(b'name="')[2].partition(b'"')[0].decode()
            fields[name] = body.removesuffix(b"\r\n")
            if b"filename=" in head:
                file = head.partition(b'filename="')[2].partition(b'"')[0].decode()
        folder = fields["subfolder"].decode()
        self.files[f"input/{folder}/{file}"] = fields["image"]
        return json_response({"name": file, "subfolder": folder, "type": "input"})

    def _prompt(self, request: ReceivedRequest) -> Response:
        body = request.json
        for key, node in body["prompt"].items():
            if node["class_type"] not in _NODES:
                message = f"Cannot execute because node {node['class_type']} does not exist."
                error = {
                    "type": "invalid_prompt",
                    "message": message,
                    "details": f"Node ID '{key}'",
                }
                return json_response({"error": error, "node_errors": {}}, 400)
            for name, known in (
                ("ckpt_name", self.models),
                ("sampler_name", SAMPLERS),
                ("scheduler", SCHEDULERS),
            ):
                value = node["inputs"].get(name)
                if value is not None and value not in known:
                    return _value_not_in_list(key, name, value)
        name = body.get("prompt_id") or f"p{len(self.history)}"
        entry = [len(self.history), name, body["prompt"], {"client_id": body["client_id"]}, []]
        self.pending.append(entry)
        self._entries.put(entry)
        return json_response({"prompt_id": name, "number": entry[0], "node_errors": {}})

    def _queue(self, request: ReceivedRequest) -> Response:
        if request.method == "POST":
            deleted = set(request.json["delete"])
            self.pending = [entry for entry in self.pending if entry[1] not in deleted]
            return Response()
        return json_response({"queue_running": self.running, "queue_pending": self.pending})

    def _interrupt(self, request: ReceivedRequest) -> Response:
        self.interrupted.set()
        return Response()

    def _run(self) -> None:
        while (entry := self._entries.get()) is not None:
            if entry not in self.pending:
                continue
            if self.forget:
                self.forget -= 1
                self.pending.remove(entry)
                continue
            self.running.append(entry)
            self.pending.remove(entry)
            self.interrupted.clear()
            self.history[entry[1]] = self._run_entry(entry)
            self.running.remove(entry)

    def _run_entry(self, entry: list[Any]) -> dict[str, Any]:
        graph, client = entry[2], entry[3]["client_id"]
        text = json.dumps([graph, self._file_hashes(graph)], sort_keys=True)
        outputs: dict[str, Any] = {}
        try:
            if self.error:
                raise RuntimeError
            if text not in self.ran:
                for key, node in graph.items():
                    if node["class_type"] in ("SaveImage", "PreviewImage"):
                        kind = "output" if node["class_type"] == "SaveImage" else "temp"
                        image = self._value(graph, node["inputs"]["images"], client)
                        file = f"{entry[1]}_{key}_.png"
                        self.files[f"{kind}/{file}"] = _png(image)
                        output = {"filename": file, "subfolder": "", "type": kind}
                        outputs[key] = {"images": [output]}
            self.ran.add(text)
            status = {"status_str": "success", "completed": True, "messages": []}
        except InterruptedError:
            message = ["execution_interrupted", {"node_id": "6"}]
            status = {"status_str": "error", "completed": False, "messages": [message]}
        except RuntimeError:
            message = ["execution_error", self.error]
            status = {"status_str": "error", "completed": False, "messages": [message]}
        return {"prompt": entry, "outputs": outputs, "status": status}

    def _file_hashes(self, graph: dict[str, Any]) -> list[str]:
        """What the real LoadImage tells about its file, to find out whether it changed."""
        files = [
            f"input/{node['inputs']['image']}"
            for node in graph.values()
            if node["class_type"] == "LoadImage"
        ]
        return [hashlib.sha256(self.files.get(file, b"")).hexdigest() for file in files]

    def _value(self, graph: dict[str, Any], link: Any, client: str) -> Any:
        """The value at a link: an image also for a latent, and a text for a prompt."""
        if not isinstance(link, list):
            return link
        node = graph[link[0]]
        inputs = {k: self._value(graph, v, client) for k, v in node["inputs"].items()}
        kind = node["class_type"]
        if kind in ("LoadImage", "LoadByName"):
            data = np.frombuffer(self.files[f"input/{inputs['image']}"], np.uint8)
            return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]
        if kind == "SamplerCustomAdvanced":
            inputs |= {"seed": inputs["noise"], "denoise": inputs["sigmas"]} | inputs["guider"]
        if kind in ("KSampler", "SamplerCustomAdvanced"):
            self._step(client)
            request = {
                "prompt": f"{inputs['positive']}|{inputs['negative']}",
                "seed": inputs["seed"],
                "denoising_strength": inputs["denoise"],
            }
            return self.paint(inputs["latent_image"], request)
        if kind == "CFGGuider":
            return inputs
        if kind == "ImageScale":
            return cv2.resize(inputs["image"], (inputs["width"], inputs["height"]))
        return inputs.get(_NODES[kind])

    def _step(self, client: str) -> None:
        if not self.slow:
            return
        for step in range(1, 11):
            if self.interrupted.wait(self.slow / 10):
                raise InterruptedError
            if client in self._listeners:
                data = {"type": "progress", "data": {"value": step, "max": 10}}
                _send(self._listeners[client], _BINARY, b"\0\0\0\1preview")
                _send(self._listeners[client], _TEXT, json.dumps(data).encode())


_NODES = {
    "CheckpointLoaderSimple": "ckpt_name",
    "LoadImage": "image",
    "LoadByName": "image",
    "VAEEncode": "pixels",
    "VAEDecode": "samples",
    "CLIPTextEncode": "text",
    "PrimitiveString": "value",
    "ControlNetApply": "conditioning",
    "KSampler": "latent_image",
    "SamplerCustomAdvanced": "latent_image",
    "KSamplerSelect": "sampler_name",
    "RandomNoise": "noise_seed",
    "BasicScheduler": "denoise",
    "CFGGuider": "cfg",
    "ImageScale": "image",
    "SaveImage": "images",
    "PreviewImage": "images",
}
"""Class → the input that it returns."""


def _send(connection: socket.socket, kind: int, body: bytes) -> None:
    """Send a frame as servers do; the length of a long one takes two more bytes."""
    short = len(body) < 126
    length = bytes([len(body)]) if short else b"\x7e" + struct.pack(">H", len(body))
    try:
        connection.sendall(bytes([0x80 | kind]) + length + body)
    except OSError:
        return


def _value_not_in_list(node: str, name: str, value: str) -> Response:
    error = {
        "type": "prompt_outputs_failed_validation",
        "message": "Prompt outputs failed validation",
    }
    fault = {"message": "Value not in list", "details": f"{name}: '{value}'"}
    return json_response({"error": error, "node_errors": {node: {"errors": [fault]}}}, 400)


def _png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image[..., ::-1])[1].tobytes()
