"""What a person waits for on the explorer's page, measured in chromium without a GPU.

Conventions
-----------
- All times are in milliseconds of the wall and end where a person sees or hears it: a picture that has been composed, a
  name that is shown, a clip that plays.
- The heap is what JavaScript uses, its typed arrays included, after a collection.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from tests.explore.browser.driver import ARGUMENTS, CHROMIUM, Explorer

KEY = "sessionStorage.setItem('audioae-key', {key!r})"
HOVERS, CLICKS = 25, 8
PAN_S = 4
HOVER = """(row) => new Promise((resolve) => {
  const {view, points} = explorer.map;
  const box = view.element.getBoundingClientRect(), tip = document.querySelector(".tip");
  const at = {clientX: box.left + view.width / 2 + (points[2 * row] - view.camera.x) * view.camera.zoom,
              clientY: box.top + view.height / 2 - (points[2 * row + 1] - view.camera.y) * view.camera.zoom};
  const began = performance.now();
  const done = () => {
    if (tip.hidden || tip.dataset.row === before) return;
    watch.disconnect();
    resolve(performance.now() - began);
  };
  const before = tip.dataset.row;
  const watch = new MutationObserver(done);
  watch.observe(tip, {attributes: true, childList: true});
  setTimeout(() => { watch.disconnect(); resolve(null); }, 3000);
  view.element.dispatchEvent(new PointerEvent("pointermove", {...at, bubbles: true, pointerId: 1}));
})"""
PAN = """(seconds) => new Promise((resolve) => {
  const {view} = explorer.map;
  const began = performance.now();
  let frames = 0;
  const step = () => {
    frames += 1;
    view.pan(6 * Math.cos(frames / 9), 6 * Math.sin(frames / 9));
    const took = performance.now() - began;
    if (took < 1000 * seconds) requestAnimationFrame(step);
    else resolve(1000 * frames / took);
  };
  requestAnimationFrame(step);
})"""
SOUND = """(row) => new Promise((resolve) => {
  explorer.player.stop();
  const {audio} = explorer.player;
  const began = performance.now();
  audio.addEventListener("playing", () => resolve(performance.now() - began), {once: true});
  setTimeout(() => resolve(null), 8000);
  explorer.actions.choose(row, {play: true});
})"""


@dataclass(frozen=True)
class Waits:
    """Of one page; `sounds`: from a click to sound, cold and after the pointer rested on the point; None: no audio."""

    picture_ms: float
    hover_ms: float
    frames_per_s: float
    heap_mb: float
    sounds: tuple[float, float] | None


@contextmanager
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*ARGUMENTS, "--autoplay-policy=no-user-gesture-required"]
        )
        yield chromium
        chromium.close()


def measure_page(chromium: Any, url: str, key: str, *, sound: bool) -> Waits:
    """Open the page as somebody whose browser has never seen it, and use it."""
    explorer = Explorer(chromium, url)
    explorer.context.add_init_script(KEY.format(key=key))
    began = time.perf_counter()
    explorer.page.goto(f"{url}/explore")
    explorer.wait("performance.getEntriesByName('explorer-picture').length > 0", timeout=60_000)
    explorer.page.screenshot()  # waits until the picture is composed
    picture = 1000 * (time.perf_counter() - began)
    explorer.wait("app.map.view.index.tree !== null", timeout=60_000)
    explorer.page.wait_for_timeout(1500)
    hovers = _seen(explorer.page.evaluate(HOVER, row) for row in _rows(explorer, HOVERS))
    frames = explorer.page.evaluate(PAN, PAN_S)
    sounds = (_sounds(explorer, rest=False), _sounds(explorer, rest=True)) if sound else None
    waits = Waits(picture, median(hovers), frames, _heap_mb(explorer), sounds)
    explorer.close()
    return waits


def _rows(explorer: Explorer, n: int, seed: int = 0) -> list[int]:
    """Rows in view that nothing covers."""
    total = explorer.js("app.map.n")
    return [int(row) for row in np.random.default_rng(seed).choice(total, n, replace=False)]


def _seen(times: Any) -> list[float]:
    return [one for one in times if one is not None]


def _sounds(explorer: Explorer, *, rest: bool) -> float:
    times = []
    for row in _rows(explorer, CLICKS, seed=1 + rest):
        if rest:
            explorer.page.evaluate(f"explorer.player.prepare({row})")
        times.append(explorer.page.evaluate(SOUND, row))
    return median(_seen(times))


def _heap_mb(explorer: Explorer) -> float:
    session = explorer.context.new_cdp_session(explorer.page)
    session.send("HeapProfiler.collectGarbage")
    used = session.send("Runtime.getHeapUsage")
    return (used["usedSize"] + used.get("backingStorageSize", 0)) / 1e6
