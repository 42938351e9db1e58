"""A browser that looks at a real server, and a clip whose frames hold their own number."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import pytest
from video_samples import make_video, picture

import kadr

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
COUNT = 40
"""Frames of the clip; ``video_samples.picture`` draws the number of each as 8 blocks."""
PATIENCE = 90.0
"""Seconds until a test gives up; other programs may be using the cores."""

# The number that the blocks along the top of a 96×64 frame spell, lowest bit left; -1: no picture.
_READ_NUMBER = """(canvas) => {
  const context = canvas.getContext("2d");
  const scale = Math.min(canvas.width / 96, canvas.height / 64);
  const left = (canvas.width - 96 * scale) / 2, top = (canvas.height - 64 * scale) / 2;
  let number = 0;
  for (let block = 0; block < 8; block += 1) {
    const x = Math.round(left + (block * 12 + 6) * scale), y = Math.round(top + 16 * scale);
    const [red, green, blue, alpha] = context.getImageData(x, y, 1, 1).data;
    if (!alpha) return -1;
    if (red + green + blue > 384) number |= 1 << block;
  }
  return number;
}"""

_DROP = """([selector, name, data]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name, { type: "image/png" }));
  const target = document.querySelector(selector);
  target.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
}"""


def skip_without_browser() -> Any:
    """Playwright's entry; skips the module where it, the server or Chromium is missing."""
    for name in ("fastapi", "uvicorn"):
        pytest.importorskip(name, reason=f"the studio needs {name}: pip install 'kadr[studio]'")
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="needs playwright: pip install playwright"
    )
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium", allow_module_level=True)
    return playwright.sync_playwright


@contextlib.contextmanager
def studio_server(folder: Path) -> Iterator[str]:
    """The address of a studio that was started on a folder."""
    command = "import sys; from kadr.cli.main import main; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", command, "studio", str(folder), "--no-browser"],
        stdout=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": str(Path(kadr.__file__).parents[1]),
            "XDG_DATA_HOME": str(folder / "data"),
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CONFIG_HOME": str(folder / "config"),
        },
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = re.search(r"http://\S+", line)
        assert address, f"no address in {line!r}"
        yield address[0].rstrip("/")
    finally:
        process.terminate()
        process.communicate(timeout=30)


@contextlib.contextmanager
def chromium(sync_playwright: Any) -> Iterator[Any]:
    """A headless browser; as root it needs to run without its sandbox."""
    with sync_playwright() as library:
        browser = library.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def wait_until(condition: Callable[[], Any], what: str, page: Any) -> None:
    """Poll from outside: the page's content policy forbids predicates that are strings."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {PATIENCE:.0f} s"
        page.wait_for_timeout(50)


class PageDriver:
    """The page of one tab as its user sees it."""

    def __init__(self, page: Any, address: str) -> None:
        self.page = page
        self.address = address
        self.errors: list[str] = []
        page.set_default_timeout(PATIENCE * 1000)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on(
            "console",
            lambda message: (
                message.type == "error"
                and "Failed to load resource" not in message.text
                and self.errors.append(message.text)
            ),
        )

    def open(self, path: Path | None = None) -> None:
        """Show a project or clip, or the start page, and wait until its frames can be shown."""
        headers = {"X-Kadr": "1"}
        call = "open" if path else "close"
        body = {"path": str(path)} if path else {}
        reply = self.page.request.post(f"{self.address}/api/{call}", data=body, headers=headers)
        assert reply.ok or not path, reply.text()
        self.show()

    def show(self) -> None:
        """Load the page."""
        self.page.goto(self.address)
        self.page.locator(".editor:visible, .start:visible").wait_for()
        if self.page.locator(".editor").is_visible():
            self.wait(lambda: self.snapshot()["clip"], "the clip is read")

    def snapshot(self) -> dict[str, Any]:
        """What the server says."""
        reply: dict[str, Any] = self.page.request.get(f"{self.address}/api/snapshot").json()
        return reply

    def wait(self, condition: Callable[[], Any], what: str) -> None:
        """Poll until a condition holds."""
        wait_until(condition, what, self.page)

    def button(self, name: str) -> Any:
        """A button by its exact name."""
        return self.page.get_by_role("button", name=name, exact=True)

    @property
    def frame_slider(self) -> Any:
        """The slider named Frame."""
        return self.page.get_by_role("slider", name="Frame")

    def frame(self) -> int:
        """The frame that the slider says."""
        return int(self.frame_slider.input_value())

    def shown_number(self) -> int:
        """The number that the pixels of the filmed picture say."""
        number: int = self.page.locator("canvas.original").evaluate(_READ_NUMBER)
        return number

    def wait_for_frame(self, index: int) -> None:
        """Wait until slider and pixels both say a frame."""
        self.wait(lambda: self.frame() == self.shown_number() == index, f"frame {index} is shown")

    def drop(self, selector: str, name: str, data: bytes) -> None:
        """Drop a file onto an element."""
        self.page.evaluate(_DROP, [selector, name, base64.b64encode(data).decode()])

    def key(self, index: int) -> dict[str, Any]:
        """A key as the server describes it; {} if there is none."""
        keys = self.snapshot()["keys"] or []
        return next((key for key in keys if key["index"] == index), {})

    def state_count(self, state: str) -> int:
        """Frames that the server says to have a state."""
        runs = self.snapshot()["frames"]["states"]
        return sum(last - first + 1 for name, first, last in runs if name == state)


def numbered_clip(path: Path) -> Path:
    """A clip of COUNT frames that hold their own number."""
    return make_video(path, COUNT, rate=Fraction(12))


def painted(index: int, scale: int = 1) -> bytes:
    """A PNG: frame ``index`` in other colours."""
    image = 255 - picture(index, 96 * scale, 64 * scale)
    return cv2.imencode(".png", image[..., ::-1])[1].tobytes()
