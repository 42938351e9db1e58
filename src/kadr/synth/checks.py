"""Check that images, weights and masks of a synthesis fit together; raise an error if not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kadr.errors import InputError, OptionsError
from kadr.synth.types import GuideImage, StyleSource


def to_channels_last(image: NDArray[np.generic]) -> GuideImage:
    """An image as (H, W, C) uint8 or float32; raises InputError for any other array."""
    array = np.asarray(image)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or 0 in array.shape:
        raise InputError(f"image of shape {array.shape}; expected (H, W) or (H, W, C)")
    if array.dtype == np.uint8 or array.dtype == np.float32:
        return np.ascontiguousarray(array)
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * 255
    if np.issubdtype(array.dtype, np.floating):
        return array.astype(np.float32)
    raise InputError(f"image of {array.dtype}; expected uint8, or float32 on the scale 0–255")


def check_sources(
    sources: Sequence[StyleSource],
    images: Sequence[Sequence[GuideImage]],
    weights: Sequence[float],
    style_weight: float,
) -> None:
    """Raise InputError or OptionsError unless sources, their images and the weights fit together.

    images: one list for each source: its style, then its guides, channels last.
    """
    if not sources:
        raise InputError("no sources; give at least one style")
    if len(sources) > 255:
        raise InputError(f"{len(sources)} sources; expected at most 255")
    for weight in [style_weight, *weights]:
        if not (np.isfinite(weight) and weight >= 0):
            raise OptionsError(f"weight {weight}: expected a number, 0 or more")
    expected = [image.shape[2] for image in images[0]]
    for number, (source, group) in enumerate(zip(sources, images, strict=True), 1):
        if len(group) != len(weights) + 1:
            raise InputError(
                f"source {number} has {len(group) - 1} guides for {len(weights)} weights"
            )
        if group[0].dtype != np.uint8 or not 1 <= group[0].shape[2] <= 8:
            raise InputError(
                f"style {number}: {group[0].dtype}, {group[0].shape[2]} channels; "
                "expected uint8, 1 to 8 channels"
            )
        if [image.shape[2] for image in group] != expected:
            raise InputError(f"source {number}: its channels differ from the first source's")
        same_size: list[tuple[str, NDArray[np.generic]]] = [("guide", image) for image in group[1:]]
        if source.mask is not None:
            same_size.append(("mask", source.mask))
            if not source.mask.any():
                raise InputError(f"source {number}: its mask leaves no pixel to take patches from")
        for name, image in same_size:
            if image.shape[:2] != group[0].shape[:2]:
                raise InputError(
                    f"source {number}: a {name} is {image.shape[1]}x{image.shape[0]}, "
                    f"its style {group[0].shape[1]}x{group[0].shape[0]}"
                )


def check_targets(
    expected: Sequence[int],
    targets: Sequence[GuideImage],
    start_nnf: NDArray[np.generic] | None,
    start_source: NDArray[np.generic] | None,
    modulation: NDArray[np.generic] | None,
    mask: NDArray[np.bool_] | None,
    source_count: int,
) -> tuple[int, int]:
    """The common (height, width) of all inputs of a frame; raises InputError if sizes differ.

    expected: channels of each guide. source_count: number of sources.
    """
    counts = [target.shape[2] for target in targets]
    if counts != list(expected):
        raise InputError(
            f"target guides have {counts} channels; the sources' have {list(expected)}"
        )
    if not targets:
        raise InputError("no guides; give at least one")
    size = targets[0].shape[0], targets[0].shape[1]
    same_size: dict[str, NDArray[np.generic] | None] = {
        "start nnf": start_nnf,
        "start source": start_source,
        "modulation": modulation,
        "mask": mask,
    }
    same_size |= {f"target guide {i + 1}": target for i, target in enumerate(targets)}
    for name, array in same_size.items():
        if array is not None and array.shape[:2] != size:
            raise InputError(f"{name} is {size_text(array)}; the target is {size[1]}x{size[0]}")
    if start_nnf is not None and start_nnf.shape[2:] != (2,):
        raise InputError(f"start nnf has shape {start_nnf.shape}; expected (H, W, 2), x and y")
    if start_source is not None and int(start_source.max()) >= source_count:
        raise InputError(
            f"start source {int(start_source.max())}: there are {source_count} sources"
        )
    if mask is not None and (mask.dtype != np.bool_ or mask.ndim != 2):
        raise InputError(f"mask is {mask.dtype} of shape {mask.shape}; expected (H, W) bool")
    if modulation is not None and modulation.shape[2:] != (len(expected),):
        raise InputError(
            f"modulation has shape {modulation.shape}; "
            f"expected (H, W, {len(expected)}), one channel a guide"
        )
    return size


def size_text(array: NDArray[np.generic]) -> str:
    """Width x height of an image, or the shape of any other array."""
    return f"{array.shape[1]}x{array.shape[0]}" if array.ndim >= 2 else str(array.shape)
