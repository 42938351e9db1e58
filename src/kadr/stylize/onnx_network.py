"""An ONNX file in, a network that can be run on images out: which inputs it has, and in what form.

``onnxruntime`` is imported when a network is opened, not before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kadr.errors import BackendError, InputError, OptionsError
from kadr.stylize.onnx_ranges import Plane

DEVICES = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "dml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
}
_AUTO = ("cuda", "dml", "cpu")

_TYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
}


@dataclass(frozen=True)
class ImageInput:
    """An input that takes an image.

    first: whether channels come before rows (NCHW) or last (NHWC).
    size: (width, height), or None where any will do.
    """

    name: str
    first: bool
    size: tuple[int, int] | None
    dtype: type[np.generic]


@dataclass(frozen=True)
class VectorInput:
    """An input that takes a row of numbers: weights of styles, or a style's code.

    length: how many. shape: what it is laid out as.
    """

    name: str
    shape: tuple[int, ...]

    @property
    def length(self) -> int:
        """How many numbers it takes."""
        return int(np.prod(self.shape))


class Network:
    """A feed-forward network. ``images`` are its image inputs, the first takes the frame."""

    def __init__(self, path: Path, *, threads: int | None = None, device: str = "auto") -> None:
        """Open a file. Raises InputError if it is no network or not one of images, BackendError
        if onnxruntime or the device is missing."""
        self.path = path
        self._session = _session(path, threads, device)
        self.images: list[ImageInput] = []
        self.vectors: list[VectorInput] = []
        for item in self._session.get_inputs():
            self._add(item.name, list(item.shape), item.type)
        # the frame goes first, whichever way the file names its inputs
        self.images.sort(key=lambda slot: "style" in slot.name.lower())
        if not self.images:
            raise InputError(f"{path}: {self._described()}; expected a network that takes an image")

    def _add(self, name: str, shape: list[Any], kind: str) -> None:
        image = _image_input(name, shape, kind)
        sizes = tuple(size for size in shape if isinstance(size, int))
        if image is not None:
            self.images.append(image)
        elif kind == "tensor(float)" and shape and len(sizes) >= len(shape) - 1:
            # a batch of free size is one
            self.vectors.append(VectorInput(name, (1,) * (len(shape) - len(sizes)) + sizes))
        else:
            raise InputError(
                f"{self.path}: input {name!r} is {kind} of {shape}; expected an image of 3 "
                "channels, or weights of styles"
            )

    def run(self, images: Mapping[str, Plane], vectors: Mapping[str, Plane]) -> Plane:
        """What the network makes of (H, W, 3) numbers and vectors, each by its input's name.

        Gives its first output as float32: (H', W', 3) if it is an image, else as it comes.
        Raises BackendError if it fails.
        """
        feed: dict[str, NDArray[Any]] = {}
        for slot in self.images:
            if slot.name not in images:
                raise OptionsError(
                    f"{self.path}: takes a second image as the style; give style-image"
                )
            feed[slot.name] = _laid_out(images[slot.name], slot)
        for vector in self.vectors:
            feed[vector.name] = vectors[vector.name].astype(np.float32).reshape(vector.shape)
        try:
            out = self._session.run(None, feed)[0]
        except Exception as error:  # onnxruntime's own have no common base
            raise BackendError(
                f"{self.path}: failed on {self._sizes(images)} pixels ({_first_line(error)}); "
                "give a smaller size if memory ran out"
            ) from error
        return _as_image(np.asarray(out))

    def _sizes(self, images: Mapping[str, Plane]) -> str:
        return " and ".join(f"{image.shape[1]}×{image.shape[0]}" for image in images.values())

    def _described(self) -> str:
        slots = [f"{item.name!r} {list(item.shape)}" for item in self._session.get_inputs()]
        return f"takes {', '.join(slots) or 'nothing'}"


def _session(path: Path, threads: int | None, device: str) -> Any:
    if not path.is_file():
        raise InputError(f"{path}: not found; give an .onnx file")
    try:
        import onnxruntime
    except ImportError as error:
        raise BackendError(
            "stylizer onnx: needs onnxruntime, which is not installed; pip install kadr[onnx]"
        ) from error
    there = onnxruntime.get_available_providers()
    names = _AUTO if device == "auto" else (device,)
    wanted = [DEVICES[name] for name in names if DEVICES[name] in there]
    if not wanted:
        known = ", ".join(name for name, provider in DEVICES.items() if provider in there)
        raise BackendError(
            f"device {device}: this onnxruntime runs on {known}; choose one of these"
        )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads or 0
    # threads that spin while they wait take cores from all else
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=wanted)
    except Exception as error:  # onnxruntime's own have no common base
        raise InputError(
            f"{path}: not a network that onnxruntime can open ({_first_line(error)})"
        ) from error
    if device != "auto" and session.get_providers()[0] != DEVICES[device]:
        raise BackendError(f"device {device}: onnxruntime could not start it; see its requirements")
    return session


def _image_input(name: str, shape: list[Any], kind: str) -> ImageInput | None:
    """The input as one of images: four dimensions, one of them three channels, one image."""
    if len(shape) != 4 or kind not in _TYPES or (isinstance(shape[0], int) and shape[0] != 1):
        return None
    if shape[1] == 3:
        first, height, width = True, shape[2], shape[3]
    elif shape[3] == 3:
        first, height, width = False, shape[1], shape[2]
    else:
        return None
    fixed = isinstance(height, int) and isinstance(width, int)
    return ImageInput(name, first, (width, height) if fixed else None, _TYPES[kind])


def _laid_out(image: Plane, slot: ImageInput) -> NDArray[Any]:
    values = image.transpose(2, 0, 1) if slot.first else image
    if slot.dtype == np.uint8:
        values = np.clip(np.rint(values), 0, 255)
    return np.ascontiguousarray(values[None].astype(slot.dtype))


def _as_image(out: NDArray[Any]) -> Plane:
    """(H, W, 3) of an output that is an image in whatever layout."""
    values = out.astype(np.float32)
    while values.ndim > 3 and values.shape[0] == 1:
        values = values[0]
    if values.ndim == 3 and values.shape[0] == 3 != values.shape[2]:
        values = values.transpose(1, 2, 0)
    return values


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
