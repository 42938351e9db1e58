"""Every command of the README and the guide runs as it is printed, page by page, on a small clip.

A page speaks to this test in HTML comments, which readers do not see:

- ``<!-- needs: clip.mp4 masks -->``: files of ``_SAMPLES`` that the reader is expected to have.
- ``<!-- paint: a.png b/*.png -> keys -->``: here the reader paints these images by hand and saves
  them under the same names in a folder.
- ``<!-- creates: out/report.html -->``: files that exist after the block before it.
- ``<!-- not run: why -->``: the block after it is not run.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import kadr
from kadr.cli.main import main

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs" / "guide").glob("*.md")))

SIZE = (64, 48)
FRAME_COUNT = 24

_SHELL, _PYTHON, _SHOWN = {"sh", "console"}, {"python"}, {"toml", "text"}
_QUICK_MODEL = ("-O", "width=64", "-O", "height=64", "--steps", "2")
"""Added to commands that use the model: on a small model, full sizes and steps only take time."""


@dataclass(frozen=True)
class Step:
    """A fenced block (its language, text and the reason not to run it), or a comment."""

    kind: str
    text: str
    line: int
    reason: str = ""


_PART = re.compile(
    r"^```(?P<kind>[^\n]*)\n(?P<body>.*?)^```$|^<!-- (?P<name>[a-z ]+): (?P<text>.*?) -->$",
    re.MULTILINE | re.DOTALL,
)


def read_steps(text: str) -> list[Step]:
    """The blocks and comments of a page in order; a reason goes to the block after it."""
    steps: list[Step] = []
    reason = ""
    for part in _PART.finditer(text):
        line = text.count("\n", 0, part.start()) + 1
        if part["name"] == "not run":
            assert not reason, f"line {line}: two reasons for one block"
            reason = part["text"].strip()
            assert len(reason.split()) > 2, f"line {line}: say why the block is not run"
        elif part["name"]:
            steps.append(Step(part["name"], part["text"].strip(), line))
        else:
            steps.append(Step(part["kind"].strip(), part["body"], line, reason))
            reason = ""
    assert not reason, "the last reason has no block"
    return steps


def _commands(step: Step) -> Iterator[list[str]]:
    """The command lines of a block as words; of a console block only what is typed."""
    text = step.text.replace("\\\n", " ")
    for line in text.splitlines():
        if step.kind == "console":
            if not line.startswith("$ "):
                continue
            line = line[2:]
        words = shlex.split(line, comments=True)
        if words:
            yield words


class Reader:
    """Someone who follows a page in a folder of their own, which is the current one."""

    def __init__(self, folder: Path, samples: Callable[[str, Path], None]) -> None:
        self._folder, self._samples = folder, samples

    def follow(self, step: Step) -> None:
        """Do what a block or a comment says."""
        if step.kind == "needs":
            for name in step.text.split():
                self._samples(name, self._folder)
        elif step.kind == "paint":
            self._paint(*step.text.split("->"))
        elif step.kind == "creates":
            for name in step.text.split():
                assert any(self._folder.glob(name)), f"line {step.line}: no {name}"
        elif step.kind in _PYTHON:
            exec(compile(step.text, f"line {step.line}", "exec"), {"__name__": "__main__"})
        else:
            assert step.kind in _SHELL, f"line {step.line}: unknown block or comment {step.kind!r}"
            for words in _commands(step):
                self._run(words, step.line)

    def _run(self, words: list[str], line: int) -> None:
        command, *arguments = words
        if command == "mkdir":
            Path(arguments[-1]).mkdir(parents=True, exist_ok=True)
        elif command == "cp":
            *sources, target = arguments
            for source in sources:
                for path in self._folder.glob(source):
                    shutil.copy(path, target)
        else:
            assert command == "kadr", f"line {line}: {command} is not known here"
            self._kadr(arguments, line)

    def _kadr(self, arguments: list[str], line: int) -> None:
        target = None
        if ">" in arguments:
            *arguments, _, target = arguments
        if "model.safetensors" in arguments:
            arguments = [*arguments, *_QUICK_MODEL]
        output, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            code = main(arguments)
        assert code == 0, f"line {line}: kadr {shlex.join(arguments)}: {errors.getvalue()}"
        if target:
            Path(target).write_text(output.getvalue(), encoding="utf-8")
        for option, value in pairwise(arguments):
            if option in ("-o", "--output") and "--dry-run" not in arguments:
                assert _exists(value), f"line {line}: no {value}"

    def _paint(self, sources: str, folder: str) -> None:
        """Other colours, which differ from painting to painting of the same image."""
        paths = [path for source in sources.split() for path in sorted(self._folder.glob(source))]
        assert paths, f"nothing to paint: {sources}"
        for path in paths:
            painting = 250 - kadr.read_image(path)[..., :3] // 4 * 3
            kadr.write_image(self._folder / folder.strip() / path.name, painting)


def _exists(output: str) -> bool:
    """Whether a file, a folder or a pattern of images is there."""
    return Path(output).exists() or any(Path().glob(re.sub(r"%0?\d*d", "*", output)))


def _picture(index: int) -> np.ndarray:
    """(H, W, 3) uint8: a smooth texture that moves by half a pixel a frame."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]].astype(np.float64)
    x = x - index / 2
    waves = [np.sin(x / 5) + np.cos(y / 7), np.sin((x + y) / 6), np.cos((x - 2 * y) / 9)]
    return np.stack([127 + 60 * wave for wave in waves], axis=2).round().astype(np.uint8)


def _write_clip(path: Path) -> None:
    with kadr.create_clip(path, like=None) as writer:
        for index in range(FRAME_COUNT):
            writer.write(kadr.Frame(index, _picture(index)))


def _write_images(folder: Path, indices: range) -> None:
    for index in indices:
        kadr.write_image(folder / f"{index:05d}.png", _picture(index))


def _write_ebsynth(folder: Path) -> None:
    """A project as EbSynth saves it: frames in video/, painted keys in keys/."""
    from kadr.exchange.ebs import EbsProject, EbsRange, write_ebs

    _write_images(folder / "video", range(FRAME_COUNT))
    _write_images(folder / "keys", range(0, FRAME_COUNT, 16))
    ranges = (
        EbsRange(0, 0, 12, "out-00000/[#####].png", 1, 1),
        EbsRange(16, 8, FRAME_COUNT - 1, "out-00016/[#####].png", 1, 1),
    )
    project = EbsProject("video/[#####].png", "keys/[#####].png", ranges)
    write_ebs(folder / "project.ebs", project)


def _write_ebsynth_utility(folder: Path) -> None:
    _write_images(folder / "video_frame", range(FRAME_COUNT))
    _write_images(folder / "img2img_key", range(0, FRAME_COUNT, 16))


def _write_masks(folder: Path) -> None:
    mask = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    mask[12:36, 16:48] = 255
    for index in range(FRAME_COUNT):
        kadr.write_image(folder / f"{index:05d}.png", mask)


def _write_a1111_image(path: Path) -> None:
    """A picture with the text that A1111 writes into its PNG files."""
    from PIL import Image, PngImagePlugin

    text = (
        "a man in a park, oil painting\nNegative prompt: blurry\n"
        "Steps: 8, Sampler: Euler, CFG scale: 7, Seed: 1340, Size: 512x384, "
        "Model: v1-5-pruned, Denoising strength: 0.5"
    )
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", text)
    Image.fromarray(_picture(0)).save(path, pnginfo=info)


def _write_model(path: Path) -> None:
    """A Stable Diffusion model with random weights, a thousandth of the size."""
    pytest.importorskip("torch", reason="needs kadr[diffusion]")
    from tiny_models import TinyNetworks, save_single

    shutil.move(save_single(TinyNetworks("sd1", layers=1), path), path)


_SAMPLES: dict[str, Callable[[Path], None]] = {
    "clip.mp4": _write_clip,
    "other.mp4": _write_clip,
    "ebsynth": _write_ebsynth,
    "ebsynth_utility": _write_ebsynth_utility,
    "masks": _write_masks,
    "liked.png": _write_a1111_image,
    "model.safetensors": _write_model,
    "photo.png": lambda path: kadr.write_image(path, _picture(0)),
    "painting.png": lambda path: kadr.write_image(path, 255 - _picture(0)),
    "other.png": lambda path: kadr.write_image(path, _picture(9)),
}
"""What readers are expected to have, by name."""


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Path], None]:
    """Put a sample into a folder; each is made once."""
    store = tmp_path_factory.mktemp("samples")

    def put(name: str, folder: Path) -> None:
        if not (store / name).exists():
            _SAMPLES[name](store / name)
        copy = shutil.copytree if (store / name).is_dir() else shutil.copy
        copy(store / name, folder / name)

    return put


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_a_page_works(
    page: Path,
    tmp_path: Path,
    samples: Callable[[str, Path], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "reader"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("KADR_CACHE", str(tmp_path / "cache"))
    reader = Reader(folder, samples)
    for step in read_steps(page.read_text(encoding="utf-8")):
        if not step.reason and step.kind not in _SHOWN:
            reader.follow(step)


def test_blocks_that_are_not_run_say_why(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = [
        step
        for page in PAGES
        for step in read_steps(page.read_text(encoding="utf-8"))
        if step.kind in _SHELL | _PYTHON
    ]
    idle = [step for step in blocks if step.reason]
    with capsys.disabled():
        print(f"\nREADME and guide: {len(blocks) - len(idle)} blocks run, {len(idle)} not run")
    assert len(blocks) > 3 * len(idle), "most blocks can be run"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_command_is_outside_a_block_that_is_run(page: Path) -> None:
    outside = _PART.sub("", page.read_text(encoding="utf-8"))
    assert not re.search(r"^(```|~~~|(    |\t)\s*(\$ )?kadr )", outside, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_readme_stays_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_the_index_names_every_page() -> None:
    index = (ROOT / "docs" / "guide" / "README.md").read_text(encoding="utf-8")
    for page in PAGES[1:]:
        assert page.name == "README.md" or f"({page.name})" in index, page.name


def test_the_files_that_documents_name_exist() -> None:
    roots = (ROOT, ROOT / "src" / "kadr", ROOT / "benchmarks", ROOT / "tests")
    for page in (ROOT / "CONTRIBUTING.md", *PAGES, *(ROOT / "docs" / "notes").glob("*.md")):
        for name in re.findall(r"`([\w./-]+\.(?:py|md|yml))`", page.read_text(encoding="utf-8")):
            exists = any((root / name).exists() for root in (*roots, page.parent))
            assert exists or re.search("NAME|NNNN", name), f"{page.name}: no {name}"


_MESSAGE = re.compile(r"^\| (.+?) \|", re.MULTILINE)
_QUOTED = re.compile(r"`([^`]+)`")
_VARIABLE = re.compile(r"[\w./]*\d[\w./–×]*|'[^']*'|\S+\.(?:mp4|kadr|png|toml)\b")
_STRING_BREAK = re.compile(r'"\s*\n\s*f?"')


def test_messages_of_the_troubleshooting_page_are_real() -> None:
    source = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "src").rglob("*.py")))
    source = _STRING_BREAK.sub("", source)
    page = (ROOT / "docs" / "guide" / "troubleshooting.md").read_text("utf-8")
    messages = [m for cell in _MESSAGE.findall(page) for m in _QUOTED.findall(cell)]
    assert len(messages) > 20
    for message in messages:
        for part in _VARIABLE.split(re.sub(r"^[^:]{1,30}: (?=.{12})", "", message)):
            text = part.strip(" :,;()")
            assert len(text) < 8 or text in source, f"{message!r}: no message has {text!r}"
