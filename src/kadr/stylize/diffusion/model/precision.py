"""Latents in, pictures that are sound out; where half precision overflowed, it is left for good.

A network in half precision can overflow to values that are not numbers, and the picture is black
or of one colour. It is caught here and the work is redone: the autoencoder first, then all of it in
float32. The model keeps the higher precision, so the next frames do not fail again.
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
    """Values are not numbers: do it again in float32."""


def check_latents(latents: Tensor) -> None:
    """Raise LostPrecisionError if any latent of a batch is not a number or is infinite."""
    if not bool(torch.isfinite(latents).all()):
        raise LostPrecisionError


def decode_soundly(model: Model, latents: Tensor, flat: Sequence[bool]) -> list[Image]:
    """Pictures of latents; the autoencoder goes to float32 if one is not sound.

    flat: which of them are of frames of one colour themselves, such as the black of a fade.
    Another picture of one colour is believed only if all is in float32. Raises LostPrecisionError
    for one that is not, and for values that are not numbers.
    """
    check_latents(latents)
    pixels = model.decode_pixels(latents)
    if not _sound(pixels, flat) and model.vae_dtype != torch.float32:
        _log.warning("the autoencoder overflowed in half precision; it works in float32 from here")
        model.upcast("vae")
        pixels = model.decode_pixels(latents)
    finite = bool(torch.isfinite(pixels).all())
    if not finite or (not model.precise and not _sound(pixels, flat)):
        raise LostPrecisionError
    return to_images(pixels)


def with_fallback(model: Model, make: Callable[[], list[Image]]) -> list[Image]:
    """What ``make`` gives; if it lost precision, once more in float32.

    Raises BackendError if that fails too.
    """
    try:
        return make()
    except LostPrecisionError:
        if not model.precise:
            _log.warning("values overflowed in half precision; all is done in float32 from here")
            model.upcast("all")
            try:
                return make()
            except LostPrecisionError:
                pass
    raise BackendError(
        f"model {model.name}: gives values that are not numbers, in float32 too; its file or an "
        "addition to it is damaged, or cfg-scale is far too high"
    )


def is_flat(picture: Image) -> bool:
    """Whether a picture is of one colour, or as good as."""
    return bool((np.ptp(picture[..., :3], axis=(0, 1)) <= 1).all())


def _sound(pixels: Tensor, flat: Sequence[bool]) -> bool:
    """Whether all values are numbers and no picture is of one colour that is not to be so."""
    if not bool(torch.isfinite(pixels).all()):
        return False
    values = pixels.flatten(2)
    varied = (values.amax(2) - values.amin(2) > 1e-3).any(dim=1).tolist()
    return all(has or may for has, may in zip(varied, flat, strict=True))
