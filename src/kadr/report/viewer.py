"""Images of frames in; a viewer that compares two of them, and lists of them, out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ViewerFrame:
    """One frame: its images as data URIs of one size, and a caption.

    images: "original" and "result", and "heat" if there is a heat map. caption: HTML.
    """

    index: int
    number: int
    images: Mapping[str, str]
    width: int
    height: int
    caption: str


@dataclass(frozen=True)
class ViewerNames:
    """What the two images are called, and a line above them (HTML)."""

    original: str = "original"
    result: str = "result"
    lead: str = "Drag across the image to compare; flip shows one after the other."

    def name(self, image: str) -> str:
        """What an image is called."""
        names = {"original": self.original, "result": self.result, "heat": "heat map"}
        return names[image]


def viewer_section(
    heading: str, frames: Sequence[ViewerFrame], names: ViewerNames = ViewerNames()
) -> str:
    """A section with a large viewer and a strip of frames to choose from; "" without frames."""
    if not frames:
        return ""
    ratio = f"--ratio:{frames[0].width / frames[0].height:.4f}"
    modes = ["slider", "flip", *(["heat"] if any("heat" in f.images for f in frames) else [])]
    labels = {"slider": "Slider", "flip": "Flip", "heat": "Heat map"}
    buttons = "".join(
        f'<button type="button" data-mode="{mode}" aria-pressed="{str(mode == "slider").lower()}">'
        f"{labels[mode]}</button>"
        for mode in modes
    )
    heat = '<img class="heat" alt="" hidden>' if "heat" in modes else ""
    items = "".join(frame_item(frame, names) for frame in frames)
    return f"""<section>
<h2>{heading}</h2>
<p class="lead">{names.lead}</p>
<div class="look" style="{ratio}"><div class="viewer">
<div class="modes" role="group" aria-label="Way to compare">{buttons}</div>
<div class="compare" data-mode="slider">
<img class="result" alt=""><img class="original" alt="">{heat}<span class="edge"></span>
<span class="side left">{names.original}</span><span class="side right">{names.result}</span>
<input type="range" min="0" max="100" step="0.5" value="50"
 aria-label="Part of the {names.original} frame that is shown, in per cent">
</div><p class="soft" aria-live="polite"></p></div>
<ol class="pairs strip">{items}</ol></div>
</section>"""


def frame_item(frame: ViewerFrame, names: ViewerNames = ViewerNames()) -> str:
    """The images of a frame, side by side; a click shows them in the viewer."""
    sides = [
        f'<img class="{name}" src="{data_uri}" alt="Frame {frame.number}, {names.name(name)}" '
        f'width="{frame.width}" height="{frame.height}">'
        for name, data_uri in frame.images.items()
    ]
    layout = {1: " single", 3: " triple"}.get(len(sides), "")
    return (
        f'<li><button type="button" data-index="{frame.index}" aria-pressed="false">'
        f'<span class="images{layout}">{"".join(sides)}</span>'
        f'<span class="caption"><b>{frame.number}</b> {frame.caption}</span>'
        "</button></li>"
    )
