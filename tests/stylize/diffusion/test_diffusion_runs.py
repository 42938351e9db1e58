"""Complete runs of Stable Diffusion on the command line: modes, presets, resume, bad input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image as PillowImage
from trained_models import painted

from kadr.cli.main import main
from kadr.core.frames import Frame, Image
from kadr.errors import InputError
from kadr.image_files import write_image
from kadr.stylize.infotext_files import read_infotext
from kadr.video.clips import create_clip, open_clip

SMALL = ("-O", "pixels=4096", "--steps", "8", "--sampler", "Euler", "--cfg-scale", "3")
"""Settings that the small model needs and that keep it quick."""

Run = Callable[..., tuple[int, str]]


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KADR_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def kadr(capsys: pytest.CaptureFixture[str]) -> Run:
    """Call ``kadr``: its exit code and what it said on stderr, or with --json on stdout."""

    def call(*words: object) -> tuple[int, str]:
        capsys.readouterr()
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        return code, said.out if "--json" in words else said.err

    return call


@pytest.fixture(scope="session")
def disc_clip(tmp_path_factory: pytest.TempPathFactory, disc_frames: list[Image]) -> Path:
    """The disc as an mp4 with a tone."""
    folder = tmp_path_factory.mktemp("disc")
    with create_clip(folder / "mute.mp4", like=None, crf=4) as writer:
        for index, image in enumerate(disc_frames):
            writer.write(Frame(index, image))
    return _with_tone(folder / "mute.mp4", folder / "disc.mp4")


def _with_tone(mute: Path, path: Path) -> Path:
    with av.open(str(mute)) as source, av.open(str(path), "w") as target:
        video = target.add_stream_from_template(source.streams.video[0])
        sound = target.add_stream("aac", rate=44100, layout="mono")
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = video
                target.mux(packet)
        for start in range(0, 29400, 1024):
            wave = np.sin(np.arange(start, start + 1024) / 16).astype(np.float32)[None]
            block = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            block.sample_rate, block.pts, block.time_base = 44100, start, Fraction(1, 44100)
            target.mux(sound.encode(block))
        target.mux(sound.encode(None))
    return path


def _frames(path: Path) -> list[Image]:
    with open_clip(path) as clip:
        return [frame.rgb for frame in clip.frames()]


def _away(image: Image, other: Image) -> float:
    return float(np.abs(image.astype(int) - other.astype(int)).mean())


def _is_painting(made: list[Image], filmed: list[Image]) -> bool:
    """Whether every frame looks like its own painting, not like what was filmed."""
    return all(
        _away(image, painted(frame)) < 0.75 * _away(image, frame)
        for image, frame in zip(made, filmed, strict=True)
    )


def test_keys_are_made_and_carried_into_a_film_with_sound(
    kadr: Run, trained_model: Path, disc_clip: Path, disc_frames: list[Image], tmp_path: Path
) -> None:
    out = tmp_path / "out.mp4"
    code, said = kadr(
        "run", disc_clip, "-o", out, "--stylizer", "diffusion", "--model", trained_model,
        "--prompt", "painting", "--keys-budget", "3", *SMALL, "--json",
    )  # fmt: skip
    assert code == 0, said
    result = json.loads(said.splitlines()[-1])
    assert len(result["keys"]) == 3
    with open_clip(out) as clip:
        assert clip.info.has_audio
        assert len(clip) == len(disc_frames)
    assert _is_painting(_frames(out), disc_frames)


def test_every_second_frame_is_made_and_the_rest_carried(
    kadr: Run, trained_model: Path, disc_clip: Path, disc_frames: list[Image], tmp_path: Path
) -> None:
    out = tmp_path / "out.mp4"
    words = (
        "run", disc_clip, "-o", out, "--stylizer", "diffusion", "--model", trained_model,
        "--every-frame", "--every", "2", "--batch", "4", *SMALL, "--json",
    )  # fmt: skip
    code, said = kadr(*words, "--prompt", "painting")
    assert code == 0, said
    assert json.loads(said.splitlines()[-1])["keys"] == [0, 2, 4, 6, 8, 10, 12, 14, 15]
    paintings = _frames(out)
    assert _is_painting(paintings, disc_frames)
    code, said = kadr(*words, "--prompt", "painting", "--overwrite")
    steps = [json.loads(line).get("step") for line in said.splitlines()]
    assert "stylize" not in steps, "all is kept"
    assert kadr(*words, "--prompt", "photo", "--overwrite")[0] == 0
    photos = [_away(*pair) for pair in zip(_frames(out), disc_frames, strict=True)]
    away = [_away(*pair) for pair in zip(paintings, disc_frames, strict=True)]
    assert np.mean(photos) < 0.9 * np.mean(away)


_FORKED_RUNS = """
import json, os, signal, sys

import kadr.pipeline, kadr.stylize.diffusion.stylizer
from diffusers import AutoencoderKL, UNet2DConditionModel
from kadr.cli.main import main
from kadr.stylize.diffusion.model import loading
from transformers import CLIPTextModel, CLIPTokenizerFast

def run(words, cache, kill_at):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writer, 1)
        os.close(reader)
        os.close(writer)
        os.environ["KADR_CACHE"] = cache
        code = main(words)
        sys.stdout.flush()
        os._exit(code)
    os.close(writer)
    lines, killed = [], False
    with os.fdopen(reader) as output:
        for line in output:
            lines.append(line)
            event = json.loads(line)
            if kill_at and not killed and event.get("step") == "stylize":
                if event["index"] >= kill_at:
                    os.kill(child, signal.SIGKILL)
                    killed = True
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), "".join(lines)

print(json.dumps([run(*job) for job in json.loads(sys.argv[1])]))
"""
"""Runs in processes of their own, each (words, cache folder, frame after which it is killed).

They are forked from one that has loaded the libraries, which takes longer than the runs, and
nothing else: sums of torch are rounded otherwise in a process that trained a model before.
"""


@pytest.mark.skipif(sys.platform == "win32", reason="it has no SIGKILL")
def test_a_resumed_run_makes_the_same_frames(
    trained_model: Path, disc_clip: Path, tmp_path: Path
) -> None:
    arguments = [
        "run", str(disc_clip), "--frames", "0:7", "--stylizer", "diffusion",
        "--model", str(trained_model),
        "--prompt", "painting", "--every-frame", "-O", "previous-start=0.5",
        "-O", "cross-frame=both", *SMALL, "--json",
    ]  # fmt: skip
    complete, halted = tmp_path / "complete", tmp_path / "halted"
    jobs = [
        ([*arguments, "-o", f"{output}/frames/"], str(output / "cache"), kill_at)
        for output, kill_at in ((complete, 0), (halted, 4), (halted, 0))
    ]
    done = subprocess.run(
        [sys.executable, "-c", _FORKED_RUNS, json.dumps(jobs)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},  # sums are rounded by the number of threads
    )
    assert done.returncode == 0, done.stderr
    (code, _), (killed, _), (resumed_code, output) = json.loads(done.stdout)
    assert (code, killed, resumed_code) == (0, -signal.SIGKILL, 0), done.stderr
    totals = [json.loads(line) for line in output.splitlines() if '"stylize"' in line]
    assert 0 < totals[0]["total"] <= 8 - 3, "finished frames are kept"
    names = sorted(path.name for path in (complete / "frames").iterdir())
    assert names == sorted(path.name for path in (halted / "frames").iterdir())
    for name in names:
        resumed = np.asarray(PillowImage.open(halted / "frames" / name)).astype(int)
        expected = np.asarray(PillowImage.open(complete / "frames" / name)).astype(int)
        assert np.abs(resumed - expected).max() == 0, name


def test_the_classic_recipe(
    kadr: Run, tiny_model: Callable[..., Path], disc_clip: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    model = tiny_model("sd1-inpaint", ".safetensors")  # nine channels, as the recipe's own
    code, said = kadr(
        "run", disc_clip, "--frames", "0:2", "-o", f"{out}/", "--preset", "classic",
        "--model", model, "--original-prompt", "photo", "--prompt", "painting",
        "-O", "pixels=4096", "--json",
    )  # fmt: skip
    assert code == 0, said
    assert json.loads(said.splitlines()[-1])["keys"] == [0, 2]
    assert len(_frames(out)) == 3
    told = read_infotext(sorted(out.iterdir())[2])
    assert told.prompt == "painting"
    wanted = {
        "Steps": "60", "Sampler": "Euler", "CFG scale": "24", "Denoising strength": "0.5",
        "Decode prompt": "photo", "Decode CFG scale": "1", "Decode steps": "50",
        "Randomness": "0", "Sigma Adjustment": "True", "Conditional mask weight": "1",
    }  # fmt: skip
    assert wanted.items() <= dict(told.fields).items()
    with pytest.raises(InputError, match="has no generation parameters"):
        read_infotext(sorted(out.iterdir())[1])  # was carried, not generated
    kept = list((tmp_path / "cache").rglob("noise/*.npy"))
    assert len(kept) == 2, "found noise serves the next prompt too"


def test_a_picture_tells_the_settings_of_others_like_it(
    kadr: Run, trained_model: Path, disc_frames: list[Image], tmp_path: Path
) -> None:
    for index in (0, 1):
        write_image(tmp_path / "clip" / f"f_{index:03d}.png", disc_frames[index])
    first, second = tmp_path / "first", tmp_path / "second"
    words = ("run", tmp_path / "clip", "--every-frame", "--model", trained_model)
    assert (
        kadr(
            *words, "-o", f"{first}/", "--stylizer", "diffusion", "--prompt", "painting",
            "--negative-prompt", "photo", "--seed", "7", "--denoising-strength", "0.4", *SMALL,
        )[0]
        == 0
    )  # fmt: skip
    told = read_infotext(first / "f_000.png")
    assert (told.prompt, told.negative_prompt, told.fields["Seed"]) == ("painting", "photo", "7")
    code, said = kadr(*words, "-o", f"{second}/", "--like", first / "f_000.png", "--seed", "7")
    assert code == 0, said
    for name in ("f_000.png", "f_001.png"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    code, said = kadr(
        "run", tmp_path / "clip", "--every-frame", "-o", f"{tmp_path}/c/", "--like",
        first / "f_000.png",
    )  # fmt: skip
    assert code == 2
    assert "left out model" in said
    assert "no model; give --model PATH" in said.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--stylizer", "diffusion", "--prompt", "fox"], "no model"),
        (["--stylizer", "diffusion", "--model", "gone.ckpt"], "gone.ckpt: no such model"),
        (
            ["--stylizer", "diffusion", "--model", "owner/gone"],
            "owner/gone: is not on this machine",
        ),
        (["--prompt", "fox"], "prompt: is for a stylizer that makes keys"),
        (["--stylizer", "paint", "--prompt", "fox"], "stylizer paint: no option 'prompt'"),
        (["--stylizer", "diffusion", "--steps", "many"], "steps 'many': expected a whole number"),
        (["--stylizer", "diffusion", "--cfg-scale", "-1"], "cfg-scale -1.0: expected 0 to 100"),
        (["--preset", "warp"], "preset 'warp': expected one of classic, faithful, fast, keyframes"),
        (["--preset", "gone.toml"], "gone.toml: cannot be read"),
        (["--like", "gone.png"], "gone.png: cannot be read"),
        (
            ["--stylizer", "diffusion", "--fill", "--model", "m"],
            "fill: is for every, such as every 2; give that too",
        ),
        (["--stylizer", "comfyui", "--workflow", "gone.json"], "gone.json"),
        (
            [
                "--stylizer",
                "a1111",
                "--url",
                "http://127.0.0.1:9",
                "--server-patience",
                "0",
                "-O",
                "retries=0",
            ],
            "127.0.0.1:9",
        ),
    ],
)
def test_bad_input_is_reported_in_one_line(
    kadr: Run, disc_clip: Path, tmp_path: Path, words: list[str], told: str
) -> None:
    code, said = kadr("run", disc_clip, "-o", tmp_path / "out.mp4", *words)
    last = said.strip().splitlines()[-1]
    assert code == 2
    assert last.startswith("error: ")
    assert told in last
    assert "Traceback" not in said
    assert not (tmp_path / "out.mp4").exists()
