"""The page shows the frame that it says, to everybody, by mouse and by keys."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from page_driver import (
    COUNT,
    PageDriver,
    chromium,
    numbered_clip,
    skip_without_browser,
    studio_server,
)

import kadr
from kadr.project.layers import add_layer

sync_playwright = skip_without_browser()

_WILD_DRAG = """async ([selector, positions]) => {
  const target = document.querySelector(selector), box = target.getBoundingClientRect();
  const send = (type, share) => target.dispatchEvent(new PointerEvent(type, {
    pointerId: 1, isPrimary: true, button: 0, buttons: 1, bubbles: true, cancelable: true,
    clientX: box.left + share * box.width, clientY: box.top + 8 }));
  target.setPointerCapture = () => {};
  send("pointerdown", positions[0]);
  for (const share of positions) {
    send("pointermove", share);
    await new Promise((resolve) => setTimeout(resolve, 4));
  }
  send("pointerup", positions[positions.length - 1]);
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("studio")
    clip = numbered_clip(folder / "shot.mp4")
    with studio_server(folder) as address:
        yield address, clip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium(sync_playwright) as browser:
        yield browser


@pytest.fixture
def driver(address: tuple[str, Path], browser: Any) -> Iterator[PageDriver]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    driver = PageDriver(context.new_page(), address[0])
    driver.open(address[1])
    driver.wait_for_frame(0)
    yield driver
    context.close()
    assert driver.errors == []


def test_the_page_stays_small() -> None:
    root = Path(kadr.__file__).parent
    files = [*(root / "studio" / "static").iterdir(), *(root / "report" / "shared").iterdir()]
    assert sum(path.stat().st_size for path in files) < 150_000


def test_pixels_say_the_frame_after_clicks_and_wild_drags(driver: PageDriver) -> None:
    lanes = driver.page.locator("canvas.lanes")
    width = lanes.bounding_box()["width"]
    driver.page.get_by_label("Frame number").click()
    for index in (31, 3, 17):
        lanes.click(position={"x": (index + 0.5) / COUNT * width, "y": 8})
        driver.wait_for_frame(index)
    driver.page.keyboard.press("ArrowRight")  # the field that was clicked first has let go
    driver.wait_for_frame(18)
    rng = random.Random(5)
    positions = [rng.uniform(-0.2, 1.2) for _ in range(200)]
    for selector, last in (("canvas.lanes", 0.333), ("canvas.overview", 0.777)):
        driver.page.evaluate(_WILD_DRAG, [selector, [*positions, last]])
        driver.wait_for_frame(int(last * COUNT))


def test_ten_tabs_follow_one_edit(driver: PageDriver) -> None:
    context = driver.page.context
    tabs = [PageDriver(context.new_page(), driver.address) for _ in range(9)]
    for position, tab in enumerate(tabs):
        tab.page.goto(
            f"{driver.address}#project={driver.snapshot()['project']['name']}&frame={position}"
        )
        tab.wait_for_frame(position)
    driver.frame_slider.fill("20")
    driver.page.locator("body").press("Enter")
    for tab in (driver, *tabs):
        tab.page.get_by_text("waits for paint").first.wait_for()
        assert tab.errors == []
    driver.page.keyboard.press("Control+z")
    for tab in tabs:
        tab.wait(lambda tab=tab: tab.page.get_by_text("waits for paint").count() == 0, "undone")
        tab.page.close()


def test_everything_works_by_keyboard(driver: PageDriver) -> None:
    page, press = driver.page, driver.page.keyboard.press
    steps = {"End": COUNT - 1, "Home": 0, "ArrowRight": 1, "Shift+ArrowRight": 13, "ArrowLeft": 12}
    for keys, index in steps.items():
        press(keys)
        driver.wait_for_frame(index)
    press("Enter")
    page.get_by_text("waits for paint").first.wait_for()
    press("ArrowRight")
    press("ArrowRight")
    press("o")
    driver.wait(lambda: driver.key(12)["last"] == 14, "O ends its range")
    press("ArrowUp")
    driver.wait_for_frame(12)
    press("b")
    assert page.locator(".compare").get_attribute("data-mode") == "flip"
    press("?")
    page.get_by_role("dialog").get_by_text("next frame worth painting").wait_for()
    press("Escape")
    press("Control+z")
    press("Control+z")
    driver.wait(lambda: not driver.key(12), "undo twice")
    # every control can be reached by Tab, and has a name
    names = _names_by_tab(driver)
    wanted = {"Run", "Preview", "Frame", "Frame number", "Play", "Suggest keys", "Keys"}
    assert wanted <= names, wanted - names
    assert "" not in names


def test_layers_are_ordered_hidden_and_masked(driver: PageDriver, tmp_path: Path) -> None:
    root = kadr.new_project(numbered_clip(tmp_path / "two.mp4"), (), tmp_path / "two.kadr").root
    for name in ("room", "person"):
        add_layer(kadr.open_project(root), name)
    driver.open(root)
    page = driver.page
    page.get_by_role("tab", name="Layers").click()
    driver.button("Move room up").click()
    driver.wait(lambda: _layers(driver, "name") == ["person", "room"], "the order")
    page.get_by_label("person", exact=True).uncheck()
    driver.wait(lambda: _layers(driver, "visible") == [False, True], "one is hidden")
    page.get_by_label("Mask of room").fill("mask.png")
    page.get_by_label("Mask of room").press("Tab")
    driver.wait(lambda: _layers(driver, "mask") == [None, "mask.png"], "a mask")
    page.get_by_label("room", exact=True).uncheck()
    page.get_by_role("alert").get_by_text("no layer is shown").wait_for()


def _layers(driver: PageDriver, name: str) -> list[Any]:
    return [layer[name] for layer in driver.snapshot()["layers"]]


def _names_by_tab(driver: PageDriver) -> set[str]:
    """The names of the elements that Tab reaches from the top of the page."""
    describe = """() => {
      const element = document.activeElement;
      if (!element || element === document.body) return null;
      const label = element.labels && element.labels[0];
      const text = (label && label.textContent) || element.textContent;
      return (element.getAttribute("aria-label") || text).trim();
    }"""
    driver.page.evaluate("() => document.activeElement.blur()")
    names = set()
    for _ in range(80):
        driver.page.keyboard.press("Tab")
        name = driver.page.evaluate(describe)
        if name is None:
            break
        names.add(name)
    return names


@pytest.mark.parametrize("width", [1280, 360])
def test_no_serious_fault_of_accessibility(driver: PageDriver, width: int) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="needs axe-playwright-python"
    )
    page = driver.page
    page.set_viewport_size({"width": width, "height": 800})
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for tab in ("Keys", "Style") if width == 360 else ("Keys", "Layers", "Style", "Output"):
            page.get_by_role("tab", name=tab).click()
            page.wait_for_timeout(200)  # colours change smoothly
            assert _serious(axe.Axe().run(page)) == [], f"{tab}, {scheme}"
    overflow = page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
    assert overflow <= 0, "the page is wider than the window"


def test_the_start_page_is_accessible(driver: PageDriver) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="needs axe-playwright-python"
    )
    driver.open(None)
    for scheme in ("light", "dark"):
        driver.page.emulate_media(color_scheme=scheme)
        driver.page.wait_for_timeout(200)
        assert _serious(axe.Axe().run(driver.page)) == [], scheme


def _serious(results: Any) -> list[str]:
    """Findings of axe that are serious or critical, with the first element of each."""
    return [
        f"{item['id']}: {item['nodes'][0]['html'][:160]} {item['nodes'][0]['failureSummary'][:200]}"
        for item in results.response["violations"]
        if item["impact"] in ("serious", "critical")
    ]
