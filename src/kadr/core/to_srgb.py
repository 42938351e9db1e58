"""Convert images from the colours of their ICC profile to sRGB, through LittleCMS in Pillow."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kadr.core.colour_space import BROKEN, HDR
from kadr.core.frames import to_8_bits
from kadr.errors import InputError

_TOLERANCE = 2
"""Levels by which the colours of a profile may differ from sRGB and still be sRGB in fact."""
_CACHED = 16

_Pixels: TypeAlias = NDArray[Any]
"""uint8 or uint16."""

_log = logging.getLogger(__name__)


Warn: TypeAlias = Callable[[str], object]
"""Takes what to tell people about an image, without its name."""


def to_srgb(name: object, image: _Pixels, profile: bytes | None, warn: Warn) -> _Pixels:
    """(H, W, 3 or 4) RGB(A), or (H, W) gray, as sRGB; without a profile the image as it is.

    Gray may become RGB. A profile that is sRGB in fact changes nothing; one that is broken or does
    not fit is left aside with a notice. Images of 16 bits become 8 bits if they are converted, with
    a notice. Raises InputError for colours of high dynamic range.
    """
    if profile is None:
        return image
    if profile == HDR:
        raise InputError(
            f"{name}: its colours are of high dynamic range (PQ or HLG); save it as sRGB"
        )
    space, transform = _transform(profile)
    colours = _in_space(image, space)
    if colours is None:
        warn("its colour profile is damaged or does not fit; its colours are taken for sRGB")
        return image
    if transform is None:
        return image
    if image.dtype == np.uint16:
        warn("converted to 8 bits together with its colour profile")
    converted = _apply(transform, to_8_bits(colours))
    if image.shape[2:] == (4,):
        return np.concatenate([converted, to_8_bits(image[..., 3:])], axis=2)
    return converted


def _in_space(image: _Pixels, space: str) -> _Pixels | None:
    """The image's colours with as many channels as a space has; None if they do not fit."""
    if space == "RGB":
        return image[..., :3] if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    if space != "GRAY":
        return None
    if image.ndim == 2:
        return image
    return image[..., 0] if (image[..., :1] == image[..., 1:3]).all() else None


def cmyk_to_srgb(image: Any, profile: bytes | None, warn: Warn) -> NDArray[np.uint8]:
    """Pillow's CMYK image as (H, W, 3) sRGB by its profile, or by a plain formula without one."""
    space, transform = _transform(profile) if profile else ("", None)
    if transform is None or space != "CMYK":
        reason = "no colour profile" if profile is None else "no colour profile that fits"
        warn(f"is CMYK and has {reason}; its colours are a guess")
        return np.asarray(image.convert("RGB"))
    return np.asarray(_convert(transform, image))


def _apply(transform: Any, colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    from PIL import Image as PillowImage

    converted = _convert(transform, PillowImage.fromarray(np.ascontiguousarray(colours)))
    return np.asarray(converted)


def _convert(transform: Any, image: Any) -> Any:
    from PIL import ImageCms

    return ImageCms.applyTransform(image, transform)


@lru_cache(maxsize=_CACHED)
def _transform(profile: bytes) -> tuple[str, Any]:
    """(colour space, transform to sRGB); no transform if it would change nothing.

    The space is "" for a profile that cannot be used.
    """
    from PIL import ImageCms

    if profile == BROKEN:
        return "", None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = source.profile.xcolor_space.strip()
        mode = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}.get(space)
        if mode is None:
            return "", None
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    # LittleCMS and Pillow raise various errors for the many ways in which a profile is broken
    except Exception as error:
        _log.info("colour profile: %s", error)
        return "", None
    is_srgb = space != "CMYK" and _changes_nothing(transform, space)
    return space, None if is_srgb else transform


def _changes_nothing(transform: Any, space: str) -> bool:
    """Whether a grid of colours comes out as it goes in."""
    levels = np.linspace(0, 255, 18).round().astype(np.uint8)
    if space == "GRAY":
        probe = levels[None]
        expected = np.repeat(probe[..., None], 3, axis=2)
    else:
        probe = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(18, -1, 3)
        expected = probe
    return int(np.abs(_apply(transform, probe).astype(int) - expected).max()) <= _TOLERANCE
