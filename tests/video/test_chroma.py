"""Chroma of 4:2:0: it is written where players expect it, tagged, and read where the tag says."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from kadr import Frame, create_clip, open_clip

WIDTH, HEIGHT, PERIOD = 128, 96, 32
AXES = pytest.mark.parametrize("axis", [0, 1], ids=["down", "across"])


def _wave(count: int, step: float = 1.0, start: float = 0.0) -> np.ndarray:
    """A wave that starts at 0, sampled at start, start + step and so on, in pixels."""
    return np.sin(2 * np.pi * (start + step * np.arange(count)) / PERIOD)


def _offset(values: np.ndarray) -> float:
    """How many pixels a sampled wave lies after one that starts at 0."""
    turns = np.exp(-2j * np.pi * np.arange(len(values)) / PERIOD)
    phase = np.angle(((values - values.mean()) * turns).sum()) + np.pi / 2
    return float(-phase * PERIOD / (2 * np.pi))


def _image(axis: int) -> np.ndarray:
    """Constant luma; the blue difference is a wave along one axis."""
    size = (HEIGHT, WIDTH)[axis]
    blue = np.expand_dims(0.3 * _wave(size), 1 - axis) * np.ones((HEIGHT, WIDTH))
    green = -0.0722 / 0.7152 * blue
    image = 128 + 255 * np.stack([np.zeros_like(blue), green, blue], axis=2)
    return np.rint(image).astype(np.uint8)


def _middle(image: np.ndarray, axis: int) -> np.ndarray:
    """Blue along an axis."""
    return image[HEIGHT // 2, :, 2].astype(float) if axis else image[:, WIDTH // 2, 2].astype(float)


def _write(path: Path, image: np.ndarray) -> Path:
    with create_clip(path, like=None, crf=1) as writer:
        writer.write(Frame(0, image))
    return path


def _read(path: Path) -> np.ndarray:
    with open_clip(path) as clip:
        return clip.frame(0).image


@AXES
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".webm"])
def test_ten_rounds_leave_chroma_in_place(axis: int, suffix: str, tmp_path: Path) -> None:
    image = _image(axis)
    for round_ in range(10):
        image = _read(_write(tmp_path / f"{round_}{suffix}", image))
    assert abs(_offset(_middle(image, axis))) < 0.1


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".webm"])
def test_samples_lie_left_and_midway_between_lines(suffix: str, tmp_path: Path) -> None:
    with av.open(str(_write(tmp_path / f"a{suffix}", _image(1)))) as container:
        plane = next(container.decode(video=0)).planes[1]
    samples = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
    across = np.repeat(samples[HEIGHT // 4, : plane.width].astype(float), 2)  # as wide as luma
    assert _offset(across) == pytest.approx(0.5, abs=0.1)  # repeated samples lie half a pixel later
    with av.open(str(_write(tmp_path / f"d{suffix}", _image(0)))) as container:
        plane = next(container.decode(video=0)).planes[1]
    samples = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
    down = np.repeat(samples[:, WIDTH // 4].astype(float), 2)
    assert _offset(down) == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize(
    ("tag", "across", "down"),
    [(None, 0.0, 0.5), ("left", 0.0, 0.5), ("center", 0.5, 0.5), ("topleft", 0.0, 0.0)],
)
def test_the_tag_of_a_file_is_honoured(
    tag: str | None, across: float, down: float, tmp_path: Path
) -> None:
    """across, down: where the first sample lies, in pixels of luma."""
    for axis, start in ((1, across), (0, down)):
        path = tmp_path / f"{axis}.mp4"
        size = (HEIGHT // 2, WIDTH // 2)
        wave = np.expand_dims(60 * _wave(size[axis], 2, start), 1 - axis) * np.ones(size)
        planes = [np.full((HEIGHT, WIDTH), 128.0), 128 + wave, np.full(size, 128.0)]
        with av.open(str(path), "w") as container:
            options = {"qp": "0"} | ({} if tag is None else {"chroma_sample_location": tag})
            stream = container.add_stream("libx264", rate=25, options=options)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            data = np.concatenate([np.rint(plane).astype(np.uint8).ravel() for plane in planes])
            frame = av.VideoFrame.from_ndarray(data.reshape(-1, WIDTH), format="yuv420p")
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        assert abs(_offset(_middle(_read(path), axis))) < 0.1


@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
def test_the_location_is_tagged(suffix: str, tmp_path: Path) -> None:
    """Matroska's ChromaSitingHorz 1 and ChromaSitingVert 2; H.264 itself says left by default."""
    content = _write(tmp_path / f"a{suffix}", _image(1)).read_bytes()
    assert b"\x55\xb7\x81\x01\x55\xb8\x81\x02" in content
