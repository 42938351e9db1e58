"""Small clips with known content: every frame carries its own index in black and white blocks."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from kadr.image_files import write_image

BITS = 8


def picture(index: int, width: int = 96, height: int = 64) -> np.ndarray:
    """(H, W, 3): eight blocks along the top spell the index; the corners tell left from right."""
    image = np.full((height, width, 3), 90, np.uint8)
    block = width // BITS
    for bit in range(BITS):
        level = 230 if index >> bit & 1 else 20
        image[: height // 2, bit * block : (bit + 1) * block] = level
    image[-16:, :16] = (200, 30, 30)
    image[-16:, -16:] = (30, 30, 200)
    return image


def read_index(image: np.ndarray) -> int:
    """The index that ``picture`` put into an upright image of any size."""
    block = image.shape[1] // BITS
    top = image[4 : image.shape[0] // 2 - 4].astype(float).mean(axis=(0, 2))
    return sum(
        1 << bit for bit in range(BITS) if top[bit * block + 2 : (bit + 1) * block - 2].mean() > 125
    )


def make_video(
    path: Path,
    count: int = 40,
    *,
    rate: Fraction = Fraction(25),
    times: list[Fraction] | None = None,
    start: Fraction = Fraction(0),
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    options: dict[str, str] | None = None,
    size: tuple[int, int] = (96, 64),
    rotation: int = 0,
    sound: tuple[float, float] | None = None,
    sound_codec: str = "aac",
    container_options: dict[str, str] | None = None,
    noise: int = 0,
) -> Path:
    """Write a clip.

    sound: (start, stop) seconds of silence with a click every half second. noise: levels of grain,
    which makes the file as large as a real one.
    """
    rng = np.random.default_rng(1)
    base = 1 / rate if codec.startswith("mpeg") else Fraction(1, 90000)
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream: Any = container.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height, stream.pix_fmt = *size, pixel_format
        stream.codec_context.time_base = base
        stream.codec_context.thread_count = 1
        if rotation:
            stream.set_display_rotation(rotation)
        tone = _add_sound(container, sound_codec) if sound else None
        for index in range(count):
            image = picture(index, *size)
            image = np.clip(image + rng.integers(0, noise + 1, image.shape), 0, 255)
            frame = av.VideoFrame.from_ndarray(image.astype(np.uint8), format="rgb24")
            time = times[index] if times else index / rate
            frame.pts, frame.time_base = round((time + start) / base), base
            container.mux(stream.encode(frame.reformat(format=pixel_format)))
        container.mux(stream.encode(None))
        if sound:
            _write_sound(container, tone, *sound)
    return path


SOUND_RATE = 48000
CLICK = 0.5


def _add_sound(container: Any, codec: str) -> Any:
    tone = container.add_stream(codec, rate=SOUND_RATE)
    tone.codec_context.layout = "mono"
    return tone


def _write_sound(container: Any, tone: Any, start: float, stop: float) -> None:
    positions = np.arange(round(start * SOUND_RATE), round(stop * SOUND_RATE))
    wave = np.where(positions % round(CLICK * SOUND_RATE) < 480, np.sin(positions * 0.2), 0)
    samples = (wave * 20000).astype(np.int16)
    for begin in range(0, len(samples), 1024):
        part = samples[begin : begin + 1024]
        frame = av.AudioFrame.from_ndarray(part[None], format="s16", layout="mono")
        frame.sample_rate = SOUND_RATE
        frame.pts, frame.time_base = int(positions[begin]), Fraction(1, SOUND_RATE)
        container.mux(tone.encode(frame))
    container.mux(tone.encode(None))


def clicks(path: Path) -> list[float]:
    """When the clicks of a file's sound are heard, seconds from its first picture."""
    with av.open(str(path)) as container:
        first = min(p.pts * p.time_base for p in container.demux(video=0) if p.pts is not None)
    loud: list[float] = []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            wave = np.abs(frame.to_ndarray().astype(float)).max(axis=0)
            level = 0.2 if frame.format.name.startswith("flt") else 6000
            begins = float(frame.pts * frame.time_base - first)
            loud.extend(begins + np.flatnonzero(wave > level) / frame.sample_rate)
    return [t for before, t in zip([-9.0, *loud], loud, strict=False) if t - before > 0.1]


def make_images(
    folder: Path, count: int = 40, first: int = 1001, name: str = "shot a_{:05d}.png"
) -> Path:
    """Write a numbered sequence."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        write_image(folder / name.format(first + index), picture(index))
    return folder
