"""Measures and curves in; a self-contained page with plots over time and frames to compare out.

It shares style sheet, script, plots and viewer with the report of a run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.formatting import counted, percent
from kadr.core.frames import Image
from kadr.files import atomic_file
from kadr.guides.flow import gray
from kadr.measure.change import FilmedMotion, change_map, difference_levels
from kadr.measure.curves import Curve, Curves
from kadr.measure.frames import Pair
from kadr.measure.inputs import OpenInputs
from kadr.measure.jump import relative_steps
from kadr.measure.summary import Measure
from kadr.measure.table import format_value, measure_cells
from kadr.report.document import PageCurve, html_document, html_text
from kadr.report.line_chart import (
    HEIGHT,
    TOP,
    Axis,
    Scale,
    curve_paths,
    frame_numbers_below,
    gridlines,
    key_marks,
    plot_area,
    thin_out,
)
from kadr.report.thumbnails import data_uri, thumbnail_size
from kadr.report.viewer import ViewerFrame, ViewerNames, viewer_section

_SPREAD_COUNT, _WORST_COUNT = 6, 8
"""Number of frames shown: evenly spread, and the worst of the measures."""
_HOTTEST = 48.0
"""Grey levels that the heat map shows in its last colour."""
_FACTS = ("warp", "flicker", "key_colour", "ghosting", "detail", "psnr")

_LEADS = {
    "warp": "Change from frame to frame along the filmed motion, outside occlusions.",
    "flicker": "Change where the input stands still.",
    "ghosting": "Share of the structure that the frames at the keys have, and this one has not.",
    "style_colour": "How far the levels of the colours lie from those of the nearest key.",
    "style_texture": "How far the levels of fine detail lie from those of the nearest key.",
    "key_colour": "The coarse part of the change from frame to frame; a key that shows is a peak.",
    "key_texture": "The fine part of the change from frame to frame.",
    "detail": "Standard deviation of the Laplacian: blur lowers it, noise raises it.",
    "structure": "Local correlation of output and input.",
    "jump": "Step of the output over that of the input, 1 in the middle.",
    "psnr": "Signal-to-noise ratio against the truth.",
    "ssim": "Structural similarity to the truth.",
}


def write_page(
    path: Path, measures: Mapping[str, Measure], curves: Curves, opened: OpenInputs
) -> None:
    """Write the page; reads the frames that it shows once more. Raises OutputError."""
    captions = _shown_frames(measures, len(curves))
    frames = [_viewer_frame(position, captions[position], opened) for position in sorted(captions)]
    numbers = [opened.number(position) for position in range(len(curves))]
    plotted = _plotted(curves)
    keys = [(position, numbers[position]) for position in curves.keys]
    first = "truth" if opened.truth is not None else "filmed"
    map_text = "the difference from the truth" if opened.truth is not None else "the warp error"
    names = ViewerNames(
        first,
        "output",
        f"Drag across the image; flip shows one after the other; the heat map shows {map_text}, "
        f"from black at 0 to white at {_HOTTEST:.0f} grey levels.",
    )
    name = opened.inputs.output.name or str(opened.inputs.output)
    body = "\n".join(
        [
            _header(name, measures, curves, opened),
            _notes(opened),
            _table(measures, numbers),
            viewer_section("Frames", frames, names),
            _plots(measures, plotted, numbers, keys),
            "<footer>Written by kadr measure. <code>kadr measure --json</code> prints the same "
            "values for programs.</footer>",
        ]
    )
    text = html_document(
        f"{name}: kadr measure",
        body,
        first=0,
        numbers=numbers,
        curves=[PageCurve(measures[key].label, curve) for key, (curve, _) in plotted.items()],
        keys=[
            {"index": index, "number": number, "start": 0, "stop": len(curves)}
            for index, number in keys
        ],
    )
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="replace")


def _plotted(curves: Curves) -> dict[str, tuple[Curve, Curve]]:
    """Name of a measure → its curve, and that of the input or []; without empty ones."""
    steps = relative_steps(curves.output.step, curves.filmed.step)
    plotted: dict[str, tuple[Curve, Curve]] = {
        "warp": (curves.output.warp, curves.filmed.warp),
        "flicker": (curves.output.flicker, curves.filmed.flicker),
        "key_colour": (curves.output.colour, curves.filmed.colour),
        "key_texture": (curves.output.texture, curves.filmed.texture),
        "ghosting": (curves.ghosting, []),
        "style_colour": (curves.style_colour, curves.filmed_style_colour),
        "style_texture": (curves.style_texture, curves.filmed_style_texture),
        "detail": (curves.detail, curves.filmed_detail),
        "structure": (curves.structure, []),
        "jump": (steps, []),
        "psnr": (curves.psnr, []),
        "ssim": (curves.ssim, []),
    }
    return {
        name: pair for name, pair in plotted.items() if any(value is not None for value in pair[0])
    }


def _shown_frames(measures: Mapping[str, Measure], count: int) -> dict[int, str]:
    """Position of a frame → what it is the worst of, or ""."""
    captions: dict[int, str] = {}
    for measure in measures.values():
        position = measure.worst_position
        if position is None:
            continue
        if position in captions:
            captions[position] += f", {measure.label}"
        elif len(captions) < _WORST_COUNT:
            captions[position] = f"worst {measure.label}"
    for part in range(_SPREAD_COUNT):
        captions.setdefault(int((part + 0.5) * count / _SPREAD_COUNT), "")
    return captions


def _viewer_frame(position: int, caption: str, opened: OpenInputs) -> ViewerFrame:
    pair = opened.pair(position)
    width, height = size = thumbnail_size(pair.output)
    original = pair.filmed if pair.truth is None else pair.truth
    images = {"original": data_uri(original, size), "result": data_uri(pair.output, size)}
    levels = _error_levels(position, pair, opened)
    if levels is not None:
        images["heat"] = data_uri(heat_image(levels), size)
    number = opened.number(position)
    return ViewerFrame(position, number, images, width, height, escape(caption))


def _error_levels(position: int, pair: Pair, opened: OpenInputs) -> NDArray[np.float32] | None:
    """(H, W) grey levels: difference from the truth, or else the warp error; None at a cut."""
    if pair.truth is not None:
        return difference_levels(pair.output, pair.truth)
    if position == 0:
        return None
    previous = opened.pair(position - 1)
    motion = FilmedMotion.between(gray(pair.filmed), gray(previous.filmed))
    return None if motion is None else change_map(pair.output, previous.output, motion)


def heat_image(levels: NDArray[np.float32]) -> Image:
    """(H, W) grey levels as (H, W, 3) colours: black, red, yellow, white at 48 levels and above."""
    scaled = np.clip(levels * (255 / _HOTTEST), 0, 255).astype(np.uint8)
    colours: Image = cv2.cvtColor(cv2.applyColorMap(scaled, cv2.COLORMAP_HOT), cv2.COLOR_BGR2RGB)
    return colours


def _header(name: str, measures: Mapping[str, Measure], curves: Curves, opened: OpenInputs) -> str:
    cells = "".join(
        f"<div><dt>{measures[key].label.capitalize()}</dt>"
        f"<dd>{format_value(measures[key], measures[key].mean)}"
        f"<small>{_beside(measures[key])}</small></dd></div>"
        for key in _FACTS
        if measures[key].mean is not None
    )
    info = opened.filmed.info
    return f"""<header>
<p class="over">kadr measure</p>
<h1>{html_text(name)}</h1>
<p class="soft">Beside {html_text(info.path)}: {counted(len(curves), "frame")}, \
{info.width}×{info.height}, {counted(len(curves.keys), "key")}.</p>
<dl class="facts">{cells}</dl>
</header>"""


def _beside(measure: Measure) -> str:
    if measure.beside is None:
        return ""
    return f"{measure.beside_name} {format_value(measure, measure.beside)}"


def _notes(opened: OpenInputs) -> str:
    if not opened.notices:
        return ""
    lines = "".join(f"<li>{html_text(text)}</li>" for text in opened.notices)
    return f'<ul class="notes" aria-label="Notes">{lines}</ul>'


def _table(measures: Mapping[str, Measure], numbers: Sequence[int]) -> str:
    names = ("Mean", "Worst", "Frame", "Beside it", "Ratio", "Better")
    head = '<th scope="col">Measure</th>' + "".join(
        f'<th scope="col" class="n">{name}</th>' for name in names
    )
    rows = []
    for measure in measures.values():
        label, *cells = measure_cells(measure, numbers)
        row = f'<td colspan="{len(names)}">{escape(cells[0])}</td>'
        if len(cells) == len(names):
            row = "".join(f'<td class="n">{escape(cell)}</td>' for cell in cells)
        rows.append(f'<tr><th scope="row">{label}</th>{row}</tr>')
    return f"""<section>
<h2>Measures</h2>
<p class="lead">Values without a unit are grey levels of 255, or shares. No single one is enough:
freezing lowers flicker, blurring lowers the warp error, noise raises detail.</p>
<div class="scroll"><table><thead><tr>{head}</tr></thead>
<tbody>{"".join(rows)}</tbody></table></div>
</section>"""


def _plots(
    measures: Mapping[str, Measure],
    plotted: Mapping[str, tuple[Curve, Curve]],
    numbers: Sequence[int],
    keys: Sequence[tuple[int, int]],
) -> str:
    stroke = '<svg width="26" height="12" aria-hidden="true"><line x1="0" x2="26" y1="6" y2="6"'
    plots = "".join(
        f'<h3>{measures[name].label.capitalize()}</h3><p class="soft">{_LEADS[name]}</p>'
        f'<div class="plot">{plot_svg(measures[name], *pair, numbers, keys)}'
        '<div class="pointer" hidden></div>'
        f'<input type="range" min="0" max="{len(numbers) - 1}" value="0" step="1" hidden '
        'aria-label="Frame whose values are shown"></div>'
        for name, pair in plotted.items()
    )
    return f"""<section>
<h2>Over time</h2>
<p class="readout stays" aria-live="polite"></p>
<ul class="legend"><li>{stroke} class="measured"/></svg>output</li>
<li>{stroke} class="predicted"/></svg>input</li>
<li>{stroke} class="key"/></svg>keyframe</li></ul>
{plots}
</section>"""


def plot_svg(
    measure: Measure,
    curve: Curve,
    beside: Curve,
    numbers: Sequence[int],
    keys: Sequence[tuple[int, int]],
) -> str:
    """An SVG of a curve over the frames, with that of the input (dashed) and the keyframes.

    numbers: of all frames. keys: (position, number).
    """
    axis = Axis(0, len(numbers))
    values = [value for value in (*curve, *beside) if value is not None]
    scale = Scale.of(min(values), max(values))
    pick: Callable[[Sequence[float]], float] = max if measure.better == "lower" else min
    output, filmed = thin_out(curve, pick), thin_out(beside, pick)
    paths = [
        *curve_paths(filmed, scale, "predicted"),
        *curve_paths(output, scale, "measured", area=scale.bottom == 0),
    ]
    parts = [
        *gridlines(scale, lambda tick: _tick(measure, tick)),
        plot_area(len(output), paths),
        *key_marks(keys, axis),
        *frame_numbers_below(numbers, axis),
    ]
    text = f"{measure.label} of each frame, {numbers[0]} to {numbers[-1]}"
    if measure.worst_position is not None:
        text += (
            f": on average {format_value(measure, measure.mean)}, at worst "
            f"{format_value(measure, measure.worst)} at frame {numbers[measure.worst_position]}"
        )
    return (
        f'<svg class="chart" role="img" width="100%" height="{TOP + HEIGHT + 26}" '
        f'aria-label="{escape(text)}">{"".join(parts)}</svg>'
    )


def _tick(measure: Measure, tick: float) -> str:
    return percent(tick) if measure.name == "ghosting" else f"{tick:.3g}"
