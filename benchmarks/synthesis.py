"""Measure seconds and energy of the synthesis: of a still image and of a frame of a pass.

    python benchmarks/synthesis.py --clips FOLDER [--peer PATH]

Energy is the cost of an image, independent of the program: the mean cost of the best match of each
of its patches, by an independent search with the same weights; texture distance compares the
textures of image and style. ``--peer`` runs an ``ebsynth`` binary on the same 8-bit images with its
defaults, before each run of kadr on a whole image, so that both run under the same conditions. A
frame started from motion is compared with a whole run of the peer for that frame.

Wall-clock seconds: for kadr from arrays to arrays with sources packed each time, for the peer from
process start to exit. Compilation is timed separately, on a corner of the same images.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from _energy import energy, texture_distance
from kadr.core.warp import Field, sample
from kadr.guides.channels import edge_guide, position_guide
from kadr.guides.flow import flow_pair, gray
from kadr.guides.transport import compose, identity
from kadr.image_files import read_image, write_image
from kadr.options import SynthOptions, detail_options
from kadr.synth import Guide, StyleSource, prepare

Image = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Case:
    """One image to synthesize; all images 8-bit. start: positions in the style, or None."""

    name: str
    style: Image
    guides: list[Guide]
    options: SynthOptions
    start: Field | None = None


@dataclass
class Score:
    """The result of one program for one case."""

    case: str
    program: str
    seconds: float
    energy: float = 0.0
    texture: float = 0.0
    compile_seconds: float = 0.0
    stages: dict[str, float] = field(default_factory=dict)


def main() -> None:
    """Run the benchmark from the command line."""
    arguments = _parse()
    scores: list[Score] = []
    peers: dict[str, tuple[float, Image]] = {}
    for case in _cases(arguments.clips):
        if arguments.case and case.name not in arguments.case:
            continue
        key = case.name.split()[0]  # the peer synthesizes all frames in the same way
        runs: list[tuple[float, Image, dict[str, float]]] = []
        compile_seconds = _compile(case, arguments.threads)
        for _ in range(arguments.repeat):
            if arguments.peer is not None and (key not in peers or case.start is None):
                peer_run = _run_peer(arguments.peer, case)
                peers[key] = min(peers.get(key, peer_run), peer_run, key=lambda run: run[0])
            runs.append(_run(case, arguments.threads))
        seconds, image, stages = min(runs, key=lambda run: run[0])
        kadr_score = Score(
            case.name, "kadr", seconds, compile_seconds=compile_seconds, stages=stages
        )
        scores.append(_judge(case, kadr_score, image))
        if arguments.peer is not None:
            seconds, peer_image = peers[key]
            scores.append(_judge(case, Score(case.name, "peer", seconds), peer_image))
            _save(arguments.save, case, "peer", peer_image)
        _save(arguments.save, case, "kadr", image)
        if not arguments.json:
            _print_case([score for score in scores if score.case == case.name])
    if arguments.json:
        print(json.dumps([asdict(score) for score in scores], indent=1))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="seconds and energy of guided synthesis")
    clips = os.environ.get("KADR_TEST_CLIPS")
    parser.add_argument(
        "--clips",
        type=Path,
        default=clips,
        required=clips is None,
        help="folder of real clips (default: KADR_TEST_CLIPS)",
    )
    parser.add_argument("--peer", type=Path, help="an ebsynth binary to compare with")
    parser.add_argument("--case", action="append", help="only this case, by name")
    parser.add_argument(
        "--repeat", type=int, default=1, help="runs of each case; the fastest counts"
    )
    parser.add_argument("--threads", type=int, help="number of cores for kadr (default: all)")
    parser.add_argument("--save", type=Path, help="a folder for the synthesized images")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    return parser.parse_args()


def _cases(clips: Path) -> Iterator[Case]:
    yield _still(clips / "ebsynth_stills" / "facestyle")
    style, guides, start = _frame(clips / "lynx")
    yield Case("frame in full", style, guides, SynthOptions())
    for detail in ("high", "medium"):
        options = detail_options(detail).synth_options(max(style.shape[:2]), 0)
        yield Case(f"frame from motion, {detail}", style, guides, options, start)


def _still(folder: Path) -> Case:
    """A stylized face: appearance, segment and position guides with the weights of the example."""
    guides = [
        Guide(_read(folder / f"source_{name}.png"), _read(folder / f"target_{name}.png"), weight)
        for name, weight in (("Gapp", 0.5), ("Gseg", 1.5), ("Gpos", 10.0))
    ]
    return Case("still", _read(folder / "source_painting.png"), guides, SynthOptions())


def _frame(folder: Path) -> tuple[Image, list[Guide], Field]:
    """Frame 10 from key 0: video 6, edges 1, positions 2, temporal .5, as in a pass."""
    frames = [_read(folder / "input" / f"{index:03d}.jpg") for index in range(11)]
    style = _read(folder / "keys" / "000.jpg")
    size = style.shape[0], style.shape[1]
    positions = identity(*size)
    transport = positions
    for previous, frame in itertools.pairwise(frames):
        transport = compose(transport, flow_pair(gray(frame), gray(previous)))
    warped = sample(style, transport)
    key, last = frames[0], frames[-1]
    guides = [
        Guide(key, last, 6.0),
        Guide(_bytes(edge_guide(key)), _bytes(edge_guide(last)), 1.0),
        Guide(
            _bytes(position_guide(positions, max(size))),
            _bytes(position_guide(transport, max(size))),
            2.0,
        ),
        Guide(style, warped, 0.5),
    ]
    return style, guides, transport


def _read(path: Path) -> Image:
    image = read_image(path)
    if image.dtype != np.uint8:
        raise SystemExit(f"{path}: {image.dtype}; expected 8 bits a channel")
    gray_only = image.ndim == 3 and bool((image == image[..., :1]).all())
    return np.ascontiguousarray(image[..., :1] if gray_only else image)


def _bytes(guide: NDArray[np.float32]) -> Image:
    """Round to 8 bits, as both programs get them, although kadr accepts float values."""
    rounded: Image = np.clip(np.rint(guide), 0, 255).astype(np.uint8)
    return rounded


def _run(case: Case, threads: int | None) -> tuple[float, Image, dict[str, float]]:
    """Seconds, the image, and the seconds of each stage."""
    start = time.perf_counter()
    source = StyleSource(case.style, [guide.source for guide in case.guides])
    weights = [guide.weight for guide in case.guides]
    prepared = prepare([source], weights, options=case.options, threads=threads)
    if case.start is not None:  # in a pass a key is packed once for many frames
        prepared.synthesize([guide.target for guide in case.guides], start_nnf=case.start)
        start, stages_before = time.perf_counter(), dict(prepared.seconds)
    else:
        stages_before = {}
    result = prepared.synthesize([guide.target for guide in case.guides], start_nnf=case.start)
    seconds = time.perf_counter() - start
    stages = {
        name: stage_seconds - stages_before.get(name, 0.0)
        for name, stage_seconds in prepared.seconds.items()
    }
    return seconds, result.image, stages


def _compile(case: Case, threads: int | None) -> float:
    """Seconds of the first call, which compiles or loads what this case needs."""
    corner = np.s_[:40, :40]

    def crop(image: Image) -> Image:
        return np.ascontiguousarray(image[corner])

    guides = [Guide(crop(guide.source), crop(guide.target), guide.weight) for guide in case.guides]
    start = None if case.start is None else np.clip(case.start[corner], 0, 39)
    small = Case(case.name, crop(case.style), guides, case.options, start)
    return _run(small, threads)[0]


def _run_peer(binary: Path, case: Case) -> tuple[float, Image]:
    """Seconds of the whole process with its defaults, and its image."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_image(folder / "style.png", case.style)
        command = [str(binary.resolve()), "-style", str(folder / "style.png")]
        for index, guide in enumerate(case.guides):
            paths = folder / f"source{index}.png", folder / f"target{index}.png"
            weight = guide.weight
            for path, image in zip(paths, (guide.source, guide.target), strict=True):
                weight = guide.weight * _write_guide(path, image)
            command += ["-guide", str(paths[0]), str(paths[1]), "-weight", f"{weight:g}"]
        output = folder / "output.png"
        start = time.perf_counter()
        subprocess.run([*command, "-output", str(output)], check=True, capture_output=True)
        return time.perf_counter() - start, _read(output)


def _write_guide(path: Path, image: Image) -> float:
    """Write a guide as PNG; returns the factor for its weight."""
    channels = image.shape[2]
    if channels != 2:
        write_image(path, image)
        return 1.0
    write_image(path, np.dstack([image, np.zeros_like(image[..., 0])]))
    return 3.0 / channels  # an empty third channel takes a third of the weight


def _judge(case: Case, score: Score, image: Image) -> Score:
    guides = [(guide.source, guide.target, guide.weight) for guide in case.guides]
    score.energy = energy(image, case.style, guides)
    score.texture = texture_distance(image, case.style)
    return score


def _save(folder: Path | None, case: Case, program: str, image: Image) -> None:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        write_image(folder / f"{case.name.replace(' ', '_').replace(',', '')}_{program}.png", image)


def _print_case(scores: list[Score]) -> None:
    kadr_score = scores[0]
    print(
        f"{kadr_score.case}   (first call, compiling or loading kernels: "
        f"{kadr_score.compile_seconds:.1f} s)"
    )
    for score in scores:
        ratio = (
            f"{score.seconds / kadr_score.seconds:7.1f}x" if score is not kadr_score else "        "
        )
        print(
            f"  {score.program:<5} {score.seconds:8.3f} s {ratio}   energy {score.energy:8.0f}"
            f"   texture distance {score.texture:6.2f}"
        )
    total = sum(kadr_score.stages.values())
    parts = sorted(kadr_score.stages.items(), key=lambda item: -item[1])
    print("  stages: " + ", ".join(f"{n} {s / total:.0%}" for n, s in parts if s > 0))
    print(flush=True)


if __name__ == "__main__":
    main()
