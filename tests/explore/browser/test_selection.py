"""Lasso: what the panel counts is what is inside, and each way out leads there."""

import csv
import io
from collections import Counter

import pytest

from tests.explore.browser.driver import Explorer
from tests.explore.browser.panels import ask, bars, download, lasso, panel


@pytest.fixture
def selected(explorer: Explorer) -> list[int]:
    """The rows of a lasso around a quarter of the map."""
    panel(explorer, "selection")
    assert "Nothing is selected" in explorer.texts("#panel-selection .empty")[0]
    rows = lasso(explorer, (0, 0), (2, 2))
    explorer.page.wait_for_selector("#panel-selection .total")
    return rows


def test_counts_are_those_of_the_tracks_inside(explorer: Explorer, selected: list[int]):
    assert len(selected) == 9
    tracks = [explorer.track(row) for row in selected]
    assert explorer.texts("#panel-selection .total") == ["9 tracks selected"]
    labels = Counter(track["label"] for track in tracks)
    section = explorer.page.locator(
        "#panel-selection section", has=explorer.page.locator(".bar-list[aria-label=Labels]")
    )
    shown = dict(bars(section))
    assert shown.keys() == labels.keys()
    everyone = Counter(explorer.track(row)["label"] for row in range(36))
    for label, n in labels.items():
        lift = (n / 9) / (everyone[label] / 36)
        share = 100 * n / 9
        assert shown[label] == f"{share:.0f} % {n} · {lift:.1f}×", label


def test_typical_and_odd_tracks_play(explorer: Explorer, selected: list[int]):
    answer = ask(explorer, "/v1/map/selection", explorer.state("selection"))
    assert answer["n"] == len(selected)
    lists = explorer.page.locator("#panel-selection .rows")
    lists.nth(1).locator("li").first.wait_for()
    for place, name in enumerate(("typical", "odd")):
        rows = [int(item.get_attribute("data-row") or -1) for item in lists.nth(place).locator("li").all()]
        assert rows == answer[name]
        assert set(rows) <= set(selected)
    lists.nth(0).locator("button.go").first.click()
    explorer.wait("app.player.current()?.row === argument", answer["typical"][0])


def test_it_goes_out_as_files(explorer: Explorer, selected: list[int]):
    ids = {explorer.track(row)["track_id"] for row in selected}
    page = explorer.page.locator("#panel-selection")
    name, text = download(explorer, page.get_by_role("button", name="CSV", exact=True).click)
    rows = list(csv.DictReader(io.StringIO(text.lstrip("\ufeff"))))
    assert (name, {row["track_id"] for row in rows}) == ("selection.csv", ids)
    name, text = download(explorer, page.get_by_role("button", name="M3U8").click)
    assert name == "selection.m3u8"
    assert text.startswith("#EXTM3U")
    assert text.count("#EXTINF") == len(ids)
    page.get_by_role("textbox", name="Label").fill('Late "Night", 2')
    name, text = download(explorer, page.get_by_role("button", name="Download labels").click)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert (name, {row["track_id"] for row in rows}) == ("labels.csv", ids)
    assert {row["label"] for row in rows} == {'Late "Night", 2'}


def test_it_becomes_a_filter(explorer: Explorer, selected: list[int]):
    explorer.page.get_by_role("button", name="Keep only these").click()
    explorer.wait("app.state.get('filters')?.allow_ids?.length === argument", len(selected))
    explorer.wait("[...app.map.view.flags].filter((one) => !one).length === argument", len(selected))
    assert [row for row in range(36) if not explorer.js("app.map.view.flags[argument]", row)] == selected
    assert explorer.state("selection") is None


def test_it_becomes_seeds_and_a_walk(explorer: Explorer, selected: list[int]):
    typical = ask(explorer, "/v1/map/selection", explorer.state("selection"))["typical"]
    explorer.page.get_by_role("button", name="Search from it").click()
    assert (explorer.state("seeds"), explorer.state("panel")) == (typical[:10], "track")
    panel(explorer, "selection")
    explorer.page.get_by_role("button", name="Walk through it").click()
    ends = explorer.state("waypoints")
    assert (len(ends), explorer.state("panel")) == (2, "walk")
    assert set(ends) <= set(typical)
    explorer.page.wait_for_selector(".walk-list li")


def test_a_lasso_around_nothing_says_so(explorer: Explorer):
    panel(explorer, "selection")
    explorer.js("app.state.set({selection: {polygon: [[900, 900], [901, 900], [901, 901]]}})")
    explorer.page.wait_for_selector("text=No track is inside")


def test_nothing_serious_for_people_who_use_assistive_technology(explorer: Explorer, selected: list[int]):
    explorer.page.wait_for_selector("#panel-selection .rows li")
    assert explorer.violations() == []
