"""Latents in, valid images out; where half precision overflows, float32 replaces it for good.

A network in half precision can overflow to values that are not finite, and the image is then black
or of one colour. This is detected here and the computation is repeated: first the autoencoder, then
everything in float32. The model keeps the higher precision, so the next frames do not fail again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from kadr.core.frames import Image
from kadr.errors import BackendError
from kadr.stylize.diffusion.model.model import Model, to_images

_log = logging.getLogger(__name__)


class LostPrecisionError(Exception):
    """Half precision overflowed: repeat the computation in float32."""


def check_latents(latents: Tensor) -> None:
    """Raise LostPrecisionError if any latent of a batch is not finite."""
    if not bool(torch.isfinite(latents).all()):
        raise LostPrecisionError


def decode_checked(model: Model, latents: Tensor, flat: Sequence[bool]) -> list[Image]:
    """Decode latents to images; if one is invalid, repeat with the autoencoder in float32.

    flat: which images come from frames of one colour, such as the black of a fade.
    Another image of one colour is accepted only if everything is in float32. Raises
    LostPrecisionError for one that is not accepted, and for values that are not finite.
    """
    check_latents(latents)
    pixels = model.decode_pixels(latents)
    if not _is_valid(pixels, flat) and model.vae_dtype != torch.float32:
        _log.warning("the autoencoder overflowed in half precision; it uses float32 from here on")
        model.upcast("vae")
        pixels = model.decode_pixels(latents)
    finite = bool(torch.isfinite(pixels).all())
    if not finite or (not model.is_float32 and not _is_valid(pixels, flat)):
        raise LostPrecisionError
    return to_images(pixels)


def run_with_fallback(model: Model, compute: Callable[[], list[Image]]) -> list[Image]:
    """The result of ``compute``; if precision was lost, compute it once more in float32.

    Raises BackendError if that fails too.
    """
    try:
        return compute()
    except LostPrecisionError:
        if not model.is_float32:
            _log.warning("values overflowed in half precision; float32 is used from here on")
            model.upcast("all")
            try:
                return compute()
            except LostPrecisionError:
                pass
    raise BackendError(
        f"model {model.name}: gives values that are not finite, in float32 too; its file or an "
        "addition to it is damaged, or cfg-scale is far too high"
    )


def is_flat(image: Image) -> bool:
    """Whether an image has one colour, within one level."""
    return bool((np.ptp(image[..., :3], axis=(0, 1)) <= 1).all())


def _is_valid(pixels: Tensor, flat: Sequence[bool]) -> bool:
    """Whether all values are finite, and no image has one colour unless ``flat`` allows it."""
    if not bool(torch.isfinite(pixels).all()):
        return False
    values = pixels.flatten(2)
    varied = (values.amax(2) - values.amin(2) > 1e-3).any(dim=1).tolist()
    return all(
        is_varied or may_be_flat for is_varied, may_be_flat in zip(varied, flat, strict=True)
    )
