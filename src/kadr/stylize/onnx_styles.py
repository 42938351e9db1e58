"""A style as people name it in, the numbers by which a network knows it out."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from kadr.core.frames import to_8_bits
from kadr.errors import InputError, OptionsError
from kadr.files import read_image
from kadr.stylize.onnx_network import ImageInput, Network
from kadr.stylize.onnx_ranges import Plane, encode


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
    """(count,) weights that sum to 1. Raises OptionsError for a style that ``path`` has not."""
    mix = parse_mix(style)
    if min(mix) < 0 or max(mix) >= count:
        raise OptionsError(f"style {style}: {path.name} has styles 0 to {count - 1}")
    weights = np.zeros(count, np.float32)
    for number, weight in mix.items():
        weights[number] = weight
    normalized: Plane = weights / weights.sum()
    return normalized


def style_picture(path: Path, slot: ImageInput, kind: str) -> Plane:
    """The middle of a style picture, square, as (H, W, 3) numbers for an input.

    kind: the range that the network is fed in, or "auto".
    """
    image = to_8_bits(read_image(path))[..., :3]
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    square = np.ascontiguousarray(image[top : top + side, left : left + side])
    size = slot.size or (256, 256)
    method = cv2.INTER_AREA if side > size[0] else cv2.INTER_CUBIC
    resized = cv2.resize(square, size, interpolation=method).astype(np.float32)
    if slot.dtype == np.uint8:
        kind = "0-255"
    return encode(resized, "0-1" if kind == "auto" else kind)


def style_code(picture: Path, predictor: Network, length: int, kind: str) -> Plane:
    """A style's code: what the predictor makes of the style picture.

    Raises InputError for a code of another ``length``.
    """
    slot = predictor.images[0]
    code = predictor.run({slot.name: style_picture(picture, slot, kind)}, {}).ravel()
    if code.size != length:
        raise InputError(
            f"{predictor.path}: makes codes of {code.size} numbers, the network takes {length}; "
            "give the two that belong together"
        )
    return code
