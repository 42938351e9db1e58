"""Take keyframes that were painted in another program from image files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import cv2
import numpy as np

from kadr.core.frames import Image, to_8_bits
from kadr.errors import InputError, OptionsError
from kadr.files import last_number, list_folder
from kadr.image_files import IMAGE_SUFFIXES, read_image
from kadr.option_fields import option
from kadr.stylize.base import StyledFrame, StylizeContext, StylizeJob

_MOST_STRETCH = 1.25
"""The largest ratio between the aspects of a key and its frame; more means another crop."""


class NumberedClip(Protocol):
    """The part of a clip that this module needs: how its frames are numbered."""

    def __len__(self) -> int: ...

    def number(self, index: int) -> int:
        """The number of the frame in file names."""
        ...

    def index_of(self, number: int) -> int | None:
        """The index of the frame with this number, or None."""
        ...


@dataclass(frozen=True, order=True)
class KeyFile:
    """A painted key: its frame index and its file."""

    index: int
    path: Path


@dataclass(frozen=True)
class ExternalOptions:
    """Where the painted keys are."""

    keys: tuple[Path, ...] = option((), "a folder of painted keys, or the files")
    fit: bool = option(False, "resize keys whose size differs from the clip's")

    def __post_init__(self) -> None:
        paths = [self.keys] if isinstance(self.keys, (str, Path)) else self.keys
        object.__setattr__(self, "keys", tuple(Path(path) for path in paths))
        if not self.keys:
            raise OptionsError("stylizer external: no keys; give a folder of painted keys")


class External:
    """The stylizer that takes each frame from its painted file."""

    Options: ClassVar[type[ExternalOptions]] = ExternalOptions
    VERSION = 1
    name = "external"
    joint = False
    sequential = False
    max_batch = 1

    def __init__(self, options: ExternalOptions) -> None:
        self._options = options

    def stylize(
        self, jobs: Iterable[StylizeJob], context: StylizeContext
    ) -> Iterator[list[StyledFrame]]:
        """Yield each job's painted file; ``context.number`` says which file belongs to a frame.

        Raises InputError if a job's frame has no key, or one of another size without ``fit``.
        """
        files = _files_by_number(_key_files(self._options.keys))
        for job in jobs:
            context.cancel.check()
            number = context.number(job.index)
            if number not in files:
                raise InputError(
                    f"{self._options.keys[0]}: no key for frame {number}; "
                    f"there are {_format_numbers(sorted(files))}"
                )
            key = KeyFile(job.index, files[number])
            image = load_key(key, job.frame.size, fit=self._options.fit)
            yield [StyledFrame(job.index, image, {"file": str(key.path)})]


def find_keys(keys: Path | Sequence[Path], clip: NumberedClip) -> list[KeyFile]:
    """Painted keys of a clip, sorted by frame index.

    keys: a folder, or files and folders. The last number of a file's name is its frame's number:
    the index for a video, the sequence's own for images. Files that are not images, and hidden
    files, are ignored.
    Raises InputError if a path is missing, there is no image, a name has no number or one that is
    not in the clip, or two files belong to one frame.
    """
    paths = (keys,) if isinstance(keys, Path) else tuple(keys)
    files = _files_by_number(_key_files(paths))
    return sorted(KeyFile(_frame_index(path, number, clip), path) for number, path in files.items())


def _key_files(paths: Sequence[Path]) -> list[Path]:
    """The image files among paths and in folders, in a fixed order."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files += [file for file in list_folder(path) if file.is_file()]
        elif path.exists():
            files.append(path)
        else:
            raise InputError(f"{path}: not found; give a folder of painted keys, or the files")
    images = [
        file
        for file in files
        if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith(".")
    ]
    if not images:
        source = paths[0] if paths else "keys"
        raise InputError(
            f"{source}: no keys found; expected images named by frame number, such as 012.png"
        )
    return images


def _files_by_number(files: Sequence[Path]) -> dict[int, Path]:
    numbered: dict[int, Path] = {}
    for file in files:
        number = last_number(file.name)
        if number is None:
            raise InputError(
                f"{file}: no number in its name, so its frame is unknown; "
                f"rename it to end in its frame's number, such as {file.stem}_012{file.suffix}"
            )
        other = numbered.setdefault(number, file)
        if other != file:
            raise InputError(f"{other} and {file}: both are keys of frame {number}; keep one")
    return numbered


def _frame_index(path: Path, number: int, clip: NumberedClip) -> int:
    index = clip.index_of(number)
    if index is None:
        first, last = clip.number(0), clip.number(len(clip) - 1)
        raise InputError(
            f"{path}: the clip has no frame {number}; its {len(clip)} frames are numbered "
            f"{first} to {last}; rename the key or remove it"
        )
    return index


def _format_numbers(numbers: Sequence[int], most: int = 8) -> str:
    text = ", ".join(str(number) for number in numbers[:most])
    return text if len(numbers) <= most else f"{text} and {len(numbers) - most} more"


def load_key(key: KeyFile, size: tuple[int, int], *, fit: bool = False) -> Image:
    """Read a key as (H, W, 3 or 4) uint8; 16-bit files are rounded to 8 bits.

    size: (width, height) of the clip. A key of another size raises InputError, unless ``fit``:
    then the whole key is stretched over the whole frame, since programs that repaint a frame round
    its sides to some multiple but still show all of it. A key whose aspect differs by more than a
    quarter was cropped or turned, and still raises InputError.
    """
    image = to_8_bits(read_image(key.path))
    width, height = image.shape[1], image.shape[0]
    if (width, height) == size:
        return image
    sizes = f"{key.path}: {width}×{height} pixels, the clip has {size[0]}×{size[1]}"
    if not fit:
        raise InputError(f"{sizes}; resize the key, or give --fit-keys to resize it here")
    stretch = (width * size[1]) / (height * size[0])
    if not 1 / _MOST_STRETCH <= stretch <= _MOST_STRETCH:
        raise InputError(f"{sizes}, another shape; crop the key to what its frame shows")
    return _resize(image, size)


def _resize(image: Image, size: tuple[int, int]) -> Image:
    """Area down, cubic up; colours are weighted by alpha, so hidden colours do not bleed in."""
    shrinks = size[0] * size[1] < image.shape[0] * image.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    values = image.astype(np.float32)
    if image.shape[2] == 3:
        resized = cv2.resize(values, size, interpolation=method)
    else:
        alpha = values[..., 3:] / 255
        premultiplied = np.concatenate([values[..., :3] * alpha, values[..., 3:]], axis=2)
        resized = cv2.resize(premultiplied, size, interpolation=method)
        resized[..., :3] /= np.maximum(resized[..., 3:] / 255, 1 / 255)
    rounded: Image = np.clip(np.rint(resized), 0, 255).astype(np.uint8)
    return rounded
