"""Files in, measures and a page out; and inputs that do not belong together."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from measure_samples import HALF, HEIGHT, WIDTH, clean_frames, filmed_frames, paint_frames, shifted

from kadr.core.events import CancelToken, Event, follow
from kadr.core.frames import Frame, FrameRange, Image
from kadr.errors import Cancelled, InputError, OutputError
from kadr.image_files import write_image
from kadr.measure import MeasureInputs, Measurement, measure_output
from kadr.measure.page import heat_image
from kadr.video.clip_source import ClipSource
from kadr.video.clips import create_clip
from scenes import write_sequence

COUNT = 6
CLEAN = clean_frames()[:COUNT]
FILMED, PAINTED = filmed_frames(CLEAN), paint_frames(CLEAN)
BRIGHT = [shifted(image, 9 * (index == 4), slice(0, HALF)) for index, image in enumerate(PAINTED)]


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Film from frame 7 on, the same painted and painted wrong, and two keys."""
    write_sequence(tmp_path / "film", FILMED, 7)
    write_sequence(tmp_path / "truth", PAINTED, 7)
    write_sequence(tmp_path / "out", BRIGHT, 7)
    for index in (0, 5):
        write_image(tmp_path / "keys" / f"{index + 7}.png", PAINTED[index])
    return tmp_path


def _inputs(root: Path, output: str = "out", **changes: object) -> MeasureInputs:
    values = {"clip": ClipSource(str(root / "film")), "output": root / output} | changes
    return MeasureInputs(**values)  # type: ignore[arg-type]


def _run(inputs: MeasureInputs, page: Path | None = None) -> tuple[Measurement, list[str]]:
    events: list[Event] = []
    result = follow(measure_output(inputs, page=page), events.append)
    assert events[-1].index in (COUNT, 0)
    return result, [event.message for event in events if event.message]


def _refused(inputs: MeasureInputs) -> str:
    with pytest.raises(InputError) as caught:
        follow(measure_output(inputs))
    return str(caught.value)


def test_folders_give_all_measures(folders: Path) -> None:
    inputs = _inputs(folders, keys=(folders / "keys",), truth=folders / "truth")
    result, notices = _run(inputs)
    assert notices == []
    assert result.numbers == (7, 8, 9, 10, 11, 12)
    assert [measure.missing for measure in result.measures.values()] == [""] * 12
    worst = result.measures["psnr"]
    assert worst.worst_position == 4
    assert worst.worst == pytest.approx(20 * np.log10(255 / (9 * 0.5**0.5)), abs=0.2)
    assert list(result.curves.keys) == [0, 5]


def test_a_video_of_odd_size_is_cut_to_the_film(folders: Path) -> None:
    odd = [image[:-1, :-1] for image in FILMED]
    write_sequence(folders / "odd", odd)
    with create_clip(folders / "odd.mp4", like=None) as writer:
        for index, image in enumerate(odd):
            writer.write(Frame(index, np.ascontiguousarray(image)))
    result, _ = _run(_inputs(folders, "odd.mp4", clip=ClipSource(str(folders / "odd"))))
    assert result.curves.pixels == (HEIGHT - 1) * (WIDTH - 1)


def test_a_part_of_the_clip(folders: Path) -> None:
    write_sequence(folders / "part", PAINTED[2:5], 9)
    inputs = _inputs(folders, "part", frames=FrameRange(2, 5), keys=(folders / "keys",))
    events: list[Event] = []
    result = follow(measure_output(inputs), events.append)
    assert result.numbers == (9, 10, 11)
    assert "2 keys outside of the measured frames" in events[0].message
    assert result.measures["style_colour"].missing == "needs keys"


def test_images_of_a_video_may_be_numbered_from_one(folders: Path) -> None:
    with create_clip(folders / "film.mp4", like=None) as writer:
        for index, image in enumerate(FILMED):
            writer.write(Frame(index, image))
    _, notices = _run(_inputs(folders, clip=ClipSource(str(folders / "film.mp4"))))
    assert len(notices) == 1
    assert "numbered 7 to 12; taken as frames 0 to 5" in notices[0]


@pytest.mark.parametrize("place", ["output", "truth"])
def test_clips_that_do_not_belong_together_are_refused_and_both_named(
    folders: Path, place: str
) -> None:
    def refused(images: list[Image], first: int, name: str) -> str:
        path = write_sequence(folders / name, images, first)
        line = _refused(_inputs(folders, **{place: path}))
        assert str(path) in line
        assert str(folders / "film") in line
        return line

    assert "5 frames" in refused(PAINTED[:5], 7, "short")
    small = [image[:, :80] for image in PAINTED]
    assert f"80×{HEIGHT} pixels" in refused(small, 7, "small")
    line = refused(PAINTED, 8, "renumbered")
    assert "image 1 of it is frame_00008" in line
    assert "frame_00007" in line


def test_keys_of_other_frames_are_refused(folders: Path) -> None:
    write_image(folders / "keys" / "40.png", PAINTED[0])
    assert "the clip has no frame 40" in _refused(_inputs(folders, keys=(folders / "keys",)))


def test_keys_of_another_size_are_resized_with_a_notice(folders: Path) -> None:
    small = cv2.resize(PAINTED[0], (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)
    write_image(folders / "keys" / "7.png", small)
    _, notices = _run(_inputs(folders, keys=(folders / "keys",)))
    assert len(notices) == 1
    assert f"7.png: resized to the {WIDTH}×{HEIGHT} pixels of the clip" in notices[0]


def test_a_cancelled_measurement_writes_nothing(folders: Path) -> None:
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        follow(measure_output(_inputs(folders), page=folders / "m.html", cancel=cancel))
    assert not (folders / "m.html").exists()


def test_a_page_replaces_nothing_unasked(folders: Path) -> None:
    page = folders / "m.html"
    page.write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="exists already; use --overwrite"):
        follow(measure_output(_inputs(folders), page=page))
    with pytest.raises(OutputError, match="expected the name of a page"):
        follow(measure_output(_inputs(folders), page=folders / "m.png"))
    assert page.read_text(encoding="utf-8") == "mine"
    follow(measure_output(_inputs(folders), page=page, overwrite=True))
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


class _Elements(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))


def test_the_page_holds_plots_and_frames_to_compare(folders: Path) -> None:
    page = folders / "m.html"
    _run(_inputs(folders, keys=(folders / "keys",), truth=folders / "truth"), page)
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"https?://|@import|url\(|\bfetch\(", text)
    elements = _Elements(text).elements
    sources = [str(a["src"]) for tag, a in elements if tag == "img" and "src" in a]
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert len(sources) == 3 * COUNT, "truth, output and heat map of each frame"
    modes = [a["data-mode"] for tag, a in elements if tag == "button" and "data-mode" in a]
    assert modes == ["slider", "flip", "heat"]
    charts = [str(a["aria-label"]) for tag, a in elements if tag == "svg" and a.get("role")]
    assert len(charts) == 12
    assert "at frame 11" in next(label for label in charts if label.startswith("PSNR"))
    match = re.search(r'<script id="report-data" type="application/json">(.*?)</script>', text)
    assert match is not None
    data = json.loads(match[1])
    assert data["numbers"] == list(range(7, 13))
    assert {curve["label"] for curve in data["curves"]} >= {"warp error", "ghosting", "SSIM"}
    assert all(len(curve["values"]) == COUNT for curve in data["curves"])


def test_the_heat_map_shows_where_the_output_is_wrong(folders: Path) -> None:
    page = folders / "m.html"
    _run(_inputs(folders, truth=folders / "truth"), page)
    elements = _Elements(page.read_text(encoding="utf-8")).elements
    heat = [a for tag, a in elements if tag == "img" and a.get("alt") == "Frame 11, heat map"]
    data = base64.b64decode(str(heat[0]["src"]).split(",")[1])
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert image[: HALF - 8].mean() > 20, "nine levels brighter"
    assert image[HALF + 8 :].max() < 8, "as it should be"


def test_heat_goes_from_black_to_white() -> None:
    colours = heat_image(np.array([[0, 12, 24, 48, 99]], np.float32))[0].astype(int)
    assert colours[0].tolist() == [0, 0, 0]
    assert colours[-1].tolist() == colours[-2].tolist() == [255, 255, 255]
    assert np.all(np.diff(colours.sum(axis=1))[:3] > 0)
