"""Open any input as a Clip, and create a ClipWriter for any output."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kadr.core.frames import Frame
from kadr.core.locations import url_of
from kadr.core.output_size import OutputSize, parse_output_size
from kadr.errors import InputError, OptionsError, OutputError
from kadr.image_files import ALPHALESS_SUFFIXES, DEEP_SUFFIXES, IMAGE_SUFFIXES, WRITABLE_SUFFIXES
from kadr.remote.copies import local_copy
from kadr.video.base import Clip, ClipWriter
from kadr.video.outputs_apart import check_outputs_apart
from kadr.video.read_options import ReadOptions
from kadr.video.sequence import SequencePattern, is_glob, sequence_pattern

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".gif", ".webp", ".apng")
"""Suffixes of the video files that ``create_clip`` writes."""

_NOTICED_STRETCH = 0.01
"""Frames that become wider or narrower by more than this are told of."""

_ANIMATED_SUFFIXES = frozenset({".gif", ".webp", ".png", ".apng", ".avif"})


def open_clip(
    path: str | Path,
    *,
    allow_truncated: bool = False,
    frame_rate: Fraction | None = None,
    deinterlace: str = "auto",
    allow_resize: bool = False,
    deep: bool = False,
) -> Clip:
    """Open a video file, an animated image, or a folder, pattern or glob of numbered images.

    path: also a URL, ``s3://``, ``gs://`` or ``https://``, which is read into the cache first.

    allow_truncated: use the good frames of a damaged file instead of refusing it.
    frame_rate: of an image sequence; 24 by default. Video files keep their own.
    deinterlace: "auto" (frames of videos that are interlaced), "on" or "off".
    allow_resize: scale the frames of a video to the size of the first where their size changes; the
    clip ends there otherwise. ``info.notices`` tells of all that.
    deep: frames that are stored with more than 8 bits a channel are uint16; else all are uint8.
    Raises InputError naming the file and the remedy, OptionsError for an option that has no effect
    on images.
    """
    path = local_copy(path)
    options = ReadOptions(allow_truncated, deinterlace, allow_resize)
    try:
        is_images = path.is_dir() or _is_sequence_name(path)
        exists = is_images or path.exists()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    if is_images:
        from kadr.video.image_clip import open_images

        _check_is_video(path, options)
        return open_images(path, frame_rate=frame_rate, deep=deep)
    if not exists:
        raise InputError(f"{path}: no such file; check the path")
    if not path.is_file():
        raise InputError(f"{path}: is not a regular file; give a video file or a folder of images")
    if path.suffix.lower() in _ANIMATED_SUFFIXES:
        from kadr.video.animated_clip import is_animated, open_animated

        if is_animated(path):
            _check_is_video(path, options)
            return open_animated(path, allow_truncated=allow_truncated)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise InputError(
            f"{path}: a single image; give its folder or a pattern such as frame_%05d.png"
        )
    from kadr.video.video_clip import open_video

    return open_video(path, options, deep=deep)


def _check_is_video(path: Path, options: ReadOptions) -> None:
    """Raise OptionsError for options that have no effect on images."""
    if options.deinterlace == "on":
        raise OptionsError(
            f"deinterlace on: is for video files, {path} has whole images; deinterlace the video "
            "that they were made from, or leave it out"
        )
    if options.allow_resize:
        raise OptionsError(
            f"allow-resize: is for video files; make the images of {path} one size, or leave it out"
        )


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
    codec: str | None = None,
    depth: int | None = None,
    size: str | None = None,
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
    crf: constant quality, lower is better; 17 for H.264, 19 for H.265, 23 for AV1, 24 for VP9.
    preset: that of libx264 and libx265, "faster". codec: one of ``CODECS``. depth: bits of a
    channel, one of ``DEPTHS``; by default 8 for video (ProRes: 10) and those of the frames for
    images. size: "1280x720", "1280x" or "x720"; by default that of the frames.
    indices: the frames that will be written, if they are not all of ``like``.
    image_suffix: file type of the images in a folder. start_number: of the clip's first frame in
    the names of images; None: the clip's own numbers and names.
    Raises OutputError at once if the output exists (unless ``overwrite``), is the input or lies in
    its folder of images, or cannot be made; OptionsError for an unknown file type.
    """
    check_outputs_apart([path], [] if like is None else [like.info.path])
    resized = None if size is None else parse_output_size(size)
    as_folder = str(path).endswith(("/", "\\"))
    path = Path(path)
    pattern = None if as_folder else image_pattern(path)
    is_images = pattern is not None or _is_folder(path, as_folder)
    if is_images:
        suffix = image_suffix if pattern is None else path.suffix.lower()
        _check_unused(path, crf=crf, encoder_preset=preset, codec=codec)
    url = url_of(path)
    if url is not None:
        from kadr.video.remote_writer import RemoteWriter

        create = partial(
            create_clip,
            like=like,
            frame_rate=frame_rate,
            crf=crf,
            preset=preset,
            codec=codec,
            depth=depth,
            size=size,
            indices=indices,
            image_suffix=image_suffix,
            start_number=start_number,
        )
        url += "/" if as_folder else ""
        return RemoteWriter(url, create, images=is_images, overwrite=overwrite)
    if is_images:
        name = _image_name(like, pattern, suffix, start_number)
        folder = path if pattern is None else path.parent
        names = "" if pattern is None else path.name
        writer = _create_images(folder, name, like, overwrite, indices, names, depth)
    else:
        _check_file(path, overwrite)
        options = {"codec": codec, "depth": depth, "crf": crf, "preset": preset}
        writer = _create_video(path, like, frame_rate, resized, options)
    return writer if resized is None else _resizing(writer, path, resized, like)


def image_pattern(path: Path) -> SequencePattern | None:
    """The pattern of images that a path is; None if it is something else."""
    return sequence_pattern(path.name) if path.suffix.lower() in WRITABLE_SUFFIXES else None


def _is_folder(path: Path, as_folder: bool) -> bool:
    suffix = path.suffix.lower()
    return as_folder or not suffix or (path.is_dir() and suffix not in VIDEO_SUFFIXES)


def _create_video(
    path: Path,
    like: Clip | None,
    frame_rate: Fraction | None,
    size: OutputSize | None,
    options: Mapping[str, Any],
) -> ClipWriter:
    if path.suffix.lower() == ".gif":
        from kadr.video.gif_writer import GifWriter

        _check_unused(
            path,
            crf=options["crf"],
            encoder_preset=options["preset"],
            codec=options["codec"],
            depth=None if options["depth"] == 8 else options["depth"],
        )
        return GifWriter(path, like=like, frame_rate=frame_rate)
    from kadr.video.encodings import find_encoding
    from kadr.video.video_writer import VideoWriter

    encoding = find_encoding(path, **options)
    return VideoWriter(path, like=like, frame_rate=frame_rate, encoding=encoding, size=size)


def _resizing(writer: ClipWriter, path: Path, size: OutputSize, like: Clip | None) -> ClipWriter:
    """``writer`` for frames of another size, which says so if they get another shape."""
    from kadr.video.resize_writer import ResizeWriter

    notices = []
    if like is not None:
        before = (like.info.width, like.info.height)
        if abs(size.stretch(before) - 1) > _NOTICED_STRETCH:
            width, height = size.of(before)
            notices.append(
                f"{path}: {width}×{height} has another shape than the frames, which are "
                f"{before[0]}×{before[1]} and are stretched; give one side, {width}x or x{height}, "
                "to keep their shape"
            )
    return ResizeWriter(writer, size, notices)


def keeps_alpha(path: str | Path, codec: str | None = None) -> bool:
    """Whether the output that ``create_clip`` makes for a path can store alpha."""
    suffix = "" if str(path).endswith(("/", "\\")) else Path(path).suffix.lower()
    if suffix in ALPHALESS_SUFFIXES:
        return False
    from kadr.video import encodings

    return not encodings.is_encoded(suffix) or encodings.keeps_alpha(suffix, codec)


def loses_alpha(path: str | Path, frame: Frame, codec: str | None = None) -> bool:
    """Whether a frame is transparent somewhere, and the output for a path cannot store that."""
    if frame.channels < 4 or keeps_alpha(path, codec):
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


def _check_unused(path: Path, **values: object) -> None:
    """Raise OptionsError for options that this output ignores."""
    for name, value in values.items():
        if value is not None:
            raise OptionsError(
                f"{name.replace('_', '-')} {value}: has no effect on {path}; leave it out"
            )


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
    pattern: str,
    depth: int | None,
) -> ClipWriter:
    from kadr.video.image_writer import ImageWriter

    suffix = Path(name(0)).suffix.lower()
    if depth not in (None, 8) and (depth != 16 or suffix not in DEEP_SUFFIXES):
        raise OptionsError(
            f"depth {depth}: {suffix} images have {_depths(suffix)} bits a channel; give one of "
            "these, or write .png or .tif"
        )
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file; choose another folder")

    if indices is None:
        indices = range(0 if like is None else len(like))
    return ImageWriter(
        folder, name, expected=indices, overwrite=overwrite, pattern=pattern, depth=depth
    )


def _depths(suffix: str) -> str:
    return "8 or 16" if suffix in DEEP_SUFFIXES else "8"
