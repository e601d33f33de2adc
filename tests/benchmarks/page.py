"""How fast the lab's page is: pictures per second, how soon a control acts, and what is left of
training's speed. It needs tornado, Playwright and Chromium.

    python tests/benchmarks/page.py
    python tests/benchmarks/page.py --picture       draws demos/pictures/lab.png
"""

import asyncio
import contextlib
import io
import shutil
import statistics
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright
from threadpoolctl import threadpool_limits

DEMOS = Path(__file__).resolve().parents[2] / "demos"
sys.path[:0] = [str(DEMOS)]  # as for a demo run as a script: its folder holds lab/

from lab.console import Console  # noqa: E402
from lab.experiment import Experiment  # noqa: E402
from lab.scenes import find_scene  # noqa: E402
from lab.server import LabServer  # noqa: E402
from lab.settings import Settings  # noqa: E402

SECONDS, CLICKS, PICTURE = 5, 15, DEMOS / "pictures" / "lab.png"
GAMES = {"the default": Settings(), "scene well": find_scene("well").settings}

#: Milliseconds from a click on Play or Pause until the page shows that Python has obeyed.
CLICK = """() => new Promise(done => {
    const button = document.querySelector("[data-do=play]"), start = performance.now();
    new MutationObserver((_, watch) => { watch.disconnect(); done(performance.now() - start); })
        .observe(button, {childList: true, characterData: true, subtree: true});
    button.click();
})"""


def bare(settings):
    """Steps per second without a page."""
    experiment, start = Experiment(settings), time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        experiment.step()
    return experiment.steps / SECONDS


@contextlib.contextmanager
def opened(settings, browser):
    """A page with its first picture, and the server behind it, which runs in a thread."""
    ready, box = threading.Event(), {}

    async def main():
        box["server"], box["end"] = LabServer(partial(Console, settings)), asyncio.Event()
        box["loop"] = asyncio.get_running_loop()
        box["server"].start_listening()
        ready.set()
        await box["end"].wait()
        await box["server"].stop()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    ready.wait()
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.sent = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda sent: page.sent.append(sent)))
    page.goto(box["server"].address)
    page.locator("#status", has_text="KL").wait_for()
    yield page, box["server"]
    page.close()
    box["loop"].call_soon_threadsafe(box["end"].set)
    thread.join()


def served(settings, browser):
    """Pictures and steps per second, and the milliseconds of clicks."""
    with opened(settings, browser) as (page, server):
        experiment = next(iter(server.tables)).console.experiment
        clicks = [page.evaluate(CLICK) for _ in range(2 * CLICKS + 1)]  # it plays at the end
        page.wait_for_timeout(1000)
        steps, count, start = experiment.steps, len(page.sent), time.perf_counter()
        page.wait_for_timeout(1000 * SECONDS)
        seconds = time.perf_counter() - start
        return (len(page.sent) - count) / seconds, (experiment.steps - steps) / seconds, clicks


def draw(browser):
    """The page while the game that goes well is played, as a picture of 256 colours."""
    smaller = {"generator_layers": 2, "discriminator_layers": 2}
    settings = replace(find_scene("well").settings, head_start=1000, **smaller)
    with opened(settings, browser) as (page, _):
        page.set_viewport_size({"width": 1280, "height": 980})
        page.set_default_timeout(300_000)
        page.locator("#status", has_text="Step 1,000 ").wait_for()
        page.click("[data-do=play]")
        page.wait_for_timeout(3000)
        image = Image.open(io.BytesIO(page.screenshot()))
    # "Maximum coverage" keeps rare colours, such as those of thin lines, as they are.
    image = image.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    image.save(PICTURE, optimize=True)


def main(picture):
    with threadpool_limits(1), sync_playwright() as p:
        options = ["--no-sandbox", "--disable-gpu", "--headless=new"]
        browser = p.chromium.launch(executable_path=shutil.which("chromium"), args=options)
        draw(browser) if picture else measure(browser)
        browser.close()


def measure(browser):
    print("| game | pictures/s | steps/s | bare loop | share | a click acts after |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, settings in GAMES.items():
        before = bare(settings)
        pictures, steps, clicks = served(settings, browser)
        alone = (before + bare(settings)) / 2
        middle, worst = statistics.median(clicks), max(clicks)
        print(
            f"| {name} | {pictures:.0f} | {steps:.0f} | {alone:.0f} | {steps / alone:.0%} | "
            f"{middle:.0f} ms, at most {worst:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main("--picture" in sys.argv)
