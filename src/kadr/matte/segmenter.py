"""Open an ONNX file as a segmentation or matting model, and run it: a frame in, a matte out.

What the model takes is read from its inputs and its metadata; what it gives, from its outputs and
the values for the first frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Image
from kadr.core.resize import fit_in_box
from kadr.errors import BackendError, InputError, OptionsError
from kadr.matte.base import Matte
from kadr.stylize.onnx.network import open_session
from kadr.stylize.onnx.ranges import encode

_TYPES: Mapping[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
}
_METADATA_RANGES = {
    "nominalrange_0_255": "0-255",
    "normalized_0_1": "0-1",
    "normalized_1_1": "-1-1",
}
"""``Image.NominalPixelRange`` of the ONNX specification (MetadataProps.md), as kadr calls it."""
_MULTIPLE = 32
"""Networks halve sizes up to five times: only multiples come back in the same size."""
_OUTSIDE = 1e-3
"""How far values may lie outside of 0–1 and still be probabilities."""


@dataclass(frozen=True)
class _Input:
    """The model's input. size: (width, height) if it is fixed. channels: 3 or 1."""

    name: str
    channels_first: bool
    channels: int
    size: tuple[int, int] | None
    dtype: type[np.generic]


class Segmenter:
    """A model that takes one image and gives one map, or one for each class.

    pixel_range: of its input, one of RANGES, or "auto". order: "rgb", "bgr" or "auto". side: longer
    side for a model that takes any size. subject: the class that is the subject; None: the second
    of two, or all but the first.
    notices: what was assumed, complete after the first frame.
    Raises InputError for a file that is no such model, BackendError without onnxruntime.
    """

    def __init__(
        self,
        path: Path,
        *,
        pixel_range: str = "auto",
        order: str = "auto",
        side: int | None = None,
        subject: int | None = None,
    ) -> None:
        self._path, self._subject = path, subject
        self._session = open_session(path)
        self.notices: list[str] = []
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            names = ", ".join(repr(item.name) for item in inputs)
            raise InputError(
                f"{path}: takes {names or 'nothing'}; expected a model with one image as its input"
            )
        self._input = self._read_input(inputs[0])
        if self._input.size is not None and side is not None:
            raise OptionsError(
                f"model-size {side}: {path} works at {self._input.size[0]}×{self._input.size[1]} "
                "pixels only; leave model-size out"
            )
        self._side = side or 512
        metadata = {
            key.lower(): str(value).lower()
            for key, value in self._session.get_modelmeta().custom_metadata_map.items()
        }
        self._range = self._choose_range(pixel_range, metadata)
        from_model = metadata.get("image.bitmappixelformat", "").startswith("bgr")
        self._bgr = order == "bgr" or (order == "auto" and from_model)
        self._activation: str | None = None

    def _read_input(self, item: Any) -> _Input:
        shape, dtype = list(item.shape), _TYPES.get(item.type)
        problem = (
            f"{self._path}: its input {item.name!r} is {item.type} of {shape}; expected one image "
            "of 3 or 1 channels, such as [1, 3, height, width] or [1, height, width, 3]"
        )
        if dtype is None or len(shape) != 4 or (isinstance(shape[0], int) and shape[0] > 1):
            raise InputError(problem)
        if shape[1] in (1, 3):
            first, channels, sides = True, shape[1], shape[2:]
        elif shape[3] in (1, 3):
            first, channels, sides = False, shape[3], shape[1:3]
        else:
            raise InputError(problem)
        fixed = all(isinstance(value, int) and value > 0 for value in sides)
        return _Input(item.name, first, channels, (sides[1], sides[0]) if fixed else None, dtype)

    def _choose_range(self, pixel_range: str, metadata: Mapping[str, str]) -> str:
        if pixel_range != "auto":
            return pixel_range
        if self._input.dtype == np.uint8:
            return "0-255"
        nominal = metadata.get("image.nominalpixelrange", "")
        if nominal in _METADATA_RANGES:
            return _METADATA_RANGES[nominal]
        chosen = "imagenet" if self._input.channels == 3 else "0-1"
        self.notices.append(
            f"{self._path}: does not say which values it takes; {chosen} is assumed, another is "
            "set by --model-range"
        )
        return chosen

    def __call__(self, image: Image) -> Matte:
        """The matte of (h, w, 3) uint8, of the same size."""
        size = image.shape[1], image.shape[0]
        values = self._encode(image)
        try:
            outputs = self._session.run(None, {self._input.name: values})
        except Exception as error:  # errors of onnxruntime have no common base
            text = " ".join(str(error).split())[:160] or type(error).__name__
            raise BackendError(
                f"{self._path}: failed on a frame of {size[0]}×{size[1]} ({text}); give a smaller "
                "--model-size if memory ran out"
            ) from error
        matte = self._to_matte(np.asarray(outputs[0]))
        enlarged: Matte = cv2.resize(matte, size, interpolation=cv2.INTER_LINEAR)
        return np.clip(enlarged, 0, 1, out=enlarged)

    def _encode(self, image: Image) -> NDArray[Any]:
        size = self._input.size
        if size is None:
            width, height = fit_in_box(
                (image.shape[1], image.shape[0]), (self._side, self._side), enlarge=False
            )
            size = _round_up(width), _round_up(height)
        shrinks = size[0] * size[1] < image.shape[0] * image.shape[1]
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        resized = cv2.resize(image, size, interpolation=method)
        if self._input.channels == 1:
            resized = cv2.cvtColor(resized, cv2.COLOR_RGB2GRAY)[..., None]
        values = resized.astype(np.float32)
        if self._input.channels == 1 and self._range == "imagenet":
            raise OptionsError(f"model-range imagenet: {self._path} takes gray; give 0-1 or 0-255")
        values = encode(values, self._range)
        if self._bgr:
            values = values[..., ::-1]
        if self._input.channels_first:
            values = values.transpose(2, 0, 1)
        if self._input.dtype == np.uint8:
            values = np.clip(np.rint(values), 0, 255)
        return np.ascontiguousarray(values[None].astype(self._input.dtype))

    def _to_matte(self, output: NDArray[Any]) -> Matte:
        """(h', w') 0–1 of an output: one map, a map for each class, or the numbers of classes."""
        maps = output
        while maps.ndim > 2 and maps.shape[0] == 1:
            maps = maps[0]
        if maps.ndim == 3 and maps.shape[2] == 1:
            maps = maps[..., 0]
        if maps.ndim not in (2, 3) or min(maps.shape[-2:]) < 2 or not _is_number(maps):
            raise self._wrong_output(output)
        if maps.ndim == 2:
            return self._single(maps)
        # the classes are fewer than the pixels of a side
        if not self._input.channels_first and maps.shape[2] < min(maps.shape[:2]):
            maps = maps.transpose(2, 0, 1)
        if maps.shape[0] >= min(maps.shape[1:]):
            raise self._wrong_output(output)
        return self._classes(maps.astype(np.float32))

    def _wrong_output(self, output: NDArray[Any]) -> InputError:
        return InputError(
            f"{self._path}: its first output is {output.dtype} of {list(output.shape)}; expected a "
            "map of the frame, such as [1, 1, height, width], or one for each class"
        )

    def _single(self, values: NDArray[Any]) -> Matte:
        if np.issubdtype(values.dtype, np.integer) or values.dtype == np.bool_:
            if self._subject is None and values.dtype == np.uint8 and int(values.max()) > 127:
                return values.astype(np.float32) / np.float32(255)
            chosen = values > 0 if self._subject is None else values == self._subject
            return np.asarray(chosen, np.float32)
        if self._subject is not None:
            raise OptionsError(
                f"model-class {self._subject}: {self._path} gives one map only; leave it out"
            )
        levels = values.astype(np.float32)
        self._check_finite(levels)
        if self._activation is None:
            inside = float(levels.min()) >= -_OUTSIDE and float(levels.max()) <= 1 + _OUTSIDE
            self._activation = "" if inside else "sigmoid"
        return levels if not self._activation else _sigmoid(levels)

    def _classes(self, maps: NDArray[np.float32]) -> Matte:
        count = maps.shape[0]
        self._check_finite(maps)
        if self._subject is not None and self._subject >= count:
            raise OptionsError(
                f"model-class {self._subject}: {self._path} has classes 0 to {count - 1}"
            )
        if self._activation is None:
            sums = maps.sum(axis=0)
            is_share = float(maps.min()) >= -_OUTSIDE and bool(np.all(np.abs(sums - 1) < 0.01))
            self._activation = "" if is_share else "softmax"
            if self._subject is None and count > 2:
                self.notices.append(
                    f"{self._path}: has {count} classes; all but the first are the subject, one is "
                    "chosen by --model-class"
                )
        if self._activation:
            maps = np.exp(maps - maps.max(axis=0))
            maps = maps / maps.sum(axis=0)
        chosen: Matte = 1 - maps[0] if self._subject is None else maps[self._subject]
        return chosen

    def _check_finite(self, values: NDArray[np.float32]) -> None:
        if not np.isfinite(values).all():
            raise BackendError(
                f"{self._path}: its output is not finite; give another --model-range"
            )


def _is_number(values: NDArray[Any]) -> bool:
    return np.issubdtype(values.dtype, np.number) or values.dtype == np.bool_


def _round_up(side: int) -> int:
    return -(-side // _MULTIPLE) * _MULTIPLE


def _sigmoid(values: NDArray[np.float32]) -> Matte:
    return np.float32(1) / (np.float32(1) + np.exp(-np.clip(values, -60, 60)))
