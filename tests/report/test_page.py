from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from report_samples import make_record

from kadr.core.frames import Image
from kadr.errors import InputError
from kadr.report.page import write_report
from kadr.report.record import KeyRecord, read_record
from kadr.report.tables import stages_table

_VOID = {"meta", "img", "input", "br"}
_WITH_ADDRESSES = {"src", "href", "srcset", "data", "action", "poster", "xlink:href"}


class _Page(HTMLParser):
    """Elements of a page with their attributes and text; fails on tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attributes}))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attributes}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in self._open:
            self.texts.setdefault(tag, []).append(data)

    def all(self, tag: str, kind: str = "") -> Iterator[dict[str, str]]:
        for name, attributes in self.elements:
            if name == tag and (not kind or kind in attributes.get("class", "").split()):
                yield attributes

    def text(self, tag: str) -> str:
        return " ".join("".join(self.texts.get(tag, [])).split())


def _flat(value: int, size: tuple[int, int] = (320, 180), channels: int = 3) -> Image:
    return np.full((size[1], size[0], channels), value, np.uint8)


def _report(folder: Path, **changes: Any) -> tuple[_Page, str]:
    """Original frames have brightness 40 + index, results 140 + index."""
    record = make_record(**changes)
    path = write_report(
        record, folder, lambda index: _flat(40 + index), lambda index: _flat(140 + index)
    )
    assert path == folder / "report.html"
    text = path.read_text(encoding="utf-8")
    return _Page(text), text


def _pixels(uri: str) -> Image:
    data = base64.b64decode(uri.removeprefix("data:image/jpeg;base64,"))
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return image.astype(np.uint8)


def test_the_page_loads_nothing(tmp_path: Path) -> None:
    page, text = _report(tmp_path)
    for _, attributes in page.elements:
        for name in _WITH_ADDRESSES & attributes.keys():
            assert attributes[name].startswith("data:image/jpeg;base64,")
    assert not re.search(r"https?://|@import|url\(|\bfetch\(", text)
    policy = next(a["content"] for a in page.all("meta") if "http-equiv" in a)
    assert policy.startswith("default-src 'none'")


def test_the_record_is_in_the_same_folder(tmp_path: Path) -> None:
    _report(tmp_path)
    assert read_record(tmp_path / "report.json") == make_record()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json"]


def test_images_show_originals_and_results(tmp_path: Path) -> None:
    page, _ = _report(tmp_path)
    images = [a for a in page.all("img") if "src" in a and "width" in a]
    assert len(images) == 2 * (8 + 6)
    for attributes in images:
        match = re.fullmatch(r"Frame (\d+), (original|result)", attributes["alt"])
        assert match is not None
        index, start = int(match[1]) - 1001, 40 if match[2] == "original" else 140
        image = _pixels(attributes["src"])
        assert image.shape == (180, 320, 3)
        assert abs(float(image.mean()) - (start + index)) <= 1


def test_worst_frames_come_first_and_are_marked_on_the_curve(tmp_path: Path) -> None:
    page, text = _report(tmp_path)
    worst = text.split("<h2>Worst frames</h2>")[1]
    assert re.findall(r'data-index="(\d+)"', worst)[0] == "33"
    rings = [a for a in page.all("circle", "ring") if a["cx"].endswith("%")]
    assert len(rings) == 6
    highest = min(rings, key=lambda a: float(a["cy"]))
    assert highest["cx"] == f"{33.5 / 48 * 100:.3f}%"


def test_large_and_transparent_frames_become_small_opaque_images(tmp_path: Path) -> None:
    transparent = _flat(200, (600, 1200), channels=4)
    transparent[..., 3] = 0
    path = write_report(
        make_record(), tmp_path, lambda index: transparent, lambda index: transparent
    )
    page = _Page(path.read_text(encoding="utf-8"))
    image = _pixels(next(a["src"] for a in page.all("img", "result") if "src" in a))
    assert image.shape == (480, 240, 3)
    levels = np.sort(np.unique(image))
    assert levels[0] > 95
    assert levels[-1] < 145  # the checkerboard, nothing of the transparent image


def test_frames_are_fetched_once_and_in_order(tmp_path: Path) -> None:
    original_indices: list[int] = []
    result_indices: list[int] = []

    def get_original(index: int) -> Image:
        original_indices.append(index)
        return _flat(9)

    def get_result(index: int) -> Image:
        result_indices.append(index)
        return _flat(9)

    record = make_record(measured=tuple(0.1 if index < 30 else None for index in range(48)))
    write_report(record, tmp_path, get_original, get_result)
    assert original_indices == sorted(set(original_indices))
    assert result_indices == sorted(set(result_indices))
    assert max(result_indices) < 30  # the other results do not exist
    assert 33 in original_indices  # to be painted next


def test_a_frame_that_cannot_be_read_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def get_result(index: int) -> Image:
        if index == 33:
            raise InputError("frame_00033.png: not an image")
        return _flat(9)

    with caplog.at_level(logging.WARNING, "kadr"):
        path = write_report(make_record(), tmp_path, lambda index: _flat(7), get_result)
    assert ["frame_00033.png" in entry.getMessage() for entry in caplog.records] == [True]
    page = _Page(path.read_text(encoding="utf-8"))
    alts = [a.get("alt") for a in page.all("img")]
    assert "Frame 1034, original" in alts
    assert "Frame 1034, result" not in alts


@pytest.mark.parametrize("nasty", ["</script><b>x", '"><img src=x>', "a & b <clip>.mp4"])
def test_names_cannot_become_part_of_the_page(nasty: str, tmp_path: Path) -> None:
    plain, _ = _report(tmp_path / "plain", output="x", notes=("x",), options={"x": "x"})
    page, text = _report(tmp_path / "nasty", output=nasty, notes=(nasty,), options={nasty: nasty})
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in plain.elements]
    assert nasty not in text
    assert nasty in page.text("ul")


def test_what_would_turn_or_break_text_is_escaped(tmp_path: Path) -> None:
    name = "a\u202egpj\nb"
    clip = replace(make_record().clip, path=name)
    page, text = _report(tmp_path, clip=clip, notes=(f"{name}: odd",), output=name)
    assert "\u202e" not in text
    assert r"a\u202egpj\nb" in page.text("h1")
    assert r"a\u202egpj\nb: odd" in page.text("li")


def test_the_script_gets_its_data(tmp_path: Path) -> None:
    page, text = _report(tmp_path, count=12, first=5)
    match = re.search(r'<script id="report-data" type="application/json">(.*?)</script>', text)
    assert match is not None
    data = json.loads(match[1])
    assert data["first"] == 5
    assert data["numbers"] == list(range(1006, 1018))
    assert data["keys"][1] == {"index": 8, "number": 1009, "start": 5, "stop": 11}
    slider = next(a for a in page.all("input") if a["max"] == "11")
    assert slider["aria-label"]


def test_everything_has_a_text_alternative(tmp_path: Path) -> None:
    page, _ = _report(tmp_path)
    for attributes in page.all("img"):
        assert "alt" in attributes
    for attributes in page.all("input"):
        assert attributes["aria-label"]
    charts = [a["aria-label"] for a in page.all("svg") if a.get("role") == "img"]
    assert "keyframes at 1001, 1013, 1025" in charts[0]
    assert "frame 1034" in charts[0]
    assert charts[1] == (
        "keyframe 1001 styles 1001–1012; keyframe 1013 styles 1001–1024; "
        "keyframe 1025 styles 1025–1048"
    )


def test_the_page_contains_tables_and_notes(tmp_path: Path) -> None:
    page, text = _report(tmp_path)
    body = page.text("body")
    assert "Paint frame 1034 next." in body
    assert "work file 12: damaged, made again" in body
    assert "1 min 24 s" in body
    assert "propagate: video weight" in body
    assert "3 February 2025, 04:05" in body
    assert "walk <1>.mp4" in page.text("h1")
    assert text.count("<tr>") == 1 + 3 + 1 + 2 + 1 + 4 + 1 + 1


def test_the_page_of_a_stopped_run(tmp_path: Path) -> None:
    measured = tuple(None if 10 <= index < 20 else 0.1 for index in range(48))
    page, _ = _report(tmp_path, measured=measured, finished=False, next_key=None)
    assert "Stopped: 38 of 48 frames rendered." in page.text("header")
    gap = next(page.all("rect", "missing"))
    assert (gap["x"], gap["width"]) == (f"{10 / 48 * 100:.3f}%", f"{10 / 48 * 100:.3f}%")
    assert len(list(page.all("path", "measured"))) == 2


def test_a_run_without_rendered_frames_has_a_report(tmp_path: Path) -> None:
    page, _ = _report(tmp_path, measured=(None,) * 48, predicted=None, steps=(), finished=False)
    assert "no frame is rendered yet" in next(a["aria-label"] for a in page.all("svg"))
    assert "Worst frames" not in page.text("h2")


def test_one_frame_is_enough(tmp_path: Path) -> None:
    key = KeyRecord(0, 1001, 0, 1)
    page, _ = _report(tmp_path, count=1, keys=(key,), shots=(), predicted=(0.0,), next_key=None)
    assert "1001–1001" in page.text("td")


def test_stages_stand_by_step_the_longest_first() -> None:
    page = _Page(stages_table(make_record()))
    assert page.text("tbody") == (
        "propagate: search30.00 s750.0 ms propagate: flow8.00 s200.0 ms "
        "propagate: rest1.50 s37.5 ms other: workers0.25 s–"
    ).replace(" propagate", "propagate").replace(" other", "other")
    assert "39.8 s together" in page.text("p")
    assert stages_table(make_record(stages=())) == ""


def test_the_page_shows_the_stages(tmp_path: Path) -> None:
    _, text = _report(tmp_path)
    assert stages_table(make_record()) in text


def test_the_viewer_has_a_slider_and_a_flip_but_no_heat_map(tmp_path: Path) -> None:
    page, _ = _report(tmp_path)
    assert [a["data-mode"] for a in page.all("button") if "data-mode" in a] == ["slider", "flip"]
    assert not list(page.all("img", "heat"))


def test_workers_are_listed_with_the_frames_that_they_made(tmp_path: Path) -> None:
    _, text = _report(tmp_path)
    assert "Executor: ray" in text
    row = text[text.index("process 12 on &lt;host&gt;") :].partition("</tr>")[0]
    assert '<td class="n">25</td>' in row
    assert "1001–1001, 1025–1048" in row
