"""The map: every track is there in its color, names its track, moves, and obeys legend, filters and lasso."""

import io

import numpy as np
import pytest

from tests.explore.browser.driver import Explorer
from tests.explore.made_map import REGIONS


def colors_at(explorer: Explorer, rows: list[int]) -> np.ndarray:
    """The color of the pixel at each row's point, shape (len(rows), 3)."""
    from PIL import Image

    picture = np.asarray(Image.open(io.BytesIO(explorer.page.screenshot())).convert("RGB"))
    return np.array([picture[round(y), round(x)] for x, y in map(explorer.at, rows)])


def rgb(color: str) -> np.ndarray:
    return np.array([int(part) for part in color.removeprefix("rgb(").removesuffix(")").split(",")])


def swatches(explorer: Explorer) -> dict[str, np.ndarray]:
    """The legend: a color for each value."""
    found = explorer.js(
        """[...document.querySelectorAll(".legend button")].map((one) =>
          [one.querySelector("span").textContent, getComputedStyle(one.querySelector("i")).backgroundColor])"""
    )
    return {value: rgb(color) for value, color in found}


def test_every_track_has_the_color_of_its_label(explorer: Explorer):
    rows = list(range(explorer.js("app.map.n")))
    assert len(rows) == 36
    explorer.page.wait_for_timeout(400)
    legend, seen = swatches(explorer), colors_at(explorer, rows)
    for row in rows:
        expected = legend[explorer.track(row)["label"]]
        assert np.abs(seen[row] - expected).max() <= 40, (row, seen[row], expected)
    assert len({tuple(color) for color in legend.values()}) >= 10


@pytest.mark.parametrize("height", [420, 800])
def test_nothing_covers_a_point_of_the_whole_map(open_page, height: int):
    explorer = open_page(height=height)
    covering = explorer.js(
        "argument.map(([x, y]) => document.elementFromPoint(x, y).tagName)",
        [explorer.settled(row) for row in range(36)],
    )
    assert covering == ["CANVAS"] * 36


@pytest.mark.parametrize("place", ["under the tools", "under the legend"])
def test_a_track_that_is_covered_is_brought_into_view(explorer: Explorer, place: str):
    box = explorer.page.locator(".tools" if "tools" in place else ".legend").first.bounding_box()
    x, y = explorer.settled(9)
    edge = (box["x"] + 20, box["y"] + box["height"] - 1)
    explorer.js("app.map.view.pan(...argument)", [edge[0] - x, edge[1] - y])
    assert explorer.at(9) == pytest.approx(edge)
    explorer.js("app.map.flyTo([9])")
    explorer.page.wait_for_timeout(500)
    covering = explorer.js("document.elementFromPoint(...argument).tagName", [*explorer.settled(9)])
    assert covering == "CANVAS"


def test_a_number_colors_the_points_by_a_scale(explorer: Explorer):
    explorer.page.select_option("#color-by", "duration_s")
    explorer.page.wait_for_selector(".legend-body .scale")
    explorer.page.wait_for_timeout(400)
    lengths = [explorer.track(row)["duration_s"] for row in range(36)]
    seen = colors_at(explorer, [int(np.argmin(lengths)), int(np.argmax(lengths))]).sum(1)
    assert seen[0] - seen[1] > 100  # on a light page, long is dark
    assert explorer.texts(".ends span")[0].endswith(" s")


def test_the_pointer_names_a_track(explorer: Explorer):
    meta = explorer.track(7)
    explorer.page.mouse.move(*explorer.at(7))
    explorer.page.wait_for_selector(".tip[data-row='7']")
    title, rest = explorer.texts(".tip > *")
    assert title == meta["title"]
    assert meta["artist"] in rest
    assert meta["label"] in rest
    assert explorer.state("hovered") == 7
    explorer.page.mouse.move(5, 5)
    explorer.wait("app.state.get('hovered') === null")
    assert not explorer.page.locator(".tip").is_visible()


def test_wheel_drag_and_keys_move_the_map(explorer: Explorer):
    explorer.page.mouse.move(*explorer.at(9))
    before = explorer.js("app.map.view.camera.zoom")
    place = explorer.at(9)
    explorer.page.mouse.wheel(0, -400)
    explorer.wait("app.map.view.camera.zoom > 2 * argument", before)
    assert explorer.at(9) == pytest.approx(place, abs=2)
    explorer.page.mouse.down()
    explorer.page.mouse.move(place[0] + 60, place[1] - 40, steps=4)
    explorer.page.mouse.up()
    assert explorer.at(9) == pytest.approx((place[0] + 60, place[1] - 40), abs=2)
    assert explorer.state("selected") is None  # a drag is no click
    explorer.page.keyboard.press("0")
    explorer.wait("Math.abs(app.map.view.camera.zoom - argument) < 1e-3 * argument", before)
    explorer.page.keyboard.press("+")
    assert explorer.js("app.map.view.camera.zoom") == pytest.approx(1.5 * before, rel=2e-3)
    explorer.page.keyboard.press("-")
    assert explorer.js("app.map.view.camera.zoom") == pytest.approx(before, rel=2e-3)


def test_a_category_of_the_legend_is_shown_alone(explorer: Explorer):
    explorer.page.wait_for_timeout(400)
    first = explorer.page.locator(".legend button").first
    label = explorer.texts(".legend button span")[0]
    first.click()
    assert explorer.page.locator(".legend button").first.get_attribute("aria-pressed") == "true"
    faint = [row for row in range(36) if explorer.js("app.map.view.flags[argument]", row)]
    assert faint == [row for row in range(36) if explorer.track(row)["label"] != label]
    explorer.page.locator(".legend button").first.click()
    assert not any(explorer.js("[...app.map.view.flags]"))


def test_a_lasso_selects_what_is_inside(explorer: Explorer):
    explorer.page.locator(".map-view").focus()
    explorer.page.keyboard.press("l")
    assert explorer.page.get_by_role("button", name="Lasso").get_attribute("aria-pressed") == "true"
    places = explorer.places()
    corner = {place: explorer.at(row) for row, place in enumerate(map(tuple, places))}
    (left, bottom), (right, top) = corner[0, 0], corner[2, 2]
    corners = [(left - 12, bottom + 12), (left - 12, top - 12), (right + 12, top - 12), (right + 12, bottom + 12)]
    explorer.page.mouse.move(*corners[0])
    explorer.page.mouse.down()
    for spot in (*corners[1:], corners[0]):
        explorer.page.mouse.move(*spot, steps=5)
    explorer.page.mouse.up()
    explorer.wait("app.state.get('selection')?.polygon.length > 3")
    inside = [row for row in range(36) if not explorer.js("app.map.view.flags[argument]", row)]
    assert inside == np.flatnonzero((places <= 2).all(1)).tolist()
    assert len(inside) == 9
    explorer.page.locator(".map-view").focus()
    explorer.page.keyboard.press("Escape")
    explorer.wait("app.state.get('selection') === null")
    assert not any(explorer.js("[...app.map.view.flags]"))


def test_a_view_can_be_sent(explorer: Explorer, open_page):
    track = explorer.track(4)["track_id"]
    explorer.js("app.actions.choose(4, {})")
    explorer.js("(app.actions.toggle('minus', 6), app.actions.toggle('waypoints', 9), app.map.view.zoom(3))")
    explorer.js("app.state.set({color: 'artist', panel: 'find', filters: {duration_s: {gte: 6.5}}})")
    explorer.wait("location.hash.includes('filters') && location.hash.includes('way')")
    address = explorer.js("location.hash")
    assert f"track={track}" in address
    other = open_page(address)
    assert [other.state(name) for name in ("selected", "minus", "waypoints", "color", "panel")] == [
        4,
        [6],
        [9],
        "artist",
        "find",
    ]
    assert other.state("filters") == {"duration_s": {"gte": 6.5}}
    assert other.js("app.map.view.camera.zoom") == pytest.approx(explorer.js("app.map.view.camera.zoom"), rel=1e-4)
    long = [row for row in range(36) if (other.track(row)["duration_s"] or 0) >= 6.5]
    other.wait("[...app.map.view.flags].filter((one) => !one).length === argument", len(long))
    assert other.page.locator("#color-by").input_value() == "artist"


def test_an_address_of_nonsense_opens_the_map(open_page):
    explorer = open_page("#track=nobody&at=1,NaN,0&filters={&color=smell&panel=none&area=1,2;x&row=1&only=x")
    assert explorer.state("selected") is None
    assert explorer.state("color") == "label"
    assert explorer.page.locator("#panel-track").is_visible()


def test_names_of_regions_are_drawn_as_text(explorer: Explorer):
    assert {one["name"] for one in explorer.js("app.info.regions")} == set(REGIONS)
    assert explorer.page.locator(".map-view b").count() == 0
