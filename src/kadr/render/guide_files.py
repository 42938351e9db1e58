"""The user's guides of a run: the file that each has for a frame, and their images for passes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from kadr.core.formatting import counted
from kadr.core.frames import FrameRange
from kadr.errors import InputError
from kadr.files import file_digest
from kadr.image_files import (
    IMAGE_SUFFIXES,
    decode_image,
    over_black,
    read_image,
    read_image_bytes,
    read_image_header,
)
from kadr.options import GUIDE_WEIGHT, RunOptions
from kadr.propagate import GuideFrame
from kadr.render.numbered_files import find_numbered_files
from kadr.render.run_inputs import check_planned
from kadr.render.work_frame import FrameReducer
from kadr.storage.store import fingerprint
from kadr.unused_files import unused_file_notices
from kadr.video.base import Clip

_FEW_LEVELS = 16
"""Levels between the darkest and the lightest pixel below which a guide tells little apart."""
_MOST_NUMBERS = 5

File = tuple[int, str, str]
"""A frame index, the file of it and the hash of its content."""


@dataclass(frozen=True)
class GuideSource:
    """One guide, plain values only.

    weight: as those of PropagateOptions. channels: 1 or 3. files: of its images, by frame.
    modulation: of where it counts; () for everywhere.
    """

    name: str
    weight: float
    channels: int
    files: tuple[File, ...]
    modulation: tuple[File, ...] = ()

    def part(self, indices: Iterable[int]) -> GuideSource:
        """The same for some frames, for a process with another working directory."""
        chosen = set(indices)
        return replace(
            self, files=_part(self.files, chosen), modulation=_part(self.modulation, chosen)
        )

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Read what ``dataclasses.asdict`` made of it, after it was sent to a task."""
        files = {name: tuple(map(tuple, values[name])) for name in ("files", "modulation")}
        return cls(**{**values, **files})

    def digest(self, index: int) -> str:
        """A hash of what the guide shows of a frame; of nothing for a frame without an image."""
        contents = [digest for files in (self.files, self.modulation) for number, _, digest in files
                    if number == index]  # fmt: skip
        return hashlib.sha256(repr(contents).encode()).hexdigest()[:32]


def _part(files: Sequence[File], chosen: set[int]) -> tuple[File, ...]:
    return tuple(
        (index, str(Path(path).absolute()), digest)
        for index, path, digest in files
        if index in chosen
    )


def find_guides(
    options: RunOptions, clip: Clip, frames: FrameRange
) -> tuple[tuple[GuideSource, ...], list[str]]:
    """The guides of a run, by name, and notices about them.

    Raises InputError naming the guide and the clip for a folder that cannot be used, a frame of
    ``frames`` without an image, an image of another size or a name that does not fit.
    """
    sources, notices = [], list[str]()
    for name, path in sorted(options.guide.items()):
        title = f"guide {name}"
        files = _find_files(title, path, clip, frames)
        notices += unused_file_notices([path])
        headers = [read_image_header(file) for file in files.values()]
        is_gray = all(header.mode in ("1", "L", "LA", "I", "I;16", "I;16B") for header in headers)
        first = _levels(read_image(files[frames.start], as_stored=True), 3)
        span = float(first.max()) - float(first.min())
        if 0 < span < _FEW_LEVELS:
            notices.append(
                f"{title}: levels of {files[frames.start]} lie within {span:.0f} of 255, so it "
                "tells little apart; give it colours that differ more"
            )
        modulation: Mapping[int, Path] = {}
        if name in options.modulation:
            modulation = _find_modulation(name, options.modulation[name], clip, frames)
        weight = options.guide_weight.get(name, GUIDE_WEIGHT)
        channels = 1 if is_gray else 3
        sources.append(
            GuideSource(name, weight, channels, _with_digests(files), _with_digests(modulation))
        )
    return tuple(sources), notices


def _find_modulation(name: str, path: Path, clip: Clip, frames: FrameRange) -> dict[int, Path]:
    title = f"modulation of guide {name}"
    if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES:
        _check_size(title, path, clip)
        return dict.fromkeys(range(len(clip)), path)
    return _find_files(title, path, clip, frames)


def _find_files(title: str, path: Path, clip: Clip, frames: FrameRange) -> dict[int, Path]:
    """The images of a folder or pattern, of the size of the clip and complete for the run."""
    name = clip.info.path
    try:
        files = find_numbered_files(path, clip, "guide")
    except InputError as error:
        raise InputError(f"{title} of {name}: {error}") from error
    if files is None:
        what = "is not a folder of images" if path.exists() else "no such folder"
        raise InputError(
            f"{title}: {path}: {what}; give a folder of images named by the frame numbers of {name}"
        )
    missing = [clip.number(index) for index in frames if index not in files]
    if missing:
        numbers = sorted(map(clip.number, files))
        some = ", ".join(map(str, missing[:_MOST_NUMBERS]))
        more = f" and {len(missing) - _MOST_NUMBERS} more" if len(missing) > _MOST_NUMBERS else ""
        raise InputError(
            f"{title}: {path}: {counted(len(files), 'image')} numbered {numbers[0]} to "
            f"{numbers[-1]}, none for frame {some}{more} of {name}; add them, or leave frames out "
            "with --frames"
        )
    for file in files.values():
        _check_size(title, file, clip)
    return files


def _check_size(title: str, file: Path, clip: Clip) -> None:
    size, expected = read_image_header(file).size, (clip.info.width, clip.info.height)
    if size != expected:
        raise InputError(
            f"{title}: {file}: {size[0]}×{size[1]} pixels, {clip.info.path} has "
            f"{expected[0]}×{expected[1]}; render it at the size of the clip"
        )


def _with_digests(files: Mapping[int, Path]) -> tuple[File, ...]:
    digests = {file: file_digest(file) for file in set(files.values())}
    return tuple((index, str(file), digests[file]) for index, file in sorted(files.items()))


def guide_settings(sources: Sequence[GuideSource], key: int) -> str:
    """A hash of what all frames of a key's passes depend on; "" without guides."""
    if not sources:
        return ""
    parts = [(source.weight, source.channels, source.digest(key)) for source in sources]
    return fingerprint("guides", 1, parts)


def guide_digests(
    sources: Sequence[GuideSource], frames: Sequence[int], length: int
) -> tuple[str, ...]:
    """A hash for each ``length`` frames, of the guides of these and all before them."""
    digest, digests = hashlib.sha256(), list[str]()
    for start in range(0, len(frames), length):
        for index in frames[start : start + length]:
            for source in sources:
                digest.update(source.digest(index).encode())
        digests.append(digest.hexdigest()[:16])
    return tuple(digests)


class GuideReader:
    """Reads what guides show of frames, at the size at which passes work."""

    def __init__(self, sources: Sequence[GuideSource], reducer: FrameReducer) -> None:
        self._sources, self._reducer = sources, reducer
        self.weights = tuple(source.weight for source in sources)
        self._files = [_by_frame(source.files) for source in sources]
        self._modulation = [_by_frame(source.modulation) for source in sources]
        self._last: tuple[int, list[GuideFrame]] = (-1, [])

    def frames(self, index: int) -> list[GuideFrame]:
        """Each guide of a frame, in order. Raises InputError if a file cannot be read."""
        if index != self._last[0]:
            self._last = index, self._read_all(index)
        return self._last[1]

    def _read_all(self, index: int) -> list[GuideFrame]:
        return [
            GuideFrame(
                self._read(*files[index], index, source.channels),
                self._read(*places[index], index, 1)[..., 0].astype(np.float32) / np.float32(255)
                if places
                else None,
            )
            for source, files, places in zip(
                self._sources, self._files, self._modulation, strict=True
            )
        ]

    def _read(self, file: Path, planned: str, index: int, channels: int) -> Any:
        """(h, w, channels) uint8 or float32, 0–255."""
        content = read_image_bytes(file)
        check_planned(file, hashlib.sha256(content).hexdigest(), planned)
        image = _levels(decode_image(file, content, as_stored=True), channels)
        reduced = self._reducer.shrink(self._reducer.crop(image, index))
        return np.ascontiguousarray(reduced.reshape(*reduced.shape[:2], channels))


def _by_frame(files: Sequence[File]) -> dict[int, tuple[Path, str]]:
    return {index: (Path(path), digest) for index, path, digest in files}


def _levels(image: NDArray[Any], channels: int) -> NDArray[Any]:
    """An image (H, W, 3 or 4) as levels 0–255, (H, W, channels); colours count by their alpha."""
    if image.shape[2] == 4:
        image = over_black(image)
    if image.dtype == np.uint16:
        image = image.astype(np.float32) / np.float32(257)
    return np.ascontiguousarray(image[..., :channels])
