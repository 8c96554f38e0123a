"""The pictures of docs/explore.md: `python -m tests.explore.pictures STORE`, the store of `audioae demo` as a rule.

Conventions
-----------
- Each picture is a view of the page in Debian's chromium, reached as a person reaches it; the store is not changed.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.explore.browser.driver import ARGUMENTS, CHROMIUM, Explorer, served

DOCS = Path(__file__).parents[2] / "docs"
SETTLED_MS = 2500  # until lists, spectrograms and transitions are there


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(prog="python -m tests.explore.pictures", description=__doc__)
    parser.add_argument("store", help="a store with a map and findings")
    parser.add_argument("--out", type=Path, default=DOCS, help="folder for the pictures (default: docs)")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        served(options.store, Path(folder) / "log", AUDIOAE_CACHE=folder) as url,
        sync_playwright() as playwright,
    ):
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for name, (view, use) in VIEWS.items():
            take(chromium, url, options.out / f"explore-{name}.png", view, use)
        chromium.close()


def take(chromium: Any, url: str, path: Path, view: dict[str, Any], use: Callable[[Explorer], None]) -> None:
    """Open the page, use it, and save what is seen."""
    explorer = Explorer(chromium, url, **view)
    explorer.load()
    use(explorer)
    explorer.page.wait_for_timeout(SETTLED_MS)
    explorer.page.screenshot(path=path)
    explorer.close()
    if explorer.faults:
        raise SystemExit(f"{path.name}: {explorer.faults}")
    sys.stdout.write(f"{path}\n")


def hear(explorer: Explorer) -> None:
    explorer.js("app.actions.choose(40, {play: true})")
    explorer.wait("!app.player.audio.paused")


def lasso(explorer: Explorer) -> None:
    explorer.js(
        "app.state.set({color: 'region', selection: {rows: app.map.view.index.inside(argument)}})", _around(explorer)
    )
    explorer.page.get_by_role("tab", name="Selection").click()


def walk(explorer: Explorer) -> None:
    n = explorer.js("app.map.n")
    explorer.js("app.state.set({waypoints: argument})", [0, n // 2, n - 1])
    explorer.page.get_by_role("tab", name="Walk").click()
    explorer.page.wait_for_selector("text=radians", timeout=60_000)


def judge(explorer: Explorer) -> None:
    explorer.page.get_by_role("tab", name="Judge").click()
    explorer.page.wait_for_selector("text=Nearest tracks", timeout=60_000)


def codes(explorer: Explorer) -> None:
    explorer.page.get_by_role("tab", name="Codebook").click()
    explorer.page.locator(".code-grid button").first.click(timeout=120_000)
    explorer.page.wait_for_selector(".code-detail canvas", timeout=120_000)
    explorer.wait("document.querySelectorAll('.code[data-drawn]').length > 20", timeout=120_000)


def _around(explorer: Explorer) -> list[list[float]]:
    """A square around the left half of the map."""
    places = explorer.places()
    (left, low), (right, high) = places.min(axis=0), places.max(axis=0)
    middle = (left + right) / 2
    return [[left, low], [middle, low], [middle, high], [left, high]]


VIEWS: dict[str, tuple[dict[str, Any], Callable[[Explorer], None]]] = {
    "map": ({"width": 1280, "height": 800}, hear),
    "select": ({"width": 1280, "height": 800}, lasso),
    "walk": ({"width": 1280, "height": 800, "dark": True}, walk),
    "judge": ({"width": 1280, "height": 800, "dark": True}, judge),
    "codebook": ({"width": 1280, "height": 800}, codes),
    "narrow": ({"width": 390, "height": 844}, hear),
}

if __name__ == "__main__":
    main()
