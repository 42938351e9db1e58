"""Convert a style option or a style image to the numbers that a network takes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from kadr.core.frames import to_8_bits
from kadr.errors import InputError, OptionsError
from kadr.image_files import read_image
from kadr.stylize.onnx.network import ImageInput, Network
from kadr.stylize.onnx.ranges import Plane, encode


def parse_mix(text: str) -> dict[int, float]:
    """Styles and their weights from "7" or "3:0.5,12:0.5"; style 0 from nothing.

    Raises OptionsError for anything else.
    """
    mix: dict[int, float] = {}
    for part in text.split(",") if text else ["0"]:
        number, colon, weight = part.strip().partition(":")
        try:
            mix[int(number)] = mix.get(int(number), 0.0) + (float(weight) if colon else 1.0)
        except ValueError as error:
            raise OptionsError(
                f"style {text!r}: expected a number, or a mix such as 3:0.5,12:0.5"
            ) from error
    weights = np.array(list(mix.values()))
    if not np.isfinite(weights).all() or (weights < 0).any() or weights.sum() <= 0:
        raise OptionsError(f"style {text!r}: expected weights of 0 or more, not all 0")
    return mix


def style_weights(style: str, count: int, path: Path) -> Plane:
    """(count,) weights that sum to 1. Raises OptionsError for a style that ``path`` lacks."""
    mix = parse_mix(style)
    if min(mix) < 0 or max(mix) >= count:
        raise OptionsError(f"style {style}: {path.name} has styles 0 to {count - 1}")
    weights = np.zeros(count, np.float32)
    for number, weight in mix.items():
        weights[number] = weight
    normalized: Plane = weights / weights.sum()
    return normalized


def encode_style_image(path: Path, image_input: ImageInput, input_range: str) -> Plane:
    """The central square of a style image as (H, W, 3) numbers for an input.

    input_range: the value range of the network's input, or "auto".
    """
    image = to_8_bits(read_image(path))[..., :3]
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    square = np.ascontiguousarray(image[top : top + side, left : left + side])
    size = image_input.size or (256, 256)
    method = cv2.INTER_AREA if side > size[0] else cv2.INTER_CUBIC
    resized = cv2.resize(square, size, interpolation=method).astype(np.float32)
    if image_input.dtype == np.uint8:
        input_range = "0-255"
    return encode(resized, "0-1" if input_range == "auto" else input_range)


def style_code(path: Path, predictor: Network, length: int, input_range: str) -> Plane:
    """The style code that a predictor computes from a style image.

    Raises InputError for a code of another ``length``.
    """
    image_input = predictor.images[0]
    image = encode_style_image(path, image_input, input_range)
    code = predictor.run({image_input.name: image}, {}).ravel()
    if code.size != length:
        raise InputError(
            f"{predictor.path}: makes codes of {code.size} numbers, the network takes {length}; "
            "give the two that belong together"
        )
    return code
