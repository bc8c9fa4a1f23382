"""The page to draw on in a real browser, without a screen."""

import io
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsed import boxes, canned, draw, ink, photo, shares
from drawn import Mnist
from PIL import Image
from served import running

from mnist_cnn.page.keep import Kept
from mnist_cnn.page.networks import Networks

sync_api = pytest.importorskip("playwright.sync_api", reason='no playwright: pip install -e ".[test]"')

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATIENCE = 60_000
"""Milliseconds; a busy machine may need them."""
HERE = "http://127.0.0.1:"

ZERO = [(0.5 + 0.2 * math.sin(t / 4), 0.5 - 0.3 * math.cos(t / 4)) for t in range(26)]
ONE = [(0.5, 0.2 + 0.06 * t) for t in range(11)]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with running(Networks(logs=folder / "none")) as port:
        yield f"{HERE}{port}/"


@pytest.fixture(scope="module")
def keeping_url(folder: Path) -> Iterator[str]:
    with running(Networks(logs=folder / "none"), kept=Kept(folder)) as port:
        yield f"{HERE}{port}/"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not path:
        pytest.skip(f"none of these browsers is installed: {', '.join(BROWSERS)}")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--disable-gpu"], timeout=2 * PATIENCE)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any, url: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The page, opened; at the end nothing may have been complained about or asked for elsewhere."""
    context = browser.new_context(**getattr(request, "param", {"viewport": {"width": 1100, "height": 800}}))
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    sync_api.expect.set_options(timeout=PATIENCE)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("request", lambda one: None if one.url.startswith((HERE, "data:", "blob:")) else complaints.append(one.url))
    page.goto(url)
    yield page
    context.close()
    # Chromium reports answers such as 422 there; the page tells the user what they mean.
    assert [text for text in complaints if not text.startswith("Failed to load resource")] == []


def test_a_digit_is_drawn_read_undone_and_cleared(page: Any) -> None:
    expect = sync_api.expect
    expect(page.locator("#hint")).to_be_visible()
    expect(page.locator("#undo")).to_be_disabled()
    draw(page, ZERO)
    expect(page.locator("#digits")).to_have_text("0")
    assert float(page.locator("#sure b").text_content().removesuffix("%")) > 50
    expect(page.locator("#network option")).to_have_text(["pretrained"])
    expect(page.locator("footer")).to_contain_text("It is not kept.")
    expect(page.locator("#label-box")).to_be_hidden()
    assert max(range(10), key=shares(page).__getitem__) == 0
    assert sum(shares(page)) == pytest.approx(100, abs=0.6)
    assert 40 < ink(page) < 250
    page.keyboard.press("Control+z")
    expect(page.locator("#digits")).to_have_text("")
    expect(page.locator("#hint")).to_be_visible()
    assert ink(page) == 0
    draw(page, ONE)
    expect(page.locator("#digits")).to_have_text("1")
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#digits")).to_have_text("")
    page.get_by_role("button", name="Undo").click()  # also what was cleared
    expect(page.locator("#digits")).to_have_text("1")


@pytest.mark.parametrize(
    "page", [{"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}], indirect=True
)
def test_a_finger_draws_and_does_not_scroll_on_a_phone(page: Any) -> None:
    box = page.locator("#paper").bounding_box()
    at = [{"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]} for x, y in ONE]
    session = page.context.new_cdp_session(page)
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": at[:1]})
    for place in at[1:]:
        session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [place]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    sync_api.expect(page.locator("#digits")).to_have_text("1")
    assert page.evaluate("[scrollX, scrollY]") == [0, 0]
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_a_row_shows_each_digit_with_its_own_probabilities(page: Any) -> None:
    expect = sync_api.expect
    page.get_by_label("Row of digits", exact=True).check()
    draw(page, ONE)
    draw(page, ZERO, left=0.9)
    expect(page.locator("#digits")).to_have_text("10")
    expect(page.locator(".tile")).to_have_count(2)
    expect(page.locator("#bars .first span")).to_have_text("1")
    page.get_by_role("button", name="Seen as 0").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#bars .first span")).to_have_text("0")


def test_boxes_are_where_the_photo_is_shown(page: Any) -> None:
    expect = sync_api.expect
    page.get_by_label("Page", exact=True).check()
    found = {"size": [1200, 600], "boxes": [[100, 150, 300, 500], [800, 200, 1100, 550]], "confidences": [0.9, 0.7]}
    canned(page, "1\n7", **found)
    file = io.BytesIO()
    Image.new("RGB", (600, 300), "white").save(file, "PNG")  # wider than the pad: with room above and below
    page.locator("#file").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": file.getvalue()})
    expect(page.locator(".tile").first).to_have_attribute("aria-label", "Seen as 1: show its probabilities")
    expect(page.locator(".tile").last).to_have_attribute("aria-label", "Seen as 7: show its probabilities")
    shown = "async photo => { await photo.decode(); await new Promise((done) => setTimeout(done, 100)); }"
    page.locator("#photo").evaluate(shown)
    pad = page.locator("#paper").bounding_box()
    scale = pad["width"] / 1200
    assert pad["height"] > 600 * scale + 50
    for colour, box in zip(("green", "red"), found["boxes"], strict=True):
        left, top, right, bottom = (scale * value for value in box)
        above = (pad["height"] - 600 * scale) / 2
        expected = [left, top + above - 24, right, bottom + above]  # the answer stands on top
        assert boxes(page, colour) == pytest.approx(expected, abs=4)
    canned(page, "1\n7", **found, turns=2)
    page.get_by_label("Row of digits", exact=True).check()
    expect(page.locator("#note")).to_have_text("The picture was turned upside down to be read, so no boxes are drawn.")
    assert boxes(page, "green") == boxes(page, "red") == []


def test_an_answer_is_corrected_and_kept(page: Any, keeping_url: str, folder: Path) -> None:
    expect = sync_api.expect
    canned(page, "10")
    page.goto(keeping_url)
    expect(page.locator("#keeping b")).to_have_text("Pictures that you label are kept")
    expect(page.locator("#count")).to_have_text("0 pictures")
    expect(page.locator("#choices button").first).to_be_disabled()
    page.keyboard.press("3")  # nothing is drawn
    draw(page, ONE)
    page.keyboard.press("7")
    expect(page.locator("#kept")).to_have_text("Kept as 7.Do not keep it")
    page.get_by_role("button", name="1", exact=True).click()
    expect(page.locator("#kept-as")).to_have_text("Kept as 1.")
    expect(page.locator("#choices [aria-pressed=true]")).to_have_text("1")
    page.get_by_label("Row of digits", exact=True).check()
    draw(page, ZERO, left=0.9)
    expect(page.locator("#text")).to_have_value("10")
    expect(page.locator("#kept-as")).to_have_text("")
    page.locator("#text").fill("16")
    page.keyboard.press("Enter")
    expect(page.locator("#kept-as")).to_have_text("Kept as 16.")
    expect(page.locator("#count")).to_have_text("2 pictures")
    expect(page.locator("#command")).to_contain_text(f"--data.labelled={folder}")
    assert [line.split(",")[1] for line in (folder / "labels.csv").read_text().split()] == ["digits", "1", "16"]
    page.get_by_role("button", name="Do not keep it").click()
    expect(page.locator("#count")).to_have_text("1 picture")
    page.route("**/keep*", lambda route: route.abort())
    page.get_by_role("button", name="Keep", exact=True).click()
    expect(page.locator("#kept-as")).to_have_text("The server does not answer: is it still running?")


def test_it_is_said_while_a_picture_is_read(page: Any) -> None:
    held: list[Any] = []
    page.route("**/read*", lambda route: held.append(route))
    draw(page, ONE)
    sync_api.expect(page.locator("#working")).to_be_visible()
    while not held:
        page.wait_for_timeout(50)
    held[0].fulfill(json={"digits": "1", "network": "pretrained"})
    sync_api.expect(page.locator("#digits")).to_have_text("1")
    sync_api.expect(page.locator("#working")).to_be_hidden()


def test_files_are_chosen_dropped_and_pasted(page: Any, mnist: Mnist) -> None:
    expect = sync_api.expect
    page.locator("#file").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": photo(mnist, 0)})
    expect(page.locator("#digits")).to_have_text("0")
    expect(page.locator("#photo")).to_be_visible()
    page.locator("#file").set_input_files({"name": "../<b>.png", "mimeType": "image/png", "buffer": b"no picture"})
    expect(page.locator("#message")).to_have_text("This picture cannot be read: not an image, or of an unknown format")
    expect(page.locator("#name")).to_have_text("../<b>.png: no preview in this browser")
    expect(page.locator("#digits")).to_have_text("")
    for kind, name in (("drop", "dataTransfer"), ("paste", "clipboardData")):
        page.keyboard.press("Delete")
        expect(page.locator("#message")).to_be_hidden()
        page.evaluate(
            """([bytes, kind, name]) => {
                const transfer = new DataTransfer();
                transfer.items.add(new File([new Uint8Array(bytes)], "a.png", {type: "image/png"}));
                const event = new Event(kind, {bubbles: true, cancelable: true});
                Object.defineProperty(event, name, {value: transfer});
                document.body.dispatchEvent(event);
            }""",
            [list(photo(mnist, 0)), kind, name],
        )
        expect(page.locator("#digits")).to_have_text("0")


def test_what_goes_wrong_is_said(page: Any, tmp_path: Path) -> None:
    expect = sync_api.expect
    with (tmp_path / "big.png").open("wb") as file:
        file.truncate(20 * 2**20 + 1)
    page.locator("#file").set_input_files(tmp_path / "big.png")
    expect(page.locator("#message")).to_have_text("The picture has more than 20 MB: choose a smaller one.")
    page.route("**/read*", lambda route: route.abort())
    page.keyboard.press("Escape")
    draw(page, ONE)
    expect(page.locator("#message")).to_have_text("The server does not answer: is it still running?")
