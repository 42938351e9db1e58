"""The files of a synthesis in, arrays out; its result in, files out."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kadr.cli.synth_arguments import GuideFiles, SynthArguments
from kadr.errors import InputError, OutputError
from kadr.files import atomic_file
from kadr.image_files import WRITABLE_SUFFIXES, read_image, write_image
from kadr.stylize.base import Mask
from kadr.synth.types import Synthesis
from kadr.video.outputs_apart import check_outputs_apart

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Images:
    """The images of a synthesis. Each has 1 to 4 channels, as few as its file needs."""

    style: Bytes
    sources: list[Bytes]
    targets: list[Bytes]
    source_mask: Mask | None
    target_mask: Mask | None
    modulation: Bytes | None
    start_nnf: NDArray[np.generic] | None


def check_outputs(arguments: SynthArguments) -> None:
    """Raise OutputError, before any work, for a file that cannot be written."""
    suffix = arguments.output.suffix.lower()
    if suffix not in WRITABLE_SUFFIXES:
        suffixes = " ".join(sorted(WRITABLE_SUFFIXES))
        raise OutputError(
            f"{arguments.output}: unknown image type {suffix!r}; use one of {suffixes}"
        )
    outputs = [path for path in (arguments.output, arguments.nnf, arguments.error) if path]
    check_outputs_apart(outputs, _inputs(arguments))
    for path in outputs:
        if path.is_dir():
            raise OutputError(f"{path}: is a folder; choose another name")
        if path.exists() and not arguments.overwrite:
            raise OutputError(f"{path}: exists already; use --overwrite or another name")
        for folder in path.parents:
            if folder.exists() and not folder.is_dir():
                raise OutputError(f"{path}: {folder} is a file; choose another folder")


def _inputs(arguments: SynthArguments) -> list[Path]:
    """Every file that ``read_images`` reads."""
    guides = arguments.guides
    files = [file for guide in guides for file in (guide.source, guide.target, guide.modulation)]
    others = [arguments.source_mask, arguments.target_mask, arguments.start_nnf]
    return [arguments.style, *(file for file in (*files, *others) if file is not None)]


def read_images(arguments: SynthArguments) -> Images:
    """Read every file. Raises InputError naming the file that is missing or does not fit."""
    (style,) = _read([arguments.style])
    sources: list[Bytes] = []
    targets: list[Bytes] = []
    for guide in arguments.guides:
        source, target = _read([guide.source, guide.target])
        _check_size(guide.source, source, arguments.style, style)
        _check_size(guide.target, target, arguments.guides[0].target, (targets or [target])[0])
        sources.append(source)
        targets.append(target)
    first = arguments.guides[0].target
    return Images(
        style,
        sources,
        targets,
        _mask(arguments.source_mask, arguments.style, style),
        _mask(arguments.target_mask, first, targets[0]),
        _modulation(arguments.guides, targets[0]),
        _start_nnf(arguments.start_nnf, first, targets[0]),
    )


def write_outputs(arguments: SynthArguments, synthesis: Synthesis) -> None:
    """Write the image and the requested arrays: all of them, or no new one."""
    with ExitStack() as stack:
        for path, array in ((arguments.nnf, synthesis.nnf), (arguments.error, synthesis.error)):
            if path is not None:
                np.save(stack.enter_context(atomic_file(path)), array)
        write_image(arguments.output, _storable(synthesis.image))


def _read(paths: list[Path]) -> list[Bytes]:
    """Images as (H, W, C) uint8: gray ones with one channel, alpha kept where it is not opaque.

    All get the same channels: those that any of them needs.
    """
    images = [_eight_bits(read_image(path)) for path in paths]
    colored = any((image[..., :1] != image[..., 1:3]).any() for image in images)
    alpha = any(image.shape[2] == 4 and (image[..., 3] < 255).any() for image in images)
    return [_channels(image, colored, alpha) for image in images]


def _channels(image: Bytes, colored: bool, alpha: bool) -> Bytes:
    parts = [image[..., : 3 if colored else 1]]
    if alpha:
        opaque = np.full_like(image[..., :1], 255)
        parts.append(image[..., 3:] if image.shape[2] == 4 else opaque)
    return np.concatenate(parts, axis=2)


def _storable(image: Bytes) -> Bytes:
    """The 1 to 4 channels of the result, by ``_channels``, as an image file has them."""
    if image.shape[2] == 1:
        return image[..., 0]
    return image[..., [0, 0, 0, 1]] if image.shape[2] == 2 else image


def _eight_bits(image: Bytes | NDArray[np.uint16]) -> Bytes:
    if image.dtype == np.uint16:
        return ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return image.astype(np.uint8, copy=False)


def _check_size(path: Path, image: NDArray[np.generic], other_path: Path, other: Bytes) -> None:
    if image.shape[:2] != other.shape[:2]:
        raise InputError(
            f"{path}: {image.shape[1]}×{image.shape[0]} pixels, but {other_path} has "
            f"{other.shape[1]}×{other.shape[0]}; they must have the same size"
        )


def _mask(path: Path | None, other_path: Path, other: Bytes) -> Mask | None:
    if path is None:
        return None
    image = _eight_bits(read_image(path))
    _check_size(path, image, other_path, other)
    white: Mask = image[..., :3].max(axis=2) > 127
    return white


def _modulation(guides: list[GuideFiles], target: Bytes) -> Bytes | None:
    if all(guide.modulation is None for guide in guides):
        return None
    factors = np.full((*target.shape[:2], len(guides)), 255, np.uint8)
    for index, guide in enumerate(guides):
        if guide.modulation is not None:
            image = _eight_bits(read_image(guide.modulation, as_stored=True))
            _check_size(guide.modulation, image, guides[0].target, target)
            factors[..., index] = image[..., :3].mean(axis=2).round()
    return factors


def _start_nnf(path: Path | None, target_path: Path, target: Bytes) -> NDArray[np.generic] | None:
    if path is None:
        return None
    try:
        array: NDArray[np.generic] = np.load(path, allow_pickle=False)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, EOFError) as error:
        raise InputError(f"{path}: not an array in NumPy's format; give a .npy file") from error
    if array.ndim != 3 or array.shape[2] != 2 or array.dtype.kind not in "iuf":
        raise InputError(
            f"{path}: {array.dtype} of shape {array.shape}; expected numbers, (H, W, 2)"
        )
    _check_size(path, array, target_path, target)
    return array
