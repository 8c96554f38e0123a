"""Compare: a second map, linked to the first, and what changed, as the library says it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from audioae.evaluation.compare_versions import compare_versions
from audioae.store.manifest import DatasetRef
from tests.evaluation.versions import commit_map, retrain, styled_store, unit
from tests.explore.browser.driver import Explorer, served
from tests.explore.browser.panels import panel

N = 40


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[str], Path]]:
    """A server over a store with two versions of the index, each with a map: its address, their names, the store."""
    folder = tmp_path_factory.mktemp("versions")
    store, _ = styled_store(folder / "store", N)
    places = np.stack([np.arange(N) % 8, np.arange(N) // 8], axis=1).astype(float)
    regions, names = (np.arange(N) % 2).tolist(), {0: "even", 1: "odd"}
    commit_map(store, places, regions, names)
    old = str(store.require("index"))
    retrain(store, lambda v: unit(v + 0.08 * np.random.default_rng(2).standard_normal(v.shape)))
    commit_map(store, places[:, ::-1] + 0.5, regions, names)
    with served(store.root, folder / "log", "--audio", "none", AUDIOAE_CACHE=str(folder / "cache")) as url:
        yield url, [old, str(store.require("index"))], Path(store.root)


@pytest.fixture
def comparing(open_page, versions, made) -> Explorer:
    """The panel, just opened; `made` built the page."""
    explorer = open_page(url=versions[0])
    panel(explorer, "compare")
    explorer.page.wait_for_selector(".second-map .map-view", timeout=30_000)
    return explorer


def test_numbers_are_those_of_the_library(comparing: Explorer, versions):
    from audioae.store.dataset import Store

    _, (old, new), root = versions
    wanted = compare_versions(Store(str(root)), DatasetRef.parse(old), DatasetRef.parse(new))
    assert comparing.texts(".compare-result .total")[0].startswith(f"{100 * wanted['overlap']['mean']:.0f} %")
    bins = [int(text or 0) for text in comparing.texts(".histogram li small")]
    assert bins == wanted["overlap"]["histogram"]
    assert comparing.texts(".sentences li") == wanted["sentences"]
    heads = comparing.texts(".compare-result tbody th")
    assert heads == [row["name"] for row in [*wanted["labels"], *wanted["regions"]]]
    summaries = comparing.texts(".changed summary")
    for text, row in zip(summaries, wanted["changed"], strict=False):
        assert text.startswith(f"{row['title']} – {row['artist']}: ")


def test_the_maps_are_linked(comparing: Explorer):
    row = 11
    comparing.click(row)
    comparing.wait("app.state.get('selected') === argument", row)
    spot = comparing.js(
        """((view) => {
          const box = view.element.getBoundingClientRect();
          const [x, y] = [view.points[2 * argument] - view.camera.x, view.points[2 * argument + 1] - view.camera.y];
          return [box.left + view.width / 2 + x * view.camera.zoom, box.top + view.height / 2 - y * view.camera.zoom];
        })(app.secondMap)""",
        23,
    )
    comparing.page.mouse.move(*spot)
    comparing.wait("app.state.get('hovered') === 23")
    assert comparing.js("app.map.view.marks.get('hovered').rows") == [23]
    assert comparing.js("app.secondMap.marks.get('selected').rows") == [row]


def test_the_map_is_colored_by_overlap(comparing: Explorer):
    comparing.page.get_by_role("button", name="Color the map by overlap").click()
    comparing.wait("app.state.get('color').startsWith('overlap ')")
    comparing.page.wait_for_selector(".legend-body .scale")
    assert comparing.texts("#color-by option")[-1].startswith("overlap@10")
    chosen = comparing.js("document.querySelector('#color-by').selectedOptions[0].textContent")
    assert chosen.startswith("overlap@10")


def test_a_changed_track_is_shown_with_its_neighbors(comparing: Explorer):
    first = comparing.page.locator(".changed details").first
    first.locator("summary").click()
    lists = first.locator(".playable")
    assert [lists.nth(place).locator("li").count() for place in (0, 1)] == [10, 10]
    first.get_by_role("button", name="Show on the map").click()
    comparing.wait("app.state.get('selected') !== null")
    title = comparing.track(comparing.state("selected"))["title"]
    assert first.locator("summary").inner_text().startswith(title)


def test_versions_are_in_the_address(comparing: Explorer, versions, open_page):
    url, (old, new), _ = versions
    comparing.page.get_by_role("combobox", name="Before").select_option(new)
    comparing.page.wait_for_selector("text=Choose two different versions")
    comparing.page.get_by_role("combobox", name="After").select_option(old)
    comparing.wait("new URLSearchParams(location.hash.slice(1)).get('compare') === argument", f"{new},{old}")
    other = open_page(comparing.js("location.hash"), url=url)
    other.page.wait_for_selector(".second-map .map-view")
    assert other.page.get_by_role("combobox", name="Before").input_value() == new
    assert other.page.get_by_role("combobox", name="After").input_value() == old
    assert other.violations() == []


def test_one_version_has_nothing_to_compare_with(explorer: Explorer):
    panel(explorer, "compare")
    explorer.page.wait_for_selector("text=The store has one version")
