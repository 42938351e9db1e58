"""Open any input as a Clip, and create a ClipWriter for any output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from kadr.core.frames import Frame
from kadr.core.locations import url_of
from kadr.errors import InputError, OptionsError, OutputError
from kadr.image_files import ALPHALESS_SUFFIXES, IMAGE_SUFFIXES, WRITABLE_SUFFIXES
from kadr.remote.copies import local_copy
from kadr.video.base import Clip, ClipWriter
from kadr.video.outputs_apart import check_outputs_apart
from kadr.video.sequence import SequencePattern, is_glob, sequence_pattern

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".gif", ".webp", ".apng")
"""Suffixes of the video files that ``create_clip`` writes."""

ENCODER_PRESETS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
)
"""Presets of libx264, from fast encoding to small files."""

_ANIMATED_SUFFIXES = frozenset({".gif", ".webp", ".png", ".apng", ".avif"})


def open_clip(
    path: str | Path, *, allow_truncated: bool = False, frame_rate: Fraction | None = None
) -> Clip:
    """Open a video file, an animated image, or a folder, pattern or glob of numbered images.

    path: also a URL, ``s3://``, ``gs://`` or ``https://``, which is read into the cache first.

    allow_truncated: use the good frames of a damaged file instead of refusing it.
    frame_rate: of an image sequence; 24 by default. Video files keep their own.
    Raises InputError naming the file and the remedy.
    """
    path = local_copy(path)
    try:
        is_images = path.is_dir() or _is_sequence_name(path)
        exists = is_images or path.exists()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    if is_images:
        from kadr.video.image_clip import open_images

        return open_images(path, frame_rate=frame_rate)
    if not exists:
        raise InputError(f"{path}: no such file; check the path")
    if not path.is_file():
        raise InputError(f"{path}: is not a regular file; give a video file or a folder of images")
    if path.suffix.lower() in _ANIMATED_SUFFIXES:
        from kadr.video.animated_clip import is_animated, open_animated

        if is_animated(path):
            return open_animated(path, allow_truncated=allow_truncated)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise InputError(
            f"{path}: a single image; give its folder or a pattern such as frame_%05d.png"
        )
    from kadr.video.video_clip import open_video

    return open_video(path, allow_truncated=allow_truncated)


def _is_sequence_name(path: Path) -> bool:
    """Whether the name is a pattern or glob of images, and no file has that name."""
    if path.exists():
        return False
    return sequence_pattern(path.name) is not None or is_glob(path.name)


def create_clip(
    path: str | Path,
    *,
    like: Clip | None,
    frame_rate: Fraction | None = None,
    overwrite: bool = False,
    crf: int | None = None,
    preset: str | None = None,
    indices: Sequence[int] | None = None,
    image_suffix: str = ".png",
    start_number: int | None = None,
) -> ClipWriter:
    """Create a video file or an image sequence; ``path`` decides which.

    path: .mp4 .m4v .mov .mkv (H.264), .webm (VP9), .gif, .webp, .apng; or a folder (one that
    exists, a name without suffix, or one ending in a slash); or a pattern such as ``f_%05d.png``.
    At a URL, ``s3://`` or ``gs://``, the output appears at the end, whole.
    like: the clip from which the output takes frame times, names, numbers, pixel aspect and sound;
    the index of a written frame is its index in this clip.
    frame_rate: a constant rate instead of those times; the output then has no sound.
    crf: constant quality, lower is better; 17 for H.264, 24 for VP9. preset: libx264's, "faster".
    indices: the frames that will be written, if they are not all of ``like``.
    image_suffix: file type of the images in a folder. start_number: of the clip's first frame in
    the names of images; None: the clip's own numbers and names.
    Raises OutputError at once if the output exists (unless ``overwrite``), is the input or lies in
    its folder of images, or cannot be made; OptionsError for an unknown file type.
    """
    check_outputs_apart([path], [] if like is None else [like.info.path])
    as_folder = str(path).endswith(("/", "\\"))
    path = Path(path)
    suffix = path.suffix.lower()
    pattern = sequence_pattern(path.name) if suffix in WRITABLE_SUFFIXES else None
    is_folder = as_folder or not suffix or (path.is_dir() and suffix not in VIDEO_SUFFIXES)
    if is_folder or pattern is not None:
        _check_no_quality(path, crf, preset)
    url = url_of(path)
    if url is not None:
        from kadr.video.remote_writer import RemoteWriter

        def create(local: str) -> ClipWriter:
            return create_clip(
                local,
                like=like,
                frame_rate=frame_rate,
                crf=crf,
                preset=preset,
                indices=indices,
                image_suffix=image_suffix,
                start_number=start_number,
            )

        images = is_folder or pattern is not None
        url += "/" if as_folder else ""
        return RemoteWriter(url, create, images=images, overwrite=overwrite)
    if not as_folder and pattern is not None:
        name = _image_name(like, pattern, suffix, start_number)
        return _create_images(path.parent, name, like, overwrite, indices, path.name)
    if is_folder:
        name = _image_name(like, None, image_suffix, start_number)
        return _create_images(path, name, like, overwrite, indices)
    _check_file(path, overwrite)
    _check_quality(path, crf, preset)
    if suffix == ".gif":
        from kadr.video.gif_writer import GifWriter

        return GifWriter(path, like=like, frame_rate=frame_rate)
    from kadr.video.video_writer import VideoWriter

    return VideoWriter(path, like=like, frame_rate=frame_rate, crf=crf, preset=preset)


def keeps_alpha(path: str | Path) -> bool:
    """Whether the output that ``create_clip`` makes for a path can store alpha."""
    suffix = "" if str(path).endswith(("/", "\\")) else Path(path).suffix.lower()
    if suffix in ALPHALESS_SUFFIXES:
        return False
    from kadr.video.video_writer import ENCODINGS

    return suffix not in ENCODINGS or bool(ENCODINGS[suffix].alpha_format)


def loses_alpha(path: str | Path, frame: Frame) -> bool:
    """Whether a frame is transparent somewhere, and the output for a path cannot store that."""
    if frame.channels < 4 or keeps_alpha(path):
        return False
    return bool(frame.image[..., 3].min() < np.iinfo(frame.image.dtype).max)


def lost_alpha_notice(path: str | Path) -> str:
    """What to tell people about an output whose frames ``loses_alpha``."""
    return (
        f"{path}: cannot store alpha; transparent areas are laid over black; a folder of images, "
        "MOV or WebM keeps alpha"
    )


def _check_file(path: Path, overwrite: bool) -> None:
    suffix = path.suffix.lower()
    if suffix not in VIDEO_SUFFIXES:
        types = " ".join(VIDEO_SUFFIXES)
        hint = f"frame_%05d{suffix}, " if suffix in WRITABLE_SUFFIXES else ""
        raise OptionsError(
            f"{path}: unknown output type {suffix!r}; use {types}, {hint}or a folder"
        )
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; choose another name")
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: exists already; use --overwrite or another name")


def _check_quality(path: Path, crf: int | None, preset: str | None) -> None:
    suffix = path.suffix.lower()
    if suffix in (".gif", ".webp", ".apng"):
        _check_no_quality(path, crf, preset)
    if suffix == ".webm":
        _check_no_quality(path, None, preset)
    largest = 63 if suffix == ".webm" else 51
    if crf is not None and not 0 <= crf <= largest:
        raise OptionsError(f"crf {crf}: expected 0 (best) to {largest} for {suffix}")
    if preset is not None and preset not in ENCODER_PRESETS:
        raise OptionsError(
            f"encoder-preset {preset!r}: expected one of {', '.join(ENCODER_PRESETS)}"
        )


def _check_no_quality(path: Path, crf: int | None, preset: str | None) -> None:
    """Raise OptionsError for options that this output ignores."""
    for name, value in (("crf", crf), ("encoder-preset", preset)):
        if value is not None:
            raise OptionsError(f"{name} {value}: has no effect on {path}; leave it out")


def _image_name(
    like: Clip | None, pattern: SequencePattern | None, suffix: str, start_number: int | None
) -> Callable[[int], str]:
    """Index of a frame → the name of its file."""

    def number(index: int) -> int:
        if start_number is not None:
            return index + start_number
        return index if like is None else like.number(index)

    if pattern is not None:
        return lambda index: pattern.name(number(index))
    if like is None or start_number is not None:
        return lambda index: f"frame_{number(index):05d}{suffix}"
    return lambda index: like.name(index) + suffix


def _create_images(
    folder: Path,
    name: Callable[[int], str],
    like: Clip | None,
    overwrite: bool,
    indices: Sequence[int] | None,
    pattern: str = "",
) -> ClipWriter:
    from kadr.video.image_writer import ImageWriter

    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file; choose another folder")

    if indices is None:
        indices = range(0 if like is None else len(like))
    return ImageWriter(folder, name, expected=indices, overwrite=overwrite, pattern=pattern)
