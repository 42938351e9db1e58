"""Score kadr's GIFs beside FFmpeg's palettegen and paletteuse: size, likeness, still parts.

    python benchmarks/gif.py [CLIP …] [--frames 48] [--side 400] [--save LOOK] [--json]

The same frames go into each GIF; each is decoded again and compared with them. FFmpeg's filters run
through PyAV, with one palette for the clip and each of their ditherings.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.filter
import cv2
import numpy as np

from _methods import Image
from kadr.core.frames import Frame
from kadr.core.resize import shrink_to_side
from kadr.image_files import write_image
from kadr.measure.psnr import peak_signal_to_noise
from kadr.video.clips import create_clip, open_clip

_CLIPS = ("codef_dog/src.mp4", "faceblit_man/src.mp4", "codef_rainbow/src.mp4")
_DITHERS = ("bayer", "sierra2_4a", "none")
_CLOCK = Fraction(1, 100)
_STILL = 2
"""Levels: a pixel of the film that changes less from one frame to the next stands still."""


@dataclass(frozen=True)
class Score:
    """One GIF. kilobytes: a frame. psnr: to the frames, and of both blurred as the eye does it.

    flicker: mean change in levels from frame to frame where the film stands still. length: of the
    whole in milliseconds, beside that of the film.
    """

    clip: str
    row: str
    kilobytes: float
    psnr: float
    blurred_psnr: float
    flicker: float
    seconds: float
    length: int
    film_length: int


def main() -> int:
    """Run the benchmark from the command line; 1 if a length is wrong or still parts flicker."""
    arguments = _parse()
    writers: dict[str, Callable[[Sequence[Image], Fraction, Path], None]] = {"kadr": _by_kadr}
    for dither in _DITHERS:
        writers[f"ffmpeg {dither}"] = _by_ffmpeg(dither)
    scores = []
    with tempfile.TemporaryDirectory(prefix="kadr-gif-") as name:
        folder = arguments.save or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        for path in arguments.clips:
            filmed, rate = _frames(path, arguments.frames, arguments.side)
            for row, write in writers.items():
                file = folder / f"{_name(path)}-{row.replace(' ', '-')}.gif"
                file.unlink(missing_ok=True)
                start = time.process_time()
                write(filmed, rate, file)
                seconds = (time.process_time() - start) / len(filmed)
                score, images = _score(_name(path), row, filmed, rate, file, seconds)
                scores.append(score)
                if arguments.save is not None:
                    middle = len(images) // 2
                    write_image(file.with_suffix(".png"), images[middle])
            if arguments.save is not None:
                write_image(folder / f"{_name(path)}-film.png", filmed[len(filmed) // 2])
    passed = all(_passes(score, scores) for score in scores if score.row == "kadr")
    if arguments.json:
        print(json.dumps({"scores": [asdict(score) for score in scores], "passed": passed}))
    else:
        _print(scores)
        print(f"{'yes' if passed else 'NO':<4}exact length, still parts no worse than FFmpeg's")
    return 0 if passed else 1


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    folder = os.environ.get("KADR_TEST_CLIPS")
    clips = [] if folder is None else [Path(folder) / name for name in _CLIPS]
    parser.add_argument("clips", nargs="*", type=Path, default=clips, help="$KADR_TEST_CLIPS's")
    parser.add_argument("--frames", type=int, default=48, help="the most frames of a clip")
    parser.add_argument("--side", type=int, default=400, help="longest side in pixels")
    parser.add_argument("--save", type=Path, help="folder for the GIFs and a frame of each")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    arguments = parser.parse_args()
    if not arguments.clips:
        parser.error("give a clip, or set KADR_TEST_CLIPS")
    return arguments


def _name(path: Path) -> str:
    return path.parent.name if path.stem in ("src", "input") else path.stem


def _frames(path: Path, count: int, side: int) -> tuple[list[Image], Fraction]:
    with open_clip(path) as clip:
        frames = clip.frames(0, min(count, len(clip)))
        return [shrink_to_side(frame.rgb, side).copy() for frame in frames], clip.info.frame_rate


def _by_kadr(images: Sequence[Image], rate: Fraction, file: Path) -> None:
    with create_clip(file, like=None, frame_rate=rate) as writer:
        for index, image in enumerate(images):
            writer.write(Frame(index, image))


def _by_ffmpeg(dither: str) -> Callable[[Sequence[Image], Fraction, Path], None]:
    def write(images: Sequence[Image], rate: Fraction, file: Path) -> None:
        palette = _palette(images)
        graph = av.filter.Graph()
        size = f"{images[0].shape[1]}x{images[0].shape[0]}"
        arguments = f"pix_fmt=rgba:time_base={_CLOCK}:pixel_aspect=1/1"
        entry = graph.add("buffer", args=f"video_size={size}:{arguments}")
        colours = graph.add("buffer", args=f"video_size=16x16:{arguments}")
        use = graph.add("paletteuse", args=f"dither={dither}")
        exit_ = graph.add("buffersink")
        entry.link_to(use, 0, 0)
        colours.link_to(use, 0, 1)
        use.link_to(exit_)
        graph.configure()
        palette.pts, palette.time_base = 0, _CLOCK
        colours.push(palette)
        colours.push(None)
        ticks = [round(index / rate / _CLOCK) for index in range(len(images) + 1)]
        options = {"loop": "0", "final_delay": str(ticks[-1] - ticks[-2])}
        with av.open(str(file), "w", format="gif", options=options) as container:
            stream: Any = container.add_stream("gif", rate=100)
            stream.width, stream.height = images[0].shape[1], images[0].shape[0]
            stream.pix_fmt = "pal8"
            stream.codec_context.time_base = _CLOCK
            for index, image in enumerate(images):
                entry.push(_frame(image, ticks[index]))
                _encode_all(exit_, stream, container)
            entry.push(None)
            _encode_all(exit_, stream, container)
            container.mux(stream.encode(None))

    return write


def _palette(images: Sequence[Image]) -> av.VideoFrame:
    """FFmpeg's palette of all frames, as palettegen makes it by itself."""
    graph = av.filter.Graph()
    size = f"{images[0].shape[1]}x{images[0].shape[0]}"
    entry = graph.add(
        "buffer", args=f"video_size={size}:pix_fmt=rgba:time_base={_CLOCK}:pixel_aspect=1/1"
    )
    make, exit_ = graph.add("palettegen"), graph.add("buffersink")
    entry.link_to(make)
    make.link_to(exit_)
    graph.configure()
    for index, image in enumerate(images):
        entry.push(_frame(image, index))
    entry.push(None)
    palette: av.VideoFrame = exit_.pull()
    return palette


def _frame(image: Image, tick: int) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="rgba")
    frame.pts, frame.time_base = tick, _CLOCK
    return frame


def _encode_all(exit_: Any, stream: Any, container: Any) -> None:
    while True:
        try:
            frame = exit_.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        container.mux(stream.encode(frame))


def _score(
    clip: str, row: str, filmed: Sequence[Image], rate: Fraction, file: Path, seconds: float
) -> tuple[Score, list[Image]]:
    with open_clip(file) as gif:
        images = [frame.rgb.copy() for frame in gif.frames()]
        length = round(gif.info.duration * 1000)
    assert len(images) == len(filmed), f"{file}: {len(images)} frames of {len(filmed)}"
    pairs = list(zip(images, filmed, strict=True))
    still, changes = 0, 0.0
    for index in range(1, len(images)):
        film_change = np.abs(filmed[index].astype(int) - filmed[index - 1]).max(axis=2)
        is_still = film_change < _STILL
        change = np.abs(images[index].astype(int) - images[index - 1]).mean(axis=2)
        still, changes = still + int(is_still.sum()), changes + float(change[is_still].sum())
    score = Score(
        clip=clip,
        row=row,
        kilobytes=file.stat().st_size / 1000 / len(images),
        psnr=float(np.mean([peak_signal_to_noise(a, b) for a, b in pairs])),
        blurred_psnr=float(
            np.mean([peak_signal_to_noise(_blurred(a), _blurred(b)) for a, b in pairs])
        ),
        flicker=changes / max(1, still),
        seconds=seconds,
        length=length,
        film_length=round(len(filmed) / rate * 1000),
    )
    return score, images


def _blurred(image: Image) -> Image:
    blurred: Image = cv2.GaussianBlur(image, (0, 0), 1.5)
    return blurred


def _passes(score: Score, scores: Sequence[Score]) -> bool:
    others = [s.flicker for s in scores if s.clip == score.clip and s.row == "ffmpeg bayer"]
    return abs(score.length - score.film_length) <= 10 and score.flicker <= min(others) * 1.1 + 0.01


def _print(scores: Sequence[Score]) -> None:
    heads = ("kB/frame", "PSNR", "blurred", "flicker", "ms/frame", "length", "film")
    print(f"{'clip':<16}{'':<20}" + "".join(f"{head:>9}" for head in heads))
    for score in scores:
        values = (
            f"{score.kilobytes:.1f}",
            f"{score.psnr:.1f}",
            f"{score.blurred_psnr:.1f}",
            f"{score.flicker:.3f}",
            f"{score.seconds * 1000:.1f}",
            f"{score.length}",
            f"{score.film_length}",
        )
        print(f"{score.clip:<16}{score.row:<20}" + "".join(f"{value:>9}" for value in values))


if __name__ == "__main__":
    sys.exit(main())
