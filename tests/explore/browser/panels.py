"""What tests of panels do on the page: open one, draw a lasso, take a download; and what the server says itself."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from playwright.sync_api import Locator

from tests.explore.browser.driver import Explorer


def panel(explorer: Explorer, name: str) -> Locator:
    """Open a panel by its tab."""
    explorer.page.locator(f"#tab-{name}").click()
    body = explorer.page.locator(f"#panel-{name}")
    body.wait_for()
    return body


def lasso(explorer: Explorer, low: tuple[int, int], high: tuple[int, int]) -> list[int]:
    """Draw a lasso around the points from one place of the map's grid to another; returns the rows inside."""
    places = explorer.places()
    explorer.page.locator(".map-view").focus()
    explorer.page.keyboard.press("l")
    (left, bottom), (right, top) = (explorer.at(int((places == spot).all(axis=1).argmax())) for spot in (low, high))
    corners = [(left - 12, bottom + 12), (left - 12, top - 12), (right + 12, top - 12), (right + 12, bottom + 12)]
    explorer.page.mouse.move(*corners[0])
    explorer.page.mouse.down()
    for corner in (*corners[1:], corners[0]):
        explorer.page.mouse.move(*corner, steps=5)
    explorer.page.mouse.up()
    explorer.wait("app.state.get('selection')?.polygon.length > 3")
    return np.flatnonzero(((places >= low) & (places <= high)).all(axis=1)).tolist()


def download(explorer: Explorer, act: Callable[[], Any]) -> tuple[str, str]:
    """The name and the text of the file that an action hands out."""
    with explorer.page.expect_download() as waiting:
        act()
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_text(encoding="utf-8")


def ask(explorer: Explorer, path: str, body: Any = None, **parameters: Any) -> Any:
    """What the server answers, as JSON; a POST if there is a body."""
    with httpx.Client(base_url=explorer.url, timeout=60) as client:
        answer = client.get(path, params=parameters) if body is None else client.post(path, json=body)
    answer.raise_for_status()
    return answer.json()


def bars(section: Locator) -> Iterator[tuple[str, str]]:
    """Name and figure of each bar of a section."""
    for item in section.locator(".bar-list li").all():
        yield item.locator(".bar-name").inner_text(), item.locator(".bar-value").inner_text()
