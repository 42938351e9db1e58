"""The name of a video file and the options of its encoding in, how it is encoded out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av

from kadr.core.encodings import CODECS, ENCODER_PRESETS
from kadr.errors import OptionsError

_BITEXACT = {"fflags": "+bitexact"}
_MP4 = {"movflags": "+faststart", **_BITEXACT}


@dataclass(frozen=True)
class Codec:
    """How one codec is encoded.

    encoder: FFmpeg's name. formats, alpha_formats: bits of a channel → pixel format, of opaque and
    of RGBA frames; the first is the default. crf: the default, the best and the worst; None for
    codecs without one. presets: whether it has the ones of x264. even: sizes must be even. tag: its
    four letters in MP4 and MOV, where FFmpeg's own are not the ones that all players take.
    """

    encoder: str
    formats: Mapping[int, str]
    alpha_formats: Mapping[int, str] = field(default_factory=dict)
    crf: tuple[int, int, int] | None = None
    presets: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    even: bool = True
    tag: str = ""
    least_width: int = 1
    """Of frames, in pixels."""
    nearest: tuple[str, ...] = ()
    """Other codecs, the most similar first, for a build that lacks this encoder."""


@dataclass(frozen=True)
class Container:
    """What one kind of file can hold.

    muxer: FFmpeg's name. codecs: by the names of CODECS, the default first; one name that is none
    of these for files with a codec of their own. alpha: those whose alpha it keeps, the default
    for RGBA frames first. tags: whether it tells what its colours are. clock: seconds; its times
    are multiples of this; None for fine clocks. largest: of a side, in pixels.
    """

    muxer: str
    codecs: tuple[str, ...]
    alpha: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=lambda: dict(_BITEXACT))
    sound: bool = True
    tags: bool = True
    largest: int = 16384
    clock: Fraction | None = None


_CODECS = {
    "h264": Codec(
        "libx264",
        {8: "yuv420p", 10: "yuv420p10le"},
        crf=(17, 0, 51),
        presets=True,
        # "faster" takes three fifths of the time of "medium"; files are as large, 0.15 dB apart.
        # libx264's macroblock tree sums floating-point numbers in an order that varies in its
        # AVX-512 code: the same frames gave other bytes from run to run
        options={"preset": "faster", "x264-params": "mbtree=0"},
        nearest=("h265", "vp9", "av1"),
    ),
    "h265": Codec(
        "libx265",
        {8: "yuv420p", 10: "yuv420p10le"},
        crf=(19, 0, 51),
        presets=True,
        # info: the encoder's settings would be stored, with the number of its threads
        options={"preset": "faster", "x265-params": "log-level=none:info=0"},
        # its vector code writes outside of its memory at widths from 33 to 48
        least_width=64,
        tag="hvc1",  # QuickTime does not open FFmpeg's own, hev1
        nearest=("av1", "h264", "vp9"),
    ),
    "av1": Codec(
        "libsvtav1",
        {8: "yuv420p", 10: "yuv420p10le"},
        crf=(23, 1, 63),
        options={"preset": "8"},
        nearest=("h265", "vp9", "h264"),
    ),
    "vp9": Codec(
        "libvpx-vp9",
        {8: "yuv420p", 10: "yuv420p10le"},
        {8: "yuva420p"},
        crf=(24, 0, 63),
        options={
            "b": "0",
            "deadline": "good",
            "cpu-used": "4",
            "row-mt": "1",
            "tile-columns": "1",
        },
        nearest=("av1", "h265", "h264"),
    ),
    "prores422": Codec(
        "prores_ks",
        {10: "yuv422p10le"},
        options={"profile": "hq", "vendor": "apl0"},
        nearest=("prores4444", "ffv1"),
    ),
    "prores4444": Codec(
        "prores_ks",
        {10: "yuv444p10le"},
        {10: "yuva444p10le"},
        options={"profile": "4444", "vendor": "apl0"},
        nearest=("prores422", "ffv1"),
    ),
    "ffv1": Codec(
        "ffv1",
        {8: "bgr0", 10: "gbrp10le", 16: "rgb48le"},
        {8: "bgra", 10: "gbrap10le", 16: "rgba64le"},
        options={"level": "3", "slices": "4", "slicecrc": "1"},
        even=False,
        nearest=("prores4444", "h264"),
    ),
    "webp": Codec(
        "libwebp_anim",
        {8: "bgra"},
        {8: "bgra"},
        options={"quality": "88", "compression_level": "3", "loop": "0"},
        even=False,
    ),
    "apng": Codec("apng", {8: "rgb24"}, {8: "rgba"}, options={"pred": "mixed"}, even=False),
}

_CONTAINERS = {
    ".mp4": Container("mp4", ("h264", "h265", "av1", "vp9"), options=_MP4),
    ".m4v": Container("ipod", ("h264",), options=_MP4),
    ".mov": Container(
        "mov", ("h264", "h265", "prores422", "prores4444"), ("prores4444",), options=_MP4
    ),
    ".mkv": Container("matroska", CODECS, ("ffv1", "prores4444", "vp9")),
    ".webm": Container("webm", ("vp9", "av1"), ("vp9",)),
    ".webp": Container(
        "webp",
        ("webp",),
        ("webp",),
        options={"loop": "0"},
        sound=False,
        tags=False,
        largest=16383,
        clock=Fraction(1, 1000),
    ),
    ".apng": Container(
        "apng",
        ("apng",),
        ("apng",),
        options={"plays": "0"},
        sound=False,
        tags=False,
        clock=Fraction(1, 1000),
    ),
}


@dataclass(frozen=True)
class Encoding:
    """How one file is encoded: its container, its codec, and the options that were given.

    alpha_codec: for RGBA frames; None: they are laid over black. depth: bits of a channel; where
    alpha cannot have them, it has those that the codec has for it. preset: None for the codec's
    own.
    """

    container: Container
    codec: Codec
    alpha_codec: Codec | None
    depth: int | None
    crf: int | None
    preset: str | None

    def codec_of(self, has_alpha: bool) -> Codec:
        """The codec for opaque or RGBA frames."""
        return self.alpha_codec if has_alpha and self.alpha_codec is not None else self.codec

    def pixel_format(self, has_alpha: bool) -> str:
        """FFmpeg's name of the pixel format for opaque or RGBA frames."""
        codec = self.codec_of(has_alpha)
        formats = codec.alpha_formats if has_alpha and self.alpha_codec else codec.formats
        return formats.get(self.depth or 0) or next(iter(formats.values()))

    def options(self, has_alpha: bool) -> dict[str, str]:
        """Options of the encoder."""
        codec = self.codec_of(has_alpha)
        options = dict(codec.options)
        if codec.crf is not None:
            options["crf"] = str(codec.crf[0] if self.crf is None else self.crf)
        if codec.presets and self.preset is not None:
            options["preset"] = self.preset
        return options


def is_encoded(suffix: str) -> bool:
    """Whether files with this suffix, in small letters, have an Encoding."""
    return suffix in _CONTAINERS


def keeps_alpha(suffix: str, codec: str | None = None) -> bool:
    """Whether such a file with this codec, or with its default, stores alpha."""
    alpha = _CONTAINERS[suffix].alpha
    default = suffix != ".mkv"  # its default for RGBA frames is what it is for others: H.264
    return codec in alpha if codec is not None else bool(alpha) and default


def find_encoding(
    path: Path,
    *,
    codec: str | None = None,
    depth: int | None = None,
    crf: int | None = None,
    preset: str | None = None,
) -> Encoding:
    """How the file ``path`` is encoded with these options; None leaves the choice to the file.

    Raises OptionsError for a codec that the container cannot hold, a depth that it does not have,
    options without effect, or an encoder that this build of FFmpeg lacks, with what would work.
    """
    suffix = path.suffix.lower()
    container = _CONTAINERS[suffix]
    if container.codecs[0] not in CODECS:
        _refuse_all(path, codec=codec, depth=depth, crf=crf, encoder_preset=preset)
    name = codec or container.codecs[0]
    if name not in container.codecs:
        raise OptionsError(_mismatch(name, suffix))
    chosen = _CODECS[name]
    _check_crf(path, name, chosen, crf)
    _check_preset(path, name, chosen, preset)
    if depth is not None and depth not in chosen.formats:
        depths = " or ".join(map(str, chosen.formats))
        raise OptionsError(f"depth {depth}: {name} has {depths} bits a channel; give one of these")
    _check_build(name, chosen, suffix, depth)
    alpha_codec = None
    if keeps_alpha(suffix, codec):
        alpha_codec = _CODECS[codec or container.alpha[0]]
    return Encoding(container, chosen, alpha_codec, depth, crf, preset)


def _refuse_all(path: Path, **values: object) -> None:
    """Raise OptionsError for options of a file that has one encoding."""
    for name, value in values.items():
        if value is not None and (name, value) != ("depth", 8):
            raise OptionsError(
                f"{name.replace('_', '-')} {value}: has no effect on {path}; leave it out"
            )


def _mismatch(codec: str, suffix: str) -> str:
    """What to tell people about a codec that a container cannot hold."""
    if codec not in CODECS:
        return f"codec {codec!r}: expected one of {', '.join(CODECS)}"
    holders = [other for other, container in _CONTAINERS.items() if codec in container.codecs]
    return (
        f"codec {codec}: {suffix} cannot hold it; write {' or '.join(holders)}, or use "
        f"{', '.join(_CONTAINERS[suffix].codecs)}"
    )


def _check_crf(path: Path, name: str, codec: Codec, crf: int | None) -> None:
    if crf is None:
        return
    if codec.crf is None:
        raise OptionsError(f"crf {crf}: has no effect on {path}, which is {name}; leave it out")
    _, best, worst = codec.crf
    if not best <= crf <= worst:
        raise OptionsError(f"crf {crf}: expected {best} (best) to {worst} for {name}")


def _check_preset(path: Path, name: str, codec: Codec, preset: str | None) -> None:
    if preset is None:
        return
    if not codec.presets:
        raise OptionsError(
            f"encoder-preset {preset}: has no effect on {path}, which is {name}; leave it out"
        )
    if preset not in ENCODER_PRESETS:
        raise OptionsError(
            f"encoder-preset {preset!r}: expected one of {', '.join(ENCODER_PRESETS)}"
        )


def _check_build(name: str, codec: Codec, suffix: str, depth: int | None) -> None:
    """Raise OptionsError if the build of FFmpeg that PyAV brings cannot encode this."""
    formats = _build_formats(codec.encoder)
    wanted = codec.formats.get(depth or 0) or next(iter(codec.formats.values()))
    if wanted in formats:
        return
    lacks = f"encoder {codec.encoder}"
    if formats:
        lacks = f"{depth or min(codec.formats)} bits in {lacks}"
    raise OptionsError(
        f"codec {name}: this build of FFmpeg lacks {lacks}; {_nearest(codec, suffix, depth)}"
    )


def _nearest(codec: Codec, suffix: str, depth: int | None) -> str:
    """The remedy for a missing encoder: the most similar codec that works, in this file or not."""
    for only in (True, False):
        for other in codec.nearest:
            candidate = _CODECS[other]
            wanted = candidate.formats.get(depth or min(candidate.formats))
            if wanted is None or wanted not in _build_formats(candidate.encoder):
                continue
            if other in _CONTAINERS[suffix].codecs:
                return f"the nearest that works is --codec {other}"
            if not only:
                holder = next(s for s, box in _CONTAINERS.items() if other in box.codecs)
                return f"the nearest that works is a {holder} with --codec {other}"
    return "install PyAV from its wheels, which have it"


def _build_formats(encoder: str) -> frozenset[str]:
    """The pixel formats that an encoder takes; none if the build of FFmpeg lacks it."""
    try:
        codec = av.Codec(encoder, "w")
    except ValueError:
        return frozenset()
    return frozenset(item.name for item in codec.video_formats or ())
