"""From a clip to a finished film on the page, as its user does it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from page_driver import (
    COUNT,
    PageDriver,
    chromium,
    numbered_clip,
    painted,
    skip_without_browser,
    studio_server,
)

sync_playwright = skip_without_browser()


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[PageDriver]:
    numbered_clip(tmp_path / "shot.mp4")
    with studio_server(tmp_path) as address, chromium(sync_playwright) as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        yield PageDriver(page, address)


def test_a_clip_becomes_a_film(driver: PageDriver) -> None:
    _open_by_path(driver)
    _accept_a_suggestion(driver)
    _drop_painted_keys(driver)
    _drag_the_range(driver)
    _preview(driver)
    _run_stop_and_run_again(driver)
    _compare_takes(driver)
    _export(driver)
    assert driver.errors == []


def _open_by_path(driver: PageDriver) -> None:
    driver.show()
    page = driver.page
    page.get_by_text("shot.mp4").first.wait_for()  # it is offered, too
    path = page.locator(".project:visible span", has_text="shot.mp4").first.inner_text()
    page.get_by_label("Path on this machine").fill(path)
    driver.button("Open").click()
    driver.page.locator(".editor").wait_for()
    driver.wait(lambda: driver.snapshot()["clip"], "the clip is read")
    driver.wait_for_frame(0)


def _accept_a_suggestion(driver: PageDriver) -> None:
    driver.page.get_by_label("at most").fill("2")
    driver.page.locator(".panel-body").get_by_role("button", name="Suggest keys").click()
    driver.page.get_by_role("button", name="Accept suggested key").first.click()
    driver.wait(lambda: driver.snapshot()["keys"], "the suggestion is a key")
    (key,) = driver.snapshot()["keys"]
    assert key["state"] == "to-paint"
    driver.page.get_by_text("waits for paint").first.wait_for()
    driver.button("Undo").click()
    driver.wait(lambda: not driver.snapshot()["keys"], "undo removes it")


def _drop_painted_keys(driver: PageDriver) -> None:
    # a number in the name tells the frame; a wrong size is explained beside it and can be mended
    driver.drop("body", "painted_00010.png", painted(10))
    driver.wait(lambda: driver.key(10).get("state") == "painted", "key 10")
    driver.drop("body", "notes.png", b"no picture")
    driver.page.get_by_role("alert").filter(has_text="notes.png").wait_for()
    driver.page.get_by_role("alert").get_by_role("button", name="Dismiss").first.click()
    driver.drop("body", "painted_00030.png", painted(30, scale=2))
    remedy = driver.page.get_by_role("alert").get_by_role("button", name="Resize keys")
    remedy.click()
    driver.wait(lambda: driver.key(30).get("state") == "painted", "key 30")
    driver.wait_for_frame(30)


def _drag_the_range(driver: PageDriver) -> None:
    page = driver.page
    end = page.get_by_role("slider", name="End of the range of key 30")
    start = page.get_by_role("slider", name="Start of the range of key 30")
    lanes = page.locator("canvas.lanes").bounding_box()
    box = start.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(lanes["x"] + 25 / COUNT * lanes["width"], box["y"] + 5, steps=4)
    page.mouse.up()
    driver.wait(lambda: driver.key(30)["first"] == 25, "dragged to 25")
    # far past the clip's end: held at its last frame; by keys: back from there
    end.focus()
    page.keyboard.press("ArrowLeft")
    driver.wait(lambda: driver.key(30)["last"] == COUNT - 2, "moved by keys")
    page.keyboard.press("Control+z")
    driver.wait(lambda: end.get_attribute("aria-valuenow") == str(COUNT - 1), "undone")
    # I: the range begins at the frame that is shown
    driver.frame_slider.fill("22")
    driver.wait_for_frame(22)
    page.locator("body").press("i")
    driver.wait(lambda: driver.key(30)["first"] == 22, "begins at 22")


def _preview(driver: PageDriver) -> None:
    page = driver.page
    page.locator(".absent").get_by_text("Frame 22 is not made yet").wait_for()
    driver.button("Preview").click()
    page.locator(".badge:visible").filter(has_text="Preview").wait_for()
    assert page.locator(".absent").is_hidden()


def _run_stop_and_run_again(driver: PageDriver) -> None:
    page = driver.page
    driver.button("Run").click()
    driver.button("Stop").click()
    driver.wait(lambda: driver.button("Run").is_enabled(), "stopped")
    driver.button("Follow").click()
    driver.button("Run").click()
    driver.wait(lambda: driver.state_count("current") > 0, "a frame is finished")
    page.reload()
    driver.wait(lambda: driver.state_count("current") == COUNT, "all frames are finished")
    page.get_by_text(f"{COUNT} of {COUNT} frames up to date").wait_for()
    driver.frame_slider.fill("12")
    driver.wait_for_frame(12)
    driver.button("Side by side").click()
    page.locator(".compare[data-frame='12']").wait_for()
    pixels = "(canvas) => canvas.toDataURL()"
    filmed, result = (
        page.locator(f"canvas.{name}").evaluate(pixels) for name in ("original", "result")
    )
    assert filmed != result
    assert page.locator(".absent").is_hidden()


def _compare_takes(driver: PageDriver) -> None:
    page = driver.page
    page.get_by_role("tab", name="Style").click()
    page.locator("summary", has_text="Takes").click()
    page.get_by_label("Name of the take").fill("first")
    driver.button("Keep settings").click()
    take = page.get_by_label("Compare with")
    take.select_option("first")
    page.locator(".side.left").get_by_text("first", exact=True).wait_for()
    pixels = "(canvas) => canvas.toDataURL()"
    original, result = (page.locator(f"canvas.{name}") for name in ("original", "result"))
    driver.wait(lambda: original.evaluate(pixels) == result.evaluate(pixels), "the same picture")
    take.select_option("Filmed")
    driver.wait(lambda: original.evaluate(pixels) != result.evaluate(pixels), "the filmed one")


def _export(driver: PageDriver) -> None:
    page = driver.page
    page.get_by_role("tab", name="Output").click()
    page.get_by_label("Format").select_option("gif")
    driver.button("Export").click()
    link = page.get_by_role("link", name="shot.gif")
    with page.expect_download() as download:
        link.click()
    assert Path(download.value.path()).read_bytes()[:3] == b"GIF"
