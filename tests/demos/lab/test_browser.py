"""Tests of the lab's page in a real browser: headless Chromium, driven by Playwright.

Without one of them, the tests are skipped. Each test is a reader with something to do; whatever the
page writes to its console as an error fails it.
"""

import asyncio
import json
import shutil
import threading
from functools import partial

import pytest

pytest.importorskip("tornado", reason="the lab's page needs tornado")
from lab.console import Console
from lab.recording import record, save_page
from lab.server import LabServer
from lab.settings import Settings

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright drives the browser")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OPTIONS = ["--no-sandbox", "--disable-gpu", "--headless=new"]
SMALL = Settings(generator_width=8, discriminator_width=8, batch=16)
SIZES = [(360, 740), (1280, 800), (1920, 1080)]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server():
    """A lab in a thread of its own."""
    ready, box = threading.Event(), {}

    async def main():
        box["server"], box["end"] = LabServer(partial(Console, SMALL)), asyncio.Event()
        box["loop"] = asyncio.get_running_loop()
        box["server"].start_listening()
        ready.set()
        await box["end"].wait()
        await box["server"].stop()

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    ready.wait(10)
    yield box["server"]
    box["loop"].call_soon_threadsafe(box["end"].set)
    thread.join(10)


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    page, wrong = context.new_page(), []
    page.set_default_timeout(20_000)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
    yield page
    context.close()
    assert wrong == []


@pytest.fixture
def lab(page, server):
    """The page, with its first frame shown."""
    page.goto(server.address)
    status(page, "KL")
    return page


def status(page, text):
    page.locator("#status", has_text=text).wait_for()


def step(page):
    return int(page.inner_text("#status").split("·")[0].split()[1].replace(",", ""))


def press(page, do):
    page.click(f"[data-do={do}]")


def test_play_pause_and_single_steps(lab):
    press(lab, "both")
    status(lab, "Step 1 ")
    press(lab, "D")
    press(lab, "G")
    status(lab, "Step 2 ")
    lab.keyboard.press("Escape")
    press(lab, "play")
    lab.locator("[data-do=play]", has_text="Pause").wait_for()
    status(lab, "steps a second")
    assert lab.locator("#model .edge.on").count() > 20
    press(lab, "play")
    lab.locator("[data-do=play]", has_text="Play").wait_for()
    before = step(lab)
    lab.locator("#plane canvas").focus()
    lab.keyboard.press("s")
    status(lab, f"Step {before + 1:,} ")


def test_slow_motion_shows_numbers_and_marked_code(lab):
    titles, marks = [], []
    for i in range(11):
        press(lab, "slow")
        title = lab.locator("#stage-title")
        before = f":not(:text-is({json.dumps(titles[-1])}))" if i else ""
        lab.locator(f"#stage-title{before}:visible").wait_for()
        titles.append(title.inner_text())
        assert lab.locator("#stage tr").count() >= 1
        marks += lab.locator("#stage mark").all_inner_texts()
    assert titles[0].startswith("D's step") and titles[-1] == "G's step: G moves, D stands still"
    assert "    return loss, D.backward(d_logits, cache)" in marks
    press(lab, "slow")
    lab.locator("#stage").wait_for(state="hidden")


def test_every_control_acts(lab):
    """Those that restart the game say so first; undo brings the game back."""
    controls = lab.locator("#controls")
    chosen = {
        "data": "moons", "noise": "uniform", "noise_dimension": "1", "batch": "8",
        "objective": "hinge", "regularizer": "r1", "head_start": "3", "seed": "5",
        "generator_optimizer": "sgd", "discriminator_optimizer": "rmsprop",
        "generator_layers": "1", "discriminator_layers": "3", "generator_width": "7",
        "discriminator_width": "9",
    }  # fmt: skip
    for name, value in chosen.items():
        field = lab.locator(f"#set-{name}")
        if field.evaluate("field => field.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)
            field.blur()
    assert "This starts a new game" in controls.locator("#restart").inner_text()
    assert "data=moons" not in lab.url
    controls.get_by_text("Start the new game").click()
    controls.locator("#restart").wait_for(state="hidden")
    status(lab, "Step 3 ")
    for name, value in chosen.items():
        assert f"{name}={value}" in lab.url, name
    for name, value in (("generator_steps", "2"), ("discriminator_steps", "3")):
        lab.locator(f"#set-{name}").fill(value)
        lab.locator(f"#set-{name}").blur()
        lab.wait_for_url(f"**{name}={value}**")
    lab.locator("#set-generator_lr").focus()
    lab.keyboard.press("ArrowRight")
    lab.wait_for_url("**generator_lr=0.00112**")
    press(lab, "undo")
    lab.wait_for_url(lambda url: "moons" not in url)


def test_what_needs_a_regularizer_offers_one(lab):
    lab.select_option("#set-objective", "wasserstein")
    assert "needs a regularizer" in lab.inner_text("#restart")
    lab.get_by_text("Start with wgan-gp").click()
    lab.wait_for_url("**objective=wasserstein&regularizer=wgan-gp**")
    lab.fill("#set-generator_width", "100000")
    lab.locator("#set-generator_width").blur()
    lab.get_by_text("Start the new game").click()
    lab.locator("#message", has_text="expected at most 256, got 100000").wait_for()


def test_a_scene_by_its_link_and_settings_by_theirs(page, server):
    page.goto(f"{server.address}#scene=collapse")
    page.locator("#lesson:visible").wait_for()
    assert page.input_value("#scene") == "collapse" and page.url.endswith("#scene=collapse")
    page.goto(f"{server.address}#data=moons&batch=32")
    status(page, "KL")
    page.locator("#lesson").wait_for(state="hidden")
    assert page.input_value("#set-data") == "moons" and page.input_value("#set-batch") == "32"
    page.goto(f"{server.address}#batch=1000000000")
    page.locator("#message", has_text="expected at most 1024").wait_for()


def test_the_brush_draws_data(lab):
    lab.get_by_text("Draw data").click()
    canvas = lab.locator("#plane canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    x, y, size = box["x"], box["y"], box["width"]
    lab.mouse.move(x + 0.25 * size, y + 0.5 * size)
    lab.mouse.down()
    lab.mouse.move(x + 0.75 * size, y + 0.25 * size, steps=12)
    lab.mouse.up()
    lab.keyboard.press("ArrowUp")
    lab.keyboard.press("Enter")
    assert int(lab.inner_text("#brush output").split()[0]) > 8
    lab.get_by_text("Start with this density").click()
    lab.wait_for_url("**data=drawn&points=2*")
    status(lab, "KL")
    assert lab.input_value("#set-data") == "drawn"


def test_a_layer_opens_and_a_fake_tells_its_value(lab):
    lab.locator("[data-layer=G0]").press("Enter")
    lab.locator("#layer figure").nth(5).wait_for()
    text = lab.inner_text("#layer")
    assert "Dense(2, 8)" in text and "gradient of the weight, 2 × 8" in text
    lab.click("#layer .close")
    lab.locator("#layer").wait_for(state="hidden")
    lab.locator("#plane canvas").press("ArrowRight")
    assert "D = 0." in lab.inner_text("#pointed") and "pushes it" in lab.inner_text("#pointed")


def test_a_recording_plays_from_a_file(lab, browser, tmp_path):
    lab.click("#record")
    press(lab, "both")
    status(lab, "Step 1 ")
    press(lab, "slow")
    lab.locator("#stage").wait_for()
    with lab.expect_download() as download:
        lab.click("#record")
    download.value.save_as(tmp_path / "page.html")
    save_page(tmp_path / "python.html", record(Console(SMALL), 6, 2))
    for name, first, last in (("page", "Step 1 ", "Step 1 "), ("python", "Step 0 ", "Step 6 ")):
        page, wrong = browser.new_page(), []
        page.on("pageerror", lambda error: wrong.append(str(error)))  # noqa: B023
        page.on("request", lambda r: r.url.startswith(("file", "data")) or wrong.append(r.url))  # noqa: B023
        page.goto((tmp_path / f"{name}.html").as_uri())
        status(page, first)
        page.locator("#moment").press("End")
        status(page, last)
        assert page.locator("#controls").is_hidden() and page.locator("#timeline").is_visible()
        page.close()
        assert wrong == [] and (tmp_path / f"{name}.html").stat().st_size < 3e6


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_from_a_phone_to_a_projector_nothing_is_cut_off(lab, scheme):
    lab.emulate_media(color_scheme=scheme)
    press(lab, "slow")
    for width, height in SIZES:
        lab.set_viewport_size({"width": width, "height": height})
        wide = lab.evaluate_handle("document.documentElement").get_property("scrollWidth")
        assert wide.json_value() <= width
        square = lab.locator("#plane canvas").bounding_box()
        assert square["width"] >= 280 and square["width"] == pytest.approx(square["height"], abs=1)
    ink = lab.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
    assert ink == {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 24, 27)"}[scheme]
