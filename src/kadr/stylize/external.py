"""Take keyframes that were painted in another program from image files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from kadr.core.frames import Image, to_8_bits
from kadr.core.resize import resize_image
from kadr.errors import InputError, OptionsError
from kadr.files import list_folder
from kadr.frame_names import NumberedClip, frame_numbers
from kadr.image_files import IMAGE_SUFFIXES, decode_image, read_image_bytes
from kadr.option_fields import option
from kadr.remote.copies import local_copy
from kadr.stylize.base import StyledFrame, StylizeContext, StylizeJob
from kadr.stylize.displacement import align_key, measure_displacement
from kadr.unused_files import list_names

FILE_DIGEST = "file_digest"
"""In the info of a painted key: the SHA-256 of the file's bytes that were decoded, in hex."""

_MOST_STRETCH = 1.25
"""The largest ratio between the aspects of a key and its frame; more means another crop."""

_TURNED_TOLERANCE = 0.02
"""How much the aspect of a turned key may differ from its frame's: sizes are rounded."""


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
    align: bool = option(False, "move keys back that are shifted or scaled against their frame")
    turn: int = option(0, "degrees clockwise to turn keys by: 0, 90, 180 or 270", low=0, high=270)

    def __post_init__(self) -> None:
        paths = [self.keys] if isinstance(self.keys, (str, Path)) else self.keys
        object.__setattr__(self, "keys", tuple(Path(path) for path in paths))
        if not self.keys:
            raise OptionsError("stylizer external: no keys; give a folder of painted keys")
        if self.turn % 90:
            raise OptionsError(f"stylizer external: turn {self.turn}: expected 0, 90, 180 or 270")


class External:
    """The stylizer that takes each frame from its painted file."""

    Options: ClassVar[type[ExternalOptions]] = ExternalOptions
    VERSION = 1
    name = "external"
    joint = False
    sequential = False
    max_batch = 1

    def __init__(self, options: ExternalOptions, files: Sequence[KeyFile] | None = None) -> None:
        """files: the keys as ``find_keys`` gives them; None: they are found by their names."""
        self._options = options
        self._files = None if files is None else {key.index: key.path for key in files}

    def stylize(
        self, jobs: Iterable[StylizeJob], context: StylizeContext
    ) -> Iterator[list[StyledFrame]]:
        """Yield each job's painted file.

        Raises InputError if a job's frame has no key, or one of another size without ``fit``.
        """
        files = self._files
        if files is None:
            files = _files_by_number(_key_files(self._options.keys))
        for job in jobs:
            context.cancel.check()
            number = job.index if self._files is not None else context.number(job.index)
            if number not in files:
                raise InputError(
                    f"{self._options.keys[0]}: no key for frame {context.number(job.index)}; "
                    f"there are {_format_numbers(sorted(files))}"
                )
            key = KeyFile(job.index, files[number])
            content = read_image_bytes(key.path)
            options = self._options
            image = _decode_key(key, content, job.frame.size, fit=options.fit, turn=options.turn)
            if self._options.align:
                image = _aligned(image, job.frame.rgb)
            info = {"file": str(key.path), FILE_DIGEST: hashlib.sha256(content).hexdigest()}
            yield [StyledFrame(job.index, image, info)]


def _aligned(key: Image, frame: Image) -> Image:
    """The key moved back to its frame; as it is if it lies well, or if no one movement does it."""
    displacement = measure_displacement(key, frame)
    if displacement is None or not displacement.explained:
        return key
    return align_key(key, displacement)


def find_keys(
    keys: Path | Sequence[Path], clip: NumberedClip, offset: int = 0, *, kind: str = "key"
) -> list[KeyFile]:
    """Painted keys of a clip, sorted by frame index.

    keys: a folder, or files and folders. The number in a file's name, which ``frame_numbers``
    finds, is its frame's number: the index for a video, the sequence's own for images. offset: is
    added to it. kind: what errors call the files; masks are named as keys are. Files that are not
    images, and hidden files, are ignored.
    Raises InputError if a path is missing, there is no image, a name has no number, several or one
    that is not in the clip, or two files belong to one frame.
    """
    paths = (keys,) if isinstance(keys, Path) else tuple(keys)
    files = _files_by_number(_key_files(paths, kind), clip, offset, kind)
    return sorted(
        KeyFile(_frame_index(path, number, clip, offset, kind), path)
        for number, path in files.items()
    )


def _key_files(paths: Sequence[Path], kind: str = "key") -> list[Path]:
    """The image files among paths and in folders, in a fixed order."""
    files: list[Path] = []
    for path in map(local_copy, paths):
        if path.is_dir():
            files += [file for file in list_folder(path) if file.is_file()]
        elif path.exists():
            files.append(path)
        else:
            raise InputError(f"{path}: not found; give a folder of painted {kind}s, or the files")
    images = [
        file
        for file in files
        if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith(".")
    ]
    if not images:
        source = paths[0] if paths else "keys"
        others = [file for file in files if not file.name.startswith(".")]
        raise InputError(
            f"{source}: no {kind}s found; expected images named by frame number, such as 012.png"
            + (f", not {list_names(others)}" if others else "")
        )
    return images


def _files_by_number(
    files: Sequence[Path],
    clip: NumberedClip | None = None,
    offset: int = 0,
    kind: str = "key",
) -> dict[int, Path]:
    """Files by the frame numbers of their names, ``offset`` added."""
    numbered: dict[int, Path] = {}
    for file, number in zip(files, frame_numbers(files, clip, offset), strict=True):
        other = numbered.setdefault(number + offset, file)
        if other != file:
            raise InputError(
                f"{other} and {file}: both are {kind}s of frame {number + offset}; keep one"
            )
    return numbered


def _frame_index(path: Path, number: int, clip: NumberedClip, offset: int, kind: str) -> int:
    """The frame of a number. Raises InputError for a number that the clip does not have."""
    index = clip.index_of(number)
    if index is None:
        first, last = clip.number(0), clip.number(len(clip) - 1)
        shift = f" (with key-offset {offset})" if offset else ""
        counts_from_one = kind == "key" and number == last + 1
        raise InputError(
            f"{path}: the clip has no frame {number}{shift}; its {len(clip)} frames are numbered "
            f"{first} to {last}; rename the {kind} or remove it"
            + (f", or give --key-offset {offset - 1}" if counts_from_one else "")
        )
    return index


def _format_numbers(numbers: Sequence[int], most: int = 8) -> str:
    text = ", ".join(str(number) for number in numbers[:most])
    return text if len(numbers) <= most else f"{text} and {len(numbers) - most} more"


def load_key(key: KeyFile, size: tuple[int, int], *, fit: bool = False, turn: int = 0) -> Image:
    """Read a key as (H, W, 3 or 4) uint8; 16-bit files are rounded to 8 bits.

    size: (width, height) of the clip. turn: degrees clockwise by which keys are turned, unless they
    have the shape of upright frames already.
    A key of another size raises InputError, unless ``fit``: then the whole key is stretched over
    the whole frame, since programs that repaint a frame round its sides to some multiple but still
    show all of it. A key whose aspect differs by more than a quarter was cropped or turned, and
    still raises InputError.
    """
    return _decode_key(key, read_image_bytes(key.path), size, fit=fit, turn=turn)


def _decode_key(
    key: KeyFile, content: bytes, size: tuple[int, int], *, fit: bool, turn: int
) -> Image:
    """See ``load_key``; ``content``: of the key's file."""
    image = to_8_bits(decode_image(key.path, content))
    if turn % 180 == 0 or size[0] == size[1] or _is_turned(image.shape[1::-1], size):
        image = turn_image(image, turn)
    width, height = image.shape[1], image.shape[0]
    if (width, height) == size:
        return image
    sizes = f"{key.path}: {width}×{height} pixels, the clip has {size[0]}×{size[1]}"
    if _is_turned((width, height), size):
        raise InputError(
            f"{sizes}: it is turned by 90°; turn it to stand as its frame does, and save it again, "
            "or, if the clip is stored rotated, give --rotate-keys"
        )
    if not fit:
        raise InputError(f"{sizes}; resize the key, or give --fit-keys to resize it here")
    stretch = (width * size[1]) / (height * size[0])
    if not 1 / _MOST_STRETCH <= stretch <= _MOST_STRETCH:
        raise InputError(f"{sizes}, another shape; crop the key to what its frame shows")
    return resize_image(image, size)


def turn_image(image: Image, degrees: int) -> Image:
    """(H, W, C) turned clockwise by a multiple of 90 degrees."""
    return np.ascontiguousarray(np.rot90(image, -degrees // 90))


def _is_turned(key: tuple[int, int], size: tuple[int, int]) -> bool:
    """Whether a key has the shape of a frame that lies on its side; sizes are (width, height)."""
    across, upright = (
        (key[0] * size[0]) / (key[1] * size[1]),
        (key[0] * size[1]) / (key[1] * size[0]),
    )
    return abs(across - 1) < _TURNED_TOLERANCE and not 1 / _MOST_STRETCH <= upright <= _MOST_STRETCH
