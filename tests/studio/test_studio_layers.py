"""Layers on the page: their order, mask and whether they are shown, checked as everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from studio_samples import Page, make_project, open_page, picture, png

from kadr import open_project
from kadr.project.layers import add_layer


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("layers")
    root = make_project(folder)
    for name in ("ground", "figure"):
        add_layer(open_project(root), name)
        (root / "keys" / name / "00002.png").write_bytes(png(255 - picture(2)))
    (root / "mask.png").write_bytes(png(np.full((48, 64, 3), 255, np.uint8)))
    with open_page(folder, root) as opened:
        opened.root = root
        yield opened


def _layers(page: Page) -> list[dict[str, Any]]:
    layers: list[dict[str, Any]] = page.snapshot()["layers"]
    return layers


def test_layers_are_ordered_hidden_and_masked(page: Page) -> None:
    before = open_project(page.root).text
    assert [(layer["name"], layer["visible"]) for layer in _layers(page)] == [
        ("ground", True),
        ("figure", True),
    ]
    assert Path(_layers(page)[1]["keys_path"]) == page.root / "keys" / "figure"
    assert page.edit("PUT", "/api/layers/order", names=["figure", "ground"]).status_code == 200
    assert [layer["name"] for layer in _layers(page)] == ["figure", "ground"]
    values = {"show": False, "mask.mask": "mask.png"}
    assert page.edit("PATCH", "/api/layers", name="figure", values=values).status_code == 200
    assert (_layers(page)[0]["visible"], _layers(page)[0]["mask"]) == (False, "mask.png")
    project = open_project(page.root)
    assert [layer.layer for layer in project.visible_layers] == ["ground"]
    for _ in range(2):
        assert page.edit("POST", "/api/undo").status_code == 200
    assert open_project(page.root).text == before


def test_a_layer_that_is_not_shown_is_not_made(page: Page) -> None:
    assert page.edit("PATCH", "/api/layers", name="figure", values={"show": False}).is_success
    assert page.do("run")["error"] is None
    assert (page.root / "out" / "layers" / "ground").is_dir()
    assert not (page.root / "out" / "layers" / "figure").exists()
    assert page.edit("PATCH", "/api/layers", name="figure", values={"show": None}).is_success
    states = {"stale", "not-made"}
    page.wait(lambda state: states & {name for name, _, _ in state["frames"]["states"]})


@pytest.mark.parametrize(
    ("method", "path", "body", "message"),
    [
        ("PUT", "/api/layers/order", {"names": ["ground"]}, "figure is missing"),
        ("PUT", "/api/layers/order", {"names": ["ground", "sky"]}, "layer-order: unknown 'sky'"),
        ("PATCH", "/api/layers", {"name": "sky", "values": {"show": False}}, "unknown 'sky'"),
        ("PATCH", "/api/layers", {"name": "figure", "values": {"show": 3}}, "show 3: expected"),
        ("PATCH", "/api/layers", {"name": "figure", "values": {"name": "x"}}, "expected some of"),
        ("PATCH", "/api/layers", {"name": "figure", "values": {"mask.mask": 3}}, "a path"),
    ],
)
def test_what_cannot_be_is_refused(
    page: Page, method: str, path: str, body: dict[str, Any], message: str
) -> None:
    before = open_project(page.root).text
    response = page.edit(method, path, **body)
    assert response.status_code == 422
    assert message in response.json()["error"]["message"]
    assert open_project(page.root).text == before


def test_one_layer_stays_shown(page: Page) -> None:
    assert page.edit("PATCH", "/api/layers", name="ground", values={"show": False}).is_success
    response = page.edit("PATCH", "/api/layers", name="figure", values={"show": False})
    assert "no layer is shown; show one at least" in response.json()["error"]["message"]
    assert page.edit("POST", "/api/undo").is_success
