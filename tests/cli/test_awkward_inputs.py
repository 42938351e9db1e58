"""Inputs that people have and that programs get wrong: each is done right, or refused by name.

One row a kind of input; the details of each are tested where the work is done.
"""

# ruff: noqa: PT018
from __future__ import annotations

import json
import shutil
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from cli_samples import Call, Done, frames_of
from fake_comfyui import FakeComfyUI
from PIL import Image, ImageCms, PngImagePlugin

from core.image_samples import gif
from kadr import Frame, create_clip, write_image
from scenes import paint, sliding, texture, write_sequence

COUNT = 24
WIDTH, HEIGHT = 96, 72
SCENE = sliding(COUNT, 3.0, 1.0, height=HEIGHT, width=WIDTH)


@dataclass(frozen=True)
class Desk:
    """What a row works with: the command line, a folder of its own, and a clip of ``SCENE``."""

    kadr: Call
    folder: Path
    clip: Path

    def run(
        self, *arguments: object, output: str = "out/%05d.png", clip: Path | None = None
    ) -> Done:
        """``kadr run CLIP … -o OUTPUT`` at the least detail."""
        target = self.folder / output
        return self.kadr("run", clip or self.clip, *arguments, "-o", target, "--detail", "draft")

    def refused(self, *arguments: object, clip: Path | None = None) -> str:
        """The same, refused with one line and nothing written."""
        done = self.run(*arguments, clip=clip)
        assert done.code == 2, done
        assert done.err.count("\n") == 1 and done.err.startswith("error: "), done
        assert not (self.folder / "out").exists()
        return done.err

    def keys(self, **files: int) -> Path:
        """A folder of painted keys: file name without suffix → frame."""
        folder = self.folder / "keys"
        for name, index in files.items():
            write_image(folder / f"{name}.png", paint(SCENE[index]))
        return folder


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``SCENE`` as a video, not to be changed."""
    return _video(tmp_path_factory.mktemp("awkward") / "clip.mp4", SCENE)


@pytest.fixture
def desk(kadr: Call, tmp_path: Path, clip: Path) -> Desk:
    return Desk(kadr, tmp_path, clip)


def _video(path: Path, images: list[np.ndarray]) -> Path:
    with create_clip(path, like=None, crf=10) as writer:
        for index, image in enumerate(images):
            writer.write(Frame(index, image))
    return path


def _output(desk: Desk) -> list[np.ndarray]:
    return frames_of(desk.folder / "out")


def _key_names(desk: Desk) -> None:
    """Versions, copies and sizes behind the frame number."""
    for name in ("frame_00012_v2", "frame_00012 (1)", "frame_00012 copy 2", "frame_00012_96x72"):
        case = Desk(desk.kadr, desk.folder / name, desk.clip)
        case.keys(**{name: 12})
        done = case.run("--keys", case.folder / "keys", "--frames", "12:12")
        if done.code == 2:  # ambiguous: then the candidates are named
            assert "12" in done.err
            assert name in done.err
        else:
            assert done.code == 0, done
            assert np.array_equal(_output(case)[0], paint(SCENE[12]))


def _keys_numbered_from_one(desk: Desk) -> None:
    keys = desk.keys(**{"frame-001": 0, "frame-009": 8, "frame-017": 16})
    done = desk.run("--keys", keys)
    assert done.code == 0 and "--key-offset -1" in done.err, done


def _keys_with_seeds(desk: Desk) -> None:
    """A counter, a dash and a seed, as A1111 names its files."""
    keys = desk.keys(**{"00000-3999041931": 0, "00012-3999041931": 12})
    done = desk.run("--keys", keys, "--frames", "0:12")
    assert done.code == 0, done
    assert np.array_equal(_output(desk)[12], paint(SCENE[12]))


def _clip_with_seeds(desk: Desk) -> None:
    folder = desk.folder / "clip"
    for index, image in enumerate(SCENE[:6]):
        write_image(folder / f"{index:05d}-{3_000_000_000 - index * 7_654_321}.png", image)
    done = desk.kadr("info", folder, "--json")
    assert done.code == 0 and done.objects[0]["frame_count"] == 6, done
    assert np.array_equal(frames_of(folder)[4], SCENE[4])


def _keys_of_many_formats(desk: Desk) -> None:
    keys = desk.keys(**{"00000": 0})
    for index, suffix in enumerate(("avif", "webp", "tiff", "JPG"), 2):
        file = keys / f"{index * 4:05d}.{suffix}"
        try:
            Image.fromarray(paint(SCENE[index * 4])).save(file, quality=95)
        except (OSError, KeyError, ValueError):  # this Pillow writes no AVIF
            file.write_bytes(b"\0\0\0 ftypavif")
    done = desk.run("--keys", keys, "--dry-run")
    named = "00008.avif" in done.err
    assert done.code == 0 and (named or done.out.count("key ") >= 5), done


def _key_in_display_p3(desk: Desk) -> None:
    keys = desk.folder / "keys"
    keys.mkdir()
    image = Image.new("RGB", (WIDTH, HEIGHT), (201, 62, 54))
    image.save(keys / "00012.png", icc_profile=_display_p3())
    assert desk.run("--keys", keys, "--frames", "12:12").code == 0
    assert np.abs(_output(desk)[0].astype(int) - (220, 40, 40)).max() <= 5


def _display_p3() -> bytes:
    """An ICC profile with the primaries of Display P3 and the curve of sRGB."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    primaries = {
        b"rXYZ": (0.51512, 0.24120, -0.00105),
        b"gXYZ": (0.29198, 0.69225, 0.04189),
        b"bXYZ": (0.15710, 0.06657, 0.78407),
    }
    count = struct.unpack_from(">I", profile, 128)[0]
    for entry in range(count):
        tag, offset, _ = struct.unpack_from(">4sII", profile, 132 + 12 * entry)
        if tag in primaries:
            values = [round(value * 65536) for value in primaries[tag]]
            struct.pack_into(">3i", profile, offset + 8, *values)
    profile[84:100] = bytes(16)  # the profile's own checksum, which is not in use then
    return bytes(profile)


def _key_turned_by_exif(desk: Desk) -> None:
    keys = desk.folder / "keys"
    keys.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by half a turn
    upside_down = np.ascontiguousarray(paint(SCENE[12])[::-1, ::-1])
    Image.fromarray(upside_down).save(keys / "00012.png", exif=exif)
    assert desk.run("--keys", keys, "--frames", "12:12").code == 0
    assert np.array_equal(_output(desk)[0], paint(SCENE[12]))


def _key_shifted(desk: Desk) -> None:
    picture = cv2.GaussianBlur(texture(90, 160, seed=3), (0, 0), 2)
    cv2.circle(picture, (60, 45), 18, (230, 60, 40), -1)
    cv2.rectangle(picture, (110, 10), (125, 80), (20, 40, 200), -1)
    clip = _video(desk.folder / "still.mp4", [picture] * 4)
    key = 255 - cv2.medianBlur(picture, 7)
    write_image(desk.folder / "keys" / "00000.png", np.roll(key, 12, axis=1))
    done = desk.run("--keys", desk.folder / "keys", clip=clip)
    assert done.code == 0, done
    assert "00000.png: lies beside its frame 0, about 12 pixels to the right" in done.err


def _key_with_alpha(desk: Desk) -> None:
    keys = desk.folder / "keys"
    key = np.dstack([paint(SCENE[12]), np.zeros((HEIGHT, WIDTH), np.uint8)])
    key[20:50, 20:70, 3] = 255
    write_image(keys / "00012.png", key)
    done = desk.run("--keys", keys, "--frames", "12:12", output="out.mp4")
    assert done.code == 0, done
    corner = frames_of(desk.folder / "out.mp4")[0][:10, :10].astype(int)
    film_shows = np.abs(corner - SCENE[12][:10, :10]).mean() < 12
    assert film_shows or "transparent" in done.err


def _masks_of_zero_and_one(desk: Desk) -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[20:50] = 1
    for index in range(2):
        write_image(desk.folder / "masks" / f"{index:05d}.png", mask)
    masked = ("--stylizer", "paint", "--every-frame", "--mask", desk.folder / "masks")
    done = desk.run(*masked, "--frames", "0:1")
    if done.code == 2:
        assert "white" in done.err
    else:
        changed = np.abs(_output(desk)[0].astype(int) - frames_of(desk.clip)[0]).max(axis=2) > 8
        assert changed[25:45].mean() > 0.2
        assert changed[:18].mean() < 0.05
        assert "masks" in done.err or "00000.png" in done.err


def _soft_mask(desk: Desk) -> None:
    mask = np.full((HEIGHT, WIDTH), 100, np.uint8)  # below half: once cut to black
    write_image(desk.folder / "mask.png", mask)
    masked = ("--stylizer", "paint", "--every-frame", "--mask", desk.folder / "mask.png")
    done = desk.run(*masked, "--frames", "0:1")
    assert done.code == 0, done
    soft = not np.array_equal(_output(desk)[0], frames_of(desk.clip)[0])
    assert soft or "mask.png" in done.err


def _output_onto_masks_and_keys(desk: Desk) -> None:
    keys = desk.keys(**{"00000": 0})
    masks = write_sequence(desk.folder / "masks", [np.full((HEIGHT, WIDTH, 3), 255, np.uint8)] * 2)
    before = {file: file.read_bytes() for file in [*keys.iterdir(), *masks.iterdir()]}
    for folder, arguments in (
        (keys, ("--keys", keys)),
        (masks, ("--stylizer", "paint", "--every-frame", "--mask", masks, "--frames", "0:1")),
    ):
        for output in (folder, folder / "%05d.png", folder / "deeper"):
            for overwrite in ((), ("--overwrite",)):
                done = desk.kadr("run", desk.clip, *arguments, "-o", output, *overwrite)
                assert done.code == 2 and str(folder) in done.err, done
    assert {file: file.read_bytes() for file in [*keys.iterdir(), *masks.iterdir()]} == before


def _with_sound(path: Path, rates: list[int], default: int) -> Path:
    """A clip with a tone in each of several sound tracks; ``default``: which is marked so."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=24)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        tracks = [container.add_stream("pcm_s16le", rate=rate, layout="mono") for rate in rates]
        tracks[default].disposition = av.stream.Disposition.default
        for image in SCENE[:12]:
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(video.encode())
        for number, (track, rate) in enumerate(zip(tracks, rates)):
            tone = np.sin(np.arange(rate // 2) * 2 * np.pi * 440 * (number + 1) / rate)
            samples = (tone * 20000).astype(np.int16)[None]
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
            container.mux(track.encode(frame))
            container.mux(track.encode())
    return path


def _two_sound_tracks(desk: Desk) -> None:
    clip = _with_sound(desk.folder / "two.mkv", [48000, 48000], default=1)
    done = desk.run("--stylizer", "paint", output="out.mp4", clip=clip)
    assert done.code == 0, done
    with av.open(str(desk.folder / "out.mp4")) as container:
        kept = len(container.streams.audio)
    assert kept == 2 or "sound" in done.err


def _sound_of_an_odd_rate(desk: Desk) -> None:
    clip = _with_sound(desk.folder / "odd.mkv", [22254], default=0)
    assert desk.run("--stylizer", "paint", output="out.mp4", clip=clip).code == 0
    with av.open(str(desk.folder / "out.mp4")) as container:
        assert len(container.streams.audio) == 1


def _dissolve(desk: Desk) -> None:
    weights = np.clip((np.arange(50) - 14) / 21, 0, 1)
    before, after = texture(72, 96, seed=1, fine=3), texture(72, 96, seed=2, fine=3)
    images = [cv2.addWeighted(before, 1 - weight, after, weight, 0) for weight in weights]
    clip = _video(desk.folder / "dissolve.mp4", images)
    done = desk.kadr("plan", clip, "--keys-budget", 2, "-o", desk.folder / "plan", "--json")
    [_, (start, _)] = json.loads(done.out.splitlines()[-1])["shots"]
    assert abs(start - 24.5) <= 3


def _size_changes(desk: Desk) -> None:
    """With time stamps that go on in the second part, and with some that repeat."""
    for start in (24, 12):
        clip, parts = desk.folder / f"{start}.ts", []
        for number, size in enumerate(((96, 72), (128, 96))):
            part = desk.folder / "part.ts"
            with av.open(str(part), "w", format="mpegts") as container:
                video = container.add_stream("libx264", rate=24)
                (video.width, video.height), video.pix_fmt = size, "yuv420p"
                for index, image in enumerate(SCENE[:12]):
                    frame = av.VideoFrame.from_ndarray(cv2.resize(image, size), format="rgb24")
                    frame.pts, frame.time_base = index + start * number, Fraction(1, 24)
                    container.mux(video.encode(frame))
                container.mux(video.encode())
            parts.append(part.read_bytes())
        clip.write_bytes(b"".join(parts))
        told = "from frame 12 on it is 128×96"
        assert told in desk.kadr("info", clip).out
        for options, count in (((), 12), (("--allow-resize", "--ignore-cuts"), 24)):
            done = desk.run("--stylizer", "paint", "--every-frame", *options, clip=clip)
            assert done.code == 0 and told in done.err, done
            assert {image.shape for image in _output(desk)} == {(72, 96, 3)}
            assert len(_output(desk)) == count
            shutil.rmtree(desk.folder / "out")


GRAPH = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sdxl.safetensors"}},
    "2": {"class_type": "LoadImage", "inputs": {"image": ""}},
    "3": {"class_type": "VAEEncode", "inputs": {"pixels": ["2", 0], "vae": ["1", 2]}},
    "4": {"class_type": "CLIPTextEncode", "inputs": {"text": "ink", "clip": ["1", 1]}},
    "5": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["1", 1]}},
    "6": {
        "class_type": "KSampler",
        "inputs": {
            "model": ["1", 0],
            "positive": ["4", 0],
            "negative": ["5", 0],
            "latent_image": ["3", 0],
            "seed": 77,
            "steps": 20,
            "cfg": 7.0,
            "sampler_name": "euler",
            "scheduler": "normal",
            "denoise": 0.5,
        },
    },
    "7": {"class_type": "VAEDecode", "inputs": {"samples": ["6", 0], "vae": ["1", 2]}},
    "8": {"class_type": "SaveImage", "inputs": {"images": ["7", 0], "filename_prefix": "x"}},
}


def _graph_in_a_picture(desk: Desk) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("prompt", json.dumps(GRAPH))
    picture = desk.folder / "comfy.png"
    Image.fromarray(SCENE[0]).save(picture, pnginfo=texts)
    with FakeComfyUI() as server:
        asked = ("--stylizer", "comfyui", "--url", server.url, "--frames", "0:1")
        done = desk.run(*asked, "--workflow", picture)
        assert done.code == 0, done
        assert {request.path for request in server.requests} >= {"/prompt"}
    gone = ("--url", server.url, "--server-patience", "0", "-O", "retries=0")
    done = desk.run("--stylizer", "comfyui", *gone, "--like", picture, output="like/%05d.png")
    assert "no generation parameters" not in done.err


def _workflow_without_images(desk: Desk) -> None:
    graph = {key: node for key, node in GRAPH.items() if key != "8"}
    graph["8"] = {
        "class_type": "VHS_VideoCombine",
        "inputs": {"images": ["7", 0], "frame_rate": 8},
        "_meta": {"title": "Video Combine"},
    }
    (desk.folder / "graph.json").write_text(json.dumps(graph))
    with FakeComfyUI() as server:
        line = desk.refused(
            *("--stylizer", "comfyui", "--url", server.url, "--frames", "0:1"),
            *("--workflow", desk.folder / "graph.json"),
        )
        assert sum(request.path == "/prompt" for request in server.requests) <= 1
    assert "Video Combine" in line or "VHS_VideoCombine" in line


def _infotext(desk: Desk) -> None:
    texts = PngImagePlugin.PngInfo()
    text = (
        "oil <lora:x:0.8>\nNegative prompt: bad\nSteps: 4, Sampler: Euler a, CFG scale: 7, "
        'Seed: 5.0, Size: 96x72, Denoising strength: 0.5, Lora hashes: "x: abc123", '
        "Hires upscale: 2, Version: v1.10.1"
    )
    texts.add_text("parameters", text)
    picture = desk.folder / "like.png"
    Image.fromarray(SCENE[0]).save(picture, pnginfo=texts)
    done = desk.run("--stylizer", "a1111", "--like", picture, "--dry-run", "--frames", "0:1")
    assert "5.0" not in done.err, done
    assert "Lora hashes" in done.err and "Hires upscale" in done.err, done


def _temporalkit_split(desk: Desk) -> None:
    for part in range(2):
        folder = desk.folder / "tk" / str(part)
        write_sequence(folder / "frames", SCENE[part * 4 : part * 4 + 4])
        write_image(folder / "keys" / "keys00000.png", paint(SCENE[part * 4]))
    done = desk.kadr("import", desk.folder / "tk", "-o", desk.folder / "tk.kadr")
    if done.code == 2:
        assert str(Path("tk", "0")) in done.err or "0, 1" in done.err, done
    else:
        assert done.code == 0, done


def _png_that_claims(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header claims any size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


def _bombs(desk: Desk) -> None:
    (desk.folder / "keys").mkdir()
    bomb = desk.folder / "keys" / "00000.png"
    bomb.write_bytes(_png_that_claims(60000, 60000))
    for line in (
        desk.refused("--keys", desk.folder / "keys"),
        desk.refused("--stylizer", "paint", clip=desk.folder / "keys"),
    ):
        assert "00000.png" in line
        assert "KADR_MAX_PIXELS" in line


def _bomb_of_frames(desk: Desk) -> None:
    clip = desk.folder / "big.gif"
    clip.write_bytes(gif(13_000, 13_000, 200))
    assert "KADR_MAX_PIXELS" in desk.refused("--stylizer", "paint", clip=clip)


def _hostile_files(desk: Desk) -> None:
    project = desk.folder / "long.kadr"
    project.mkdir()
    (project / "project.toml").write_text(
        f'[clip]\npath = "{desk.clip.as_posix()}"\n[run]\nseed = {"9" * 400}\n'
    )
    ebs = desk.folder / "bad.ebs"
    ebs.write_bytes(b"EBS05\0" + bytes(range(256)) * 4)
    graph = desk.folder / "deep.json"
    graph.write_text('{"a": ' * 100_000 + "1" + "}" * 100_000)
    for done in (
        desk.kadr("run", project),
        desk.kadr("import", ebs, "-o", desk.folder / "ebs.kadr"),
        desk.run("--stylizer", "comfyui", "--workflow", graph, "--frames", "0:1"),
    ):
        assert done.code == 2 and done.err.count("\n") == 1, done


ROWS: tuple[Callable[[Desk], None], ...] = (
    _key_names,
    _keys_numbered_from_one,
    _keys_with_seeds,
    _clip_with_seeds,
    _keys_of_many_formats,
    _key_in_display_p3,
    _key_turned_by_exif,
    _key_shifted,
    _key_with_alpha,
    _masks_of_zero_and_one,
    _soft_mask,
    _output_onto_masks_and_keys,
    _two_sound_tracks,
    _sound_of_an_odd_rate,
    _size_changes,
    _dissolve,
    _graph_in_a_picture,
    _workflow_without_images,
    _infotext,
    _temporalkit_split,
    _bombs,
    _bomb_of_frames,
    _hostile_files,
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.__name__.strip("_"))
def test_an_awkward_input_is_done_right_or_refused_by_name(
    row: Callable[[Desk], None], desk: Desk
) -> None:
    row(desk)
