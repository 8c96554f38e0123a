"""Driving the explorer: a server, a page of a browser, and what a test asks of it."""

import json
import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from audioae.serve.explore.build import WEB
from tests.processes import Run

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
ARGUMENTS = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--mute-audio")
READY_MS = 30_000
AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"


@contextmanager
def served(store: str, log: Path, *options: str, **environment: str) -> Iterator[str]:
    """`audioae serve` in a process of its own, until the block ends; yields its address."""
    command = [sys.executable, "-m", "audioae", "serve", "--store", store, "--port", "0", *options]
    run = Run(command, log, **environment)
    try:
        run.wait_until(lambda: "API at /docs" in run.printed)
        (url,) = re.findall(r"(http://127\.0\.0\.1:\d+)  ", run.printed)
        yield url
    finally:
        run.end_by(signal.SIGTERM)


class Explorer:
    """A page with the explorer.

    Parameters
    ----------
    chromium : playwright Browser
    url : str
        The server's address.
    dark : bool
    width, height : int
        Of the window, in pixels.
    """

    def __init__(self, chromium: Any, url: str, *, dark: bool = False, width: int = 1280, height: int = 800):
        self.url, self.faults, self.answers = url, [], []
        scheme = "dark" if dark else "light"
        self.context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        self.page = page = self.context.new_page()
        page.set_default_timeout(30_000)
        page.on("console", lambda line: line.type in ("error", "warning") and self._fault(f"console: {line.text}"))
        page.on("pageerror", lambda error: self._fault(f"error: {error}"))
        page.on("request", self._check_host)
        page.on("response", lambda answer: answer.status >= 400 and self._fault(f"{answer.status} {answer.url}"))

    def _fault(self, text: str) -> None:
        self.faults.append(text)

    def _check_host(self, request: Any) -> None:
        if not request.url.startswith((self.url, "blob:", "data:")):
            self._fault(f"asked another host: {request.url}")

    def load(self, address: str = "", *, ready: bool = True) -> None:
        """Open the page at an address of it, `#color=artist`, and wait until it is ready."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.url}/explore{address}")
        if ready:
            self.page.wait_for_selector("body[data-ready]", timeout=READY_MS)

    def expect(self, *faults: str) -> None:
        """Take back faults that a test provoked: each is a part of one or more of them."""
        for part in faults:
            assert any(part in fault for fault in self.faults), (part, self.faults)
        self.faults[:] = [fault for fault in self.faults if not any(part in fault for part in faults)]

    def js(self, expression: str, argument: Any = None) -> Any:
        """A value of the page; `app` is the explorer's own."""
        return self.page.evaluate(f"(argument) => {{ const app = globalThis.explorer; return {expression} }}", argument)

    def wait(self, expression: str, argument: Any = None, timeout: float = 30_000) -> None:
        """Wait until an expression is true."""
        self.page.wait_for_function(
            f"(argument) => {{ const app = globalThis.explorer; return {expression} }}", arg=argument, timeout=timeout
        )

    def state(self, name: str) -> Any:
        return self.js("app.state.get(argument)", name)

    def at(self, row: int) -> tuple[float, float]:
        """Where a row is in the window, in pixels."""
        x, y = self.js(
            """(({view, points}) => {
              const box = view.element.getBoundingClientRect();
              const {x, y, zoom} = view.camera;
              const [right, up] = [zoom * (points[2 * argument] - x), zoom * (points[2 * argument + 1] - y)];
              return [box.left + view.width / 2 + right, box.top + view.height / 2 - up];
            })(app.map)""",
            row,
        )
        return x, y

    def places(self) -> np.ndarray:
        """The map's coordinates of all rows, shape (n, 2): a grid of 8 columns (`made_map`), whose rows are mixed."""
        return np.array(self.js("[...app.map.points]")).reshape(-1, 2)

    def settled(self, row: int) -> tuple[float, float]:
        """Where a row is once the map has the size that it keeps: a panel that opens changes it a frame later."""
        place, before = self.at(row), None
        while place != before:
            self.js("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
            place, before = self.at(row), place
        return place

    def click(self, row: int, **options: Any) -> None:
        """Click a row's point on the map."""
        place = self.settled(row)
        self.page.mouse.move(*place)
        modifiers = options.pop("modifiers", ())
        for key in modifiers:
            self.page.keyboard.down(key)
        self.page.mouse.click(*place, **options)
        for key in modifiers:
            self.page.keyboard.up(key)

    def track(self, row: int) -> Mapping[str, Any]:
        """What the page knows about a row."""
        return self.js("app.tracks.get([argument]).then(([meta]) => meta)", row)

    def texts(self, selector: str) -> list[str]:
        return [text.strip() for text in self.page.locator(selector).all_inner_texts()]

    def violations(self) -> list[str]:
        """Serious and critical violations that axe-core finds, each with the elements."""
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = self.page.evaluate(
            "axe.run(document, {resultTypes: ['violations']}).then((answer) => answer.violations)"
        )
        return [
            f"{one['id']}: {json.dumps([node['target'] for node in one['nodes']])}"
            for one in found
            if one["impact"] in ("serious", "critical")
        ]

    def close(self) -> None:
        self.context.close()
