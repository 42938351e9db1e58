"""Convert decoded frames to upright RGB, and RGB to the planes of an encoder."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import av
import av.filter
import numpy as np
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from numpy.typing import NDArray

from kadr.video.tone_mapping import to_sdr

_PQ, _HLG = 16, 18
# without accurate rounding and full chroma swscale drifts by up to 3 levels
_SCALE = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
_SCALE_FLAGS = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"

CHROMA_LOCATION = "left"
"""Where 4:2:0 chroma is written: FFmpeg's name."""

_ANY_TIME_BASE = Fraction(1, 25)

Matrix = Literal["bt601", "bt709", "bt2020", "rgb"]
_RGB, _BT709 = 0, 1
"""FFmpeg's numbers of matrices; 1 is BT.709 for primaries and transfer too."""
_COLORSPACES = {"bt601": 5, "bt709": 1, "bt2020": 9}
_MATRIX_OF = {1: "bt709", 5: "bt601", 6: "bt601", 4: "bt601", 9: "bt2020", 10: "bt2020"}


@dataclass(frozen=True)
class Orientation:
    """How a stored image becomes upright: it is transposed or not, then flipped."""

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    def apply(self, image: NDArray[Any]) -> NDArray[Any]:
        """(H, W, C) stored → (H, W, C) or (W, H, C) upright, contiguous."""
        if self.transpose:
            image = image.transpose(1, 0, 2)
        if self.flip_x:
            image = image[:, ::-1]
        if self.flip_y:
            image = image[::-1]
        return np.ascontiguousarray(image)

    @property
    def degrees(self) -> int:
        """Clockwise; a mirrored orientation counts as the nearest rotation."""
        if self.transpose:
            return 90 if self.flip_x else 270
        return 180 if self.flip_y else 0


@dataclass(frozen=True)
class PixelFormat:
    """The facts of a stream that its conversion to RGB needs."""

    matrix: Matrix
    full_range: bool
    transfer: Literal["sdr", "pq", "hlg"]
    has_alpha: bool
    bits: int
    orientation: Orientation


def pixel_format(frame: av.VideoFrame) -> PixelFormat:
    """Read colour, depth and orientation from the first decoded frame of a stream.

    For streams that do not name their matrix it is the one that players assume: BT.709 above 576
    lines or from 1280 columns on, otherwise BT.601.
    """
    name = frame.format.name
    transfers: dict[int, Literal["pq", "hlg"]] = {_PQ: "pq", _HLG: "hlg"}
    return PixelFormat(
        matrix=_matrix(frame),
        full_range=frame.color_range == ColorRange.JPEG or name.startswith("yuvj"),
        transfer=transfers.get(int(frame.color_trc), "sdr"),
        has_alpha=_has_alpha(name),
        bits=max(component.bits for component in frame.format.components),
        orientation=_orientation(frame),
    )


def _matrix(frame: av.VideoFrame) -> Matrix:
    if frame.format.is_rgb:
        return "rgb"
    matrix = _MATRIX_OF.get(int(frame.colorspace))
    if matrix is not None:
        return matrix  # type: ignore[return-value]
    return "bt709" if frame.width >= 1280 or frame.height > 576 else "bt601"


def _has_alpha(name: str) -> bool:
    return name.startswith(("yuva", "rgba", "bgra", "argb", "abgr", "gbrap", "ya8", "ya16", "pal8"))


def _orientation(frame: av.VideoFrame) -> Orientation:
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return Orientation()
    # rows of a 3 x 3 fixed-point matrix: x' = a x + c y, y' = b x + d y
    a, b, _, c, d = np.frombuffer(bytes(data)[:20], "<i4").tolist()
    if a and d and not b and not c:
        return Orientation(False, a < 0, d < 0)
    if b and c and not a and not d:
        return Orientation(True, c < 0, b < 0)
    return Orientation()


class ToRgb:
    """Converts one stream's frames to upright RGB(A) uint8; for one thread at a time.

    Chroma is taken from where the frame's tag says (left, centre, top left); without a tag, left.
    More than 8 bits are rounded to 8, unless ``deep``: then images of such frames are uint16.
    ``tone_mapping`` converts PQ and HLG to SDR BT.709, 8 bits.
    """

    def __init__(self, pixels: PixelFormat, *, deep: bool = False) -> None:
        self._pixels = pixels
        self._wide = pixels.transfer != "sdr" or (deep and pixels.bits > 8)
        self._reformatter = VideoReformatter()

    def __call__(self, frame: av.VideoFrame) -> NDArray[Any]:
        """One decoded frame → (H, W, 3 or 4) uint8, or uint16 if that was asked for."""
        pixels = self._pixels
        if pixels.has_alpha:
            rgb_format = "rgba64le" if self._wide else "rgba"
        else:
            rgb_format = "rgb48le" if self._wide else "rgb24"
        image = self._convert(frame, rgb_format)
        if pixels.transfer != "sdr":
            image = to_sdr(image, pixels.transfer)
        return pixels.orientation.apply(image)

    def _convert(self, frame: av.VideoFrame, rgb_format: str) -> NDArray[Any]:
        pixels = self._pixels
        source = _COLORSPACES.get(pixels.matrix, 5)
        converted = self._reformatter.reformat(
            frame,
            format=rgb_format,
            src_colorspace=source,
            dst_colorspace=source,
            src_color_range=ColorRange.JPEG if pixels.full_range else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            interpolation=_SCALE,
        )
        image: NDArray[Any] = converted.to_ndarray()
        return image


class FromRgb:
    """Converts RGB(A) images to an encoder's planes: BT.709, limited range, chroma sited left.

    Left is where H.264, HEVC and VP9 have chroma when a file does not tell, so every player reads
    it alike (ITU-T H.264, figure E-1). libswscale writes centred chroma unless it is told. Frames
    carry the tags of their colours: ProRes stores those of the frame, not those of the encoder.
    """

    def __init__(self, pixel_format_name: str, *, tagged: bool = True) -> None:
        """tagged: False for formats of images, which are sRGB without a tag."""
        self._name, self._tagged = pixel_format_name, tagged
        self._converters: dict[tuple[int, int, str], tuple[Any, Any, Any]] = {}

    def __call__(self, image: NDArray[np.uint8] | NDArray[np.uint16]) -> av.VideoFrame:
        """(H, W, 3 or 4), 8 or 16 bits → a frame in the encoder's pixel format."""
        converted = self._convert(image)
        if self._tagged:
            tag_colours(converted, self._name)
        return converted

    def _convert(self, image: NDArray[np.uint8] | NDArray[np.uint16]) -> av.VideoFrame:
        has_alpha = image.shape[2] == 4
        source = "rgba" if has_alpha else "rgb24"
        if image.dtype == np.uint16:
            source = "rgba64le" if has_alpha else "rgb48le"
        frame = av.VideoFrame.from_ndarray(image, format=source)
        if _is_rgb(self._name):
            return frame.reformat(format=self._name)
        key = (image.shape[1], image.shape[0], source)
        if key not in self._converters:
            self._converters = {key: _converter(*key, self._name)}
        _, entry, exit_ = self._converters[key]
        frame.pts, frame.time_base = 0, _ANY_TIME_BASE
        entry.push(frame)
        converted: av.VideoFrame = exit_.pull()
        return converted


def tag_colours(target: Any, pixel_format_name: str) -> None:
    """Mark a frame or an encoder's context of this pixel format as what FromRgb writes."""
    target.color_primaries = target.color_trc = _BT709
    target.color_range = ColorRange.JPEG if _is_rgb(pixel_format_name) else ColorRange.MPEG
    target.colorspace = _RGB if _is_rgb(pixel_format_name) else _BT709


def _is_rgb(pixel_format_name: str) -> bool:
    return pixel_format_name.startswith(("rgb", "bgr", "argb", "gbr"))


def _converter(width: int, height: int, source: str, target: str) -> tuple[Any, Any, Any]:
    """A filter graph with its input and output; the graph must live as long as they are used."""
    graph = av.filter.Graph()
    size = f"video_size={width}x{height}:pix_fmt={source}"
    entry = graph.add("buffer", args=f"{size}:time_base={_ANY_TIME_BASE}:pixel_aspect=1/1")
    options = {"flags": _SCALE_FLAGS, "out_color_matrix": "bt709", "out_range": "tv"}
    if "420" in target:
        options["out_chroma_loc"] = CHROMA_LOCATION
    scale = graph.add("scale", args=":".join(f"{k}={v}" for k, v in options.items()))
    to_format = graph.add("format", args=f"pix_fmts={target}")
    exit_ = graph.add("buffersink")
    entry.link_to(scale)
    scale.link_to(to_format)
    to_format.link_to(exit_)
    graph.configure()
    return graph, entry, exit_
