"""Open an ONNX file as a network, describe its inputs, and run it on images.

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
from kadr.stylize.onnx.ranges import Plane

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

    channels_first: NCHW if true, NHWC otherwise.
    size: (width, height), or None if the network takes any size.
    """

    name: str
    channels_first: bool
    size: tuple[int, int] | None
    dtype: type[np.generic]


@dataclass(frozen=True)
class VectorInput:
    """An input that takes a vector: weights of styles, or a style code.

    shape: all its dimensions; ``length`` is their product.
    """

    name: str
    shape: tuple[int, ...]

    @property
    def length(self) -> int:
        """The count of numbers."""
        return int(np.prod(self.shape))


class Network:
    """A feed-forward network. ``images`` are its image inputs; the first one takes the frame."""

    def __init__(self, path: Path, *, threads: int | None = None, device: str = "auto") -> None:
        """Open a file. Raises InputError if it is not a network for images, BackendError if
        onnxruntime or the device is missing."""
        self.path = path
        self._session = open_session(path, threads, device)
        self.images: list[ImageInput] = []
        self.vectors: list[VectorInput] = []
        for item in self._session.get_inputs():
            self._add_input(item.name, list(item.shape), item.type)
        # the frame comes first, in whatever order the file has its inputs
        self.images.sort(key=lambda image_input: "style" in image_input.name.lower())
        if not self.images:
            raise InputError(f"{path}: {self._describe()}; expected a network that takes an image")

    def _add_input(self, name: str, shape: list[Any], tensor_type: str) -> None:
        image = _image_input(name, shape, tensor_type)
        sizes = tuple(size for size in shape if isinstance(size, int))
        if image is not None:
            self.images.append(image)
        elif tensor_type == "tensor(float)" and shape and len(sizes) >= len(shape) - 1:
            # a batch dimension of free size becomes 1
            self.vectors.append(VectorInput(name, (1,) * (len(shape) - len(sizes)) + sizes))
        else:
            raise InputError(
                f"{self.path}: input {name!r} is {tensor_type} of {shape}; expected an image of 3 "
                "channels, or weights of styles"
            )

    def run(self, images: Mapping[str, Plane], vectors: Mapping[str, Plane]) -> Plane:
        """Run the network on (H, W, 3) numbers and vectors, each under its input's name.

        Returns the first output as float32: (H', W', 3) if it is an image, otherwise unchanged.
        Raises BackendError if the network fails.
        """
        feed: dict[str, NDArray[Any]] = {}
        for image_input in self.images:
            if image_input.name not in images:
                raise OptionsError(
                    f"{self.path}: takes a second image as the style; give style-image"
                )
            feed[image_input.name] = _to_tensor(images[image_input.name], image_input)
        for vector in self.vectors:
            feed[vector.name] = vectors[vector.name].astype(np.float32).reshape(vector.shape)
        try:
            output = self._session.run(None, feed)[0]
        except Exception as error:  # errors of onnxruntime have no common base
            raise BackendError(
                f"{self.path}: failed on {_format_sizes(images)} pixels ({_first_line(error)}); "
                "give a smaller size if memory ran out"
            ) from error
        return _to_image(np.asarray(output))

    def _describe(self) -> str:
        inputs = [f"{item.name!r} {list(item.shape)}" for item in self._session.get_inputs()]
        return f"takes {', '.join(inputs) or 'nothing'}"


def _format_sizes(images: Mapping[str, Plane]) -> str:
    return " and ".join(f"{image.shape[1]}×{image.shape[0]}" for image in images.values())


def open_session(path: Path, threads: int | None = None, device: str = "auto") -> Any:
    """An onnxruntime session of a file.

    Raises InputError for a file that is no network, BackendError if onnxruntime or the device is
    missing.
    """
    if not path.is_file():
        raise InputError(f"{path}: not found; give an .onnx file")
    try:
        import onnxruntime
    except ImportError as error:
        raise BackendError(
            f"{path}: needs onnxruntime, which is not installed; pip install kadr[onnx]"
        ) from error
    available = onnxruntime.get_available_providers()
    names = _AUTO if device == "auto" else (device,)
    providers = [DEVICES[name] for name in names if DEVICES[name] in available]
    if not providers:
        devices = ", ".join(name for name, provider in DEVICES.items() if provider in available)
        raise BackendError(
            f"device {device}: this onnxruntime runs on {devices}; choose one of these"
        )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads or 0
    # spinning threads take cores from other work while they wait
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # errors of onnxruntime have no common base
        raise InputError(
            f"{path}: not a network that onnxruntime can open ({_first_line(error)})"
        ) from error
    if device != "auto" and session.get_providers()[0] != DEVICES[device]:
        raise BackendError(f"device {device}: onnxruntime could not start it; see its requirements")
    return session


def _image_input(name: str, shape: list[Any], tensor_type: str) -> ImageInput | None:
    """The input if it takes one image of three channels; None otherwise."""
    if len(shape) != 4 or tensor_type not in _TYPES:
        return None
    if isinstance(shape[0], int) and shape[0] != 1:
        return None
    if shape[1] == 3:
        channels_first, height, width = True, shape[2], shape[3]
    elif shape[3] == 3:
        channels_first, height, width = False, shape[1], shape[2]
    else:
        return None
    fixed = isinstance(height, int) and isinstance(width, int)
    size = (width, height) if fixed else None
    return ImageInput(name, channels_first, size, _TYPES[tensor_type])


def _to_tensor(image: Plane, image_input: ImageInput) -> NDArray[Any]:
    values = image.transpose(2, 0, 1) if image_input.channels_first else image
    if image_input.dtype == np.uint8:
        values = np.clip(np.rint(values), 0, 255)
    return np.ascontiguousarray(values[None].astype(image_input.dtype))


def _to_image(output: NDArray[Any]) -> Plane:
    """(H, W, 3) of an output that is an image, from any layout."""
    values = output.astype(np.float32)
    while values.ndim > 3 and values.shape[0] == 1:
        values = values[0]
    if values.ndim == 3 and values.shape[0] == 3 != values.shape[2]:
        values = values.transpose(1, 2, 0)
    return values


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
