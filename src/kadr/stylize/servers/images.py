"""Encode frames for a server, decode the images that it returns, and fit those to the frame."""

from __future__ import annotations

import base64
import binascii

import cv2
import numpy as np

from kadr.core.frames import Image, to_8_bits
from kadr.core.png_pixels import encode_png
from kadr.errors import BackendError, InputError
from kadr.image_files import decode_image as read_image_data
from kadr.stylize.base import Mask, StylizeContext, StylizeJob
from kadr.stylize.layout.sizes import flatten_on_white, resize
from kadr.stylize.servers.json_values import as_text

_MAX_STRETCH = 1.25
"""The largest ratio between the aspects of a frame and a returned image of the same scene."""


def encode_base64(image: Image) -> str:
    """The PNG file as text for JSON."""
    return base64.b64encode(encode_png(image)).decode()


def mask_image(mask: Mask) -> Image:
    """(H, W) uint8: white where a mask is True."""
    return np.where(mask, 255, 0).astype(np.uint8)


def add_mask(image: Image, mask: Mask | None) -> Image:
    """(H, W, 4): transparent where a mask of any size is True, as ComfyUI reads masks."""
    if mask is None:
        return image
    size = (image.shape[1], image.shape[0])
    alpha = cv2.resize(mask_image(~mask), size, interpolation=cv2.INTER_NEAREST)
    return np.dstack([image, alpha])


def decode_base64(text: object, where: str) -> Image:
    """Decode an image out of JSON, with or without ``data:image/png;base64,`` before it."""
    try:
        encoded = as_text(text).rpartition(",")[2]
        data = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data:
        raise BackendError(f"{where}: sent an image that is not base64 text; see its log")
    return decode_image(data, where)


def decode_image(data: bytes, where: str) -> Image:
    """(H, W, 3) uint8 of an image file's bytes; transparent parts become white.

    Raises BackendError that begins with ``where`` if they are not an image, or one beyond the
    limits.
    """
    try:
        image = read_image_data(where, data)
    except InputError as error:
        reason = str(error).removeprefix(f"{where}: ")
        raise BackendError(
            f"{where}: sent {len(data)} bytes that are no image to be used ({reason}); see its log"
        ) from error
    return flatten_on_white(to_8_bits(image))


def has_same_aspect(size: tuple[int, int], frame_size: tuple[int, int]) -> bool:
    """Whether an image of a size can show the whole frame; its sides may be rounded."""
    stretch = size[0] * frame_size[1] / (size[1] * frame_size[0])
    return 1 / _MAX_STRETCH <= stretch <= _MAX_STRETCH


def fit_to_frame(image: Image, job: StylizeJob, context: StylizeContext) -> Image:
    """Resize an image to its frame's size and channels; outside ``context.mask`` keep the frame."""
    styled = to_8_bits(job.frame.image).copy()
    styled[..., :3] = resize(image, job.frame.size)
    mask = context.mask(job.index)
    if mask is not None:
        styled[~mask] = to_8_bits(job.frame.image)[~mask]
    return styled
