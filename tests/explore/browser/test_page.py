"""The page itself: its policy, that everybody can use it, and what it says when there is nothing to show."""

import shutil
from pathlib import Path

import pytest

from audioae.serve.explore.page import POLICY
from tests.explore.browser.driver import Explorer, served


def test_the_policy_of_the_page_allows_no_code_but_its_own(explorer: Explorer):
    answer = explorer.page.request.get(f"{explorer.url}/explore")
    assert answer.headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    explorer.page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<p id=bad onclick=\"document.title=1\">x</p>')"
    )
    explorer.page.evaluate("document.getElementById('bad').click()")
    assert explorer.js("document.title") == "audioae explorer"
    explorer.expect("console: ")  # the browser says that it refused


@pytest.mark.parametrize("view", [{}, {"dark": True}, {"width": 390, "height": 844}], ids=["light", "dark", "narrow"])
def test_no_serious_violation_of_accessibility(open_page, view: dict):
    explorer = open_page(**view)
    explorer.js("app.actions.choose(12, {play: false})")
    explorer.page.wait_for_selector("#panel-track .tracks li")
    assert explorer.violations() == []
    explorer.page.get_by_role("tab", name="Find").click()
    explorer.page.get_by_label("Search tracks").fill("a")
    explorer.page.wait_for_selector("#panel-find .tracks li")
    assert explorer.violations() == []
    explorer.page.keyboard.press("Escape")
    explorer.page.keyboard.press("?")
    assert explorer.violations() == []


def test_the_narrow_page_has_the_panel_below_the_map_and_no_sideways_scroll(open_page):
    explorer = open_page(width=390, height=844)
    map_box = explorer.page.locator("section.map").bounding_box()
    panel_box = explorer.page.locator("aside.panels").bounding_box()
    assert panel_box["y"] >= map_box["y"] + map_box["height"] - 1
    assert explorer.js("document.documentElement.scrollWidth") == 390


def test_a_store_without_a_map_says_how_to_make_one(open_page, store, tmp_path: Path):
    shutil.copytree(store.root, tmp_path / "store", ignore=shutil.ignore_patterns("map", "regions"))
    with served(str(tmp_path / "store"), tmp_path / "log", AUDIOAE_CACHE=str(tmp_path)) as url:
        explorer = open_page(url=url)
        assert explorer.texts("h1") == ["This store has no map yet"]
        assert "audioae run map" in explorer.texts("#explorer p")[0]
        explorer.expect("404", "console: Failed to load resource")


def test_the_tab_key_reaches_search_map_and_panels_in_this_order(explorer: Explorer):
    reached = []
    for _ in range(40):
        explorer.page.keyboard.press("Tab")
        reached.append(explorer.js("(({className, role, type}) => className || role || type)(document.activeElement)"))
    assert reached.index("search") < reached.index("map-view") < reached.index("tab")
