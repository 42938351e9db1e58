"""Measure reading: frames a second beside PyAV's bare loop, time to open, cost of deinterlacing.

    python benchmarks/media.py [CLIP …] [--frames 150] [--rounds 3] [--json]

Without clips, three are made: H.264 of 1280×720 and 640×360, and interlaced MPEG-2 of 720×576. The
bare loop decodes with as many threads and converts every frame to RGB by ``to_ndarray``, without
times, rotation, colour tags or checks: chroma is repeated, not interpolated, and rounded roughly.
The exact loop is the same with the conversion that kadr uses. All read the same frames; the best of
several rounds counts. Combed clips that are made here are also compared with the whole
pictures of which their fields are: PSNR as they are stored and deinterlaced.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from kadr.measure.psnr import peak_signal_to_noise
from kadr.video.clips import open_clip
from kadr.video.frame_index import DECODER_THREADS
from kadr.video.pixels import ToRgb, pixel_format
from kadr.video.read_options import ReadOptions
from kadr.video.video_clip import open_video

_BACKWARD = 48
"""Frames that are read backwards."""


@dataclass(frozen=True)
class Reading:
    """What was measured of one clip; rates in frames a second, times in seconds."""

    clip: str
    size: tuple[int, int]
    frames: int
    bare: float
    exact: float
    kadr: float
    stored: float
    """With ``--deinterlace off``."""
    backward: float
    first_open: float
    first_open_off: float
    """The same without looking for combing."""
    share: float
    """Of the exact loop's rate, as the frames are stored."""


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="*", type=Path)
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kadr-media-") as name:
        clips = arguments.clips or _made(Path(name), arguments.frames)
        readings = [_measure(clip, arguments.frames, arguments.rounds) for clip in clips]
        gains = [] if arguments.clips else _combing(Path(name))
    if arguments.json:
        print(json.dumps({"reading": [asdict(each) for each in readings], "combing": gains}))
        return
    titles = ("bare", "exact", "kadr", "stored", "share", "back", "open", "off")
    print(f"{'clip':<24} {'size':>9}" + "".join(f"{title:>8}" for title in titles))
    for each in readings:
        rates = (each.bare, each.exact, each.kadr, each.stored)
        columns = [f"{rate:8.1f}" for rate in rates] + [f"{each.share:8.2f}{each.backward:8.1f}"]
        columns += [f"{seconds:8.3f}" for seconds in (each.first_open, each.first_open_off)]
        print(f"{each.clip:<24} {'×'.join(map(str, each.size)):>9}" + "".join(columns))
    for gain in gains:
        print(f"combed, {gain['motion']} pixels a field: ", end="")
        print(f"{gain['stored']:.2f} dB as stored, {gain['deinterlaced']:.2f} dB deinterlaced")


def _measure(path: Path, count: int, rounds: int) -> Reading:
    opened = {
        choice: min(_seconds(partial(_open_anew, path, choice)) for _ in range(rounds))
        for choice in ("auto", "off")
    }
    with open_clip(path) as clip, open_clip(path, deinterlace="off") as stored:
        count = min(count, len(clip))
        last = min(_BACKWARD, count)
        names = ("bare", "exact", "kadr", "stored", "backward")
        seconds: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(rounds):
            seconds["bare"].append(_seconds(lambda: _exhaust(islice(_bare(path), count))))
            seconds["exact"].append(
                _seconds(lambda: _exhaust(islice(_bare(path, exact=True), count)))
            )
            seconds["kadr"].append(_seconds(lambda: _exhaust(clip.frames(0, count))))
            seconds["stored"].append(_seconds(lambda: _exhaust(stored.frames(0, count))))
            seconds["backward"].append(
                _seconds(lambda: _exhaust(stored.frames_backward(count - last, count)))
            )
        best = {name: min(values) for name, values in seconds.items()}
        info = clip.info
    return Reading(
        f"{path.parent.name}/{path.name}"[-24:],
        (info.width, info.height),
        count,
        count / best["bare"],
        count / best["exact"],
        count / best["kadr"],
        count / best["stored"],
        last / best["backward"],
        opened["auto"],
        opened["off"],
        best["exact"] / best["stored"],
    )


def _bare(path: Path, *, exact: bool = False) -> Iterator[Any]:
    rgb: ToRgb | None = None
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = DECODER_THREADS
        for frame in container.decode(stream):
            if exact:
                rgb = rgb or ToRgb(pixel_format(frame))
                yield rgb(frame)
            else:
                yield frame.to_ndarray(format="rgb24")


def _open_anew(path: Path, deinterlace: str) -> None:
    """Open a file that this process has not opened before: under a link of its own."""
    with tempfile.TemporaryDirectory() as name:
        link = Path(name) / path.name
        link.symlink_to(path.absolute())
        open_video(link, ReadOptions(deinterlace=deinterlace)).close()


def _exhaust(items: Iterator[Any]) -> None:
    for _ in items:
        pass


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _made(folder: Path, count: int) -> list[Path]:
    h264, mpeg2 = {"preset": "veryfast", "crf": "18"}, {"flags": "+ilme+ildct", "qscale": "3"}
    pictures = _moving(2 * count, (1280, 720), 2.0)
    small = [cv2.resize(image, (640, 360), interpolation=cv2.INTER_AREA) for image in pictures]
    fields = [cv2.resize(image, (720, 576), interpolation=cv2.INTER_AREA) for image in pictures]
    return [
        _write(folder / "h264_720.mp4", pictures[::2], "libx264", h264),
        _write(folder / "h264_360.mp4", small[::2], "libx264", h264),
        _write(folder / "interlaced_576.mpg", _woven(fields), "mpeg2video", mpeg2),
    ]


def _combing(folder: Path) -> list[dict[str, float]]:
    """PSNR of combed footage beside the whole pictures at the time of its earlier fields."""
    gains = []
    for motion in (1.0, 3.0, 8.0):
        pictures = _moving(48, (640, 360), motion)
        options = {"preset": "veryfast", "crf": "14"}
        path = _write(folder / f"combed_{motion}.mp4", _woven(pictures), "libx264", options)
        gain = {"motion": motion}
        for name, choice in (("stored", "off"), ("deinterlaced", "auto")):
            with open_clip(path, deinterlace=choice) as clip:
                pairs = zip(clip.frames(), pictures[::2], strict=True)
                values = [peak_signal_to_noise(frame.rgb, truth) for frame, truth in pairs]
            gain[name] = float(np.mean(values))
        gains.append(gain)
    return gains


def _moving(count: int, size: tuple[int, int], step: float) -> list[np.ndarray]:
    """Pictures at 50 a second: a textured disc moves over a background at half its speed."""
    width, height = size
    back, disc = _texture(size, seed=1), _texture(size, seed=2)
    y, x = np.mgrid[:height, :width]
    pictures = []
    for index in range(count):
        shift = np.array([[1, 0, -step * index / 2], [0, 1, 0]], np.float64)
        image = cv2.warpAffine(back, shift, size, borderMode=cv2.BORDER_REFLECT)
        centre = width / 4 + (step * index) % (width / 2)
        inside = np.hypot(x - centre, y - height / 2) < height / 4
        image[inside] = disc[inside]
        pictures.append(image)
    return pictures


def _texture(size: tuple[int, int], seed: int) -> np.ndarray:
    """Detail at several scales; colours are softer than light, as in film."""
    rng = np.random.default_rng(seed)
    image = np.full((size[1], size[0], 3), 128, np.float32)
    for sigma, amplitude in ((2, 20), (6, 25), (24, 25)):
        light = cv2.GaussianBlur(rng.normal(0, 1, size[::-1]).astype(np.float32), (0, 0), sigma)
        image += amplitude * (light / light.std())[..., None]
    tint = cv2.GaussianBlur(rng.normal(0, 1, (*size[::-1], 3)).astype(np.float32), (0, 0), 12)
    return np.clip(image + 12 * tint / tint.std(), 0, 255).astype(np.uint8)


def _woven(pictures: list[np.ndarray]) -> list[np.ndarray]:
    """Frames of two fields each, the top one first."""
    frames = []
    for earlier, later in zip(pictures[::2], pictures[1::2], strict=True):
        frame = earlier.copy()
        frame[1::2] = later[1::2]
        frames.append(frame)
    return frames


def _write(path: Path, images: list[np.ndarray], codec: str, options: dict[str, str]) -> Path:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25, options=options)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


if __name__ == "__main__":
    main()
