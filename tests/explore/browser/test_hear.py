"""Hearing: a click plays the track, the page shows where it is, and the keys walk through the neighborhood."""

import numpy as np

from tests.explore.browser.driver import Explorer

N_COLORS = """((canvas) => {
  const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return new Set(Array.from({length: data.length / 4}, (_, at) => data.slice(4 * at, 4 * at + 3).join())).size;
})(document.querySelector(".spectrogram canvas"))"""
LISTED = "[...document.querySelectorAll('#panel-track .tracks li')].map((one) => Number(one.dataset.row))"


def wait_for_sound(explorer: Explorer, track_id: str) -> None:
    explorer.wait("app.player.current()?.track_id === argument", track_id)
    explorer.wait("!app.player.audio.paused && app.player.audio.currentTime > 0.2")


def test_a_click_plays_and_shows_the_second(explorer: Explorer):
    meta = explorer.track(12)
    explorer.click(12)
    wait_for_sound(explorer, meta["track_id"])
    assert explorer.state("selected") == 12
    assert explorer.texts(".player .title") == [meta["title"]]
    assert abs(explorer.js("app.player.audio.duration") - min(30, meta["duration_s"])) < 0.2
    second = float(explorer.page.locator(".time").get_attribute("data-second") or 0)
    explorer.wait("Number(document.querySelector('.time').dataset.second) > argument", second)
    explorer.wait("parseFloat(document.querySelector('.cursor').style.left) > 0")
    explorer.page.wait_for_selector(".spectrogram.drawn")
    assert explorer.js(N_COLORS) > 30


def test_space_pauses_and_goes_on(explorer: Explorer):
    explorer.click(3)
    wait_for_sound(explorer, explorer.track(3)["track_id"])
    explorer.page.keyboard.press(" ")
    explorer.wait("app.player.audio.paused")
    explorer.page.keyboard.press(" ")
    explorer.wait("!app.player.audio.paused")
    explorer.page.keyboard.press("Escape")
    explorer.wait("app.player.current() === null")
    assert explorer.texts(".player .who") == ["Nothing plays"]
    assert explorer.js("document.querySelectorAll('.player [inert]').length") == 2


def test_the_map_stays_where_it_is_when_a_track_begins(explorer: Explorer):
    before = explorer.settled(12)
    explorer.click(12)
    wait_for_sound(explorer, explorer.track(12)["track_id"])
    assert explorer.settled(12) == before


def test_the_slider_moves_the_sound(explorer: Explorer):
    explorer.click(3)
    wait_for_sound(explorer, explorer.track(3)["track_id"])
    box = explorer.page.locator(".spectrogram").bounding_box()
    explorer.page.mouse.click(box["x"] + 0.8 * box["width"], box["y"] + box["height"] / 2)
    explorer.wait("app.player.audio.currentTime > 0.75 * app.player.audio.duration")


def test_arrow_keys_go_to_the_neighbor_that_way(explorer: Explorer):
    places = explorer.places()
    middle = int(np.flatnonzero((places == (3, 2)).all(1))[0])
    explorer.click(middle)
    wait_for_sound(explorer, explorer.track(middle)["track_id"])
    near = explorer.js("app.actions.neighbors(argument, 60).then((list) => list.map((one) => one.row))", middle)
    away = places - places[middle]
    right = next(row for row in near if away[row][0] > 0 and abs(away[row][1]) <= away[row][0])
    explorer.page.keyboard.press("ArrowRight")
    explorer.wait("app.state.get('selected') === argument", right)
    wait_for_sound(explorer, explorer.track(right)["track_id"])


def test_shift_click_adds_a_negative_seed_and_changes_the_neighbors(explorer: Explorer):
    explorer.click(12)
    wait_for_sound(explorer, explorer.track(12)["track_id"])  # the player makes the map smaller
    explorer.page.wait_for_selector("#panel-track .tracks li")
    before = explorer.js(LISTED)
    avoided = before[0]
    explorer.click(avoided, modifiers=("Shift",))
    assert explorer.state("minus") == [avoided]
    assert explorer.state("selected") == 12
    asked = explorer.js(
        """app.api.post("v1/similar", {seeds: [{track_id: argument[0]}], minus: [{track_id: argument[1]}], k: 30})
          .then((answer) => answer.neighbors.map((one) => one.track_id))""",
        [explorer.track(12)["track_id"], explorer.track(avoided)["track_id"]],
    )
    rows = explorer.js("app.tracks.rows(argument)", asked)
    explorer.wait(
        f"JSON.stringify({LISTED}) === JSON.stringify(argument)",
        rows,
    )
    assert rows != before
    explorer.page.locator("#panel-track .chip.minus").click()
    explorer.wait("app.state.get('minus').length === 0")


def test_the_list_is_the_map_for_the_keyboard(explorer: Explorer):
    explorer.click(12)
    explorer.page.wait_for_selector("#panel-track .tracks li")
    explorer.page.locator("#panel-track .tracks .go").first.focus()
    explorer.page.keyboard.press("ArrowDown")
    row = explorer.js("Number(document.activeElement.closest('li').dataset.row)")
    assert explorer.state("hovered") == row
    explorer.page.keyboard.press("Enter")
    explorer.wait("app.state.get('selected') === argument", row)
    wait_for_sound(explorer, explorer.track(row)["track_id"])


def test_a_queue_plays_one_after_another(explorer: Explorer):
    ids = [explorer.track(row)["track_id"] for row in (1, 2)]
    explorer.page.mouse.click(*explorer.at(0))  # a browser plays only after a person did something
    wait_for_sound(explorer, explorer.track(0)["track_id"])
    explorer.js("app.player.queue(argument.map((track_id) => ({track_id, start_s: 2})))", ids)
    wait_for_sound(explorer, ids[0])
    explorer.js("app.player.audio.currentTime = app.player.audio.duration - 0.1")
    wait_for_sound(explorer, ids[1])
    assert float(explorer.page.locator(".time").get_attribute("data-second")) >= 2
    assert explorer.page.get_by_role("button", name="Next clip").is_disabled()


def test_a_clip_that_cannot_be_cut_is_said(explorer: Explorer):
    explorer.click(0)
    wait_for_sound(explorer, explorer.track(0)["track_id"])  # or the click's own clip begins after it, and replaces it
    explorer.js("app.player.play('nobody')")
    explorer.page.wait_for_selector(".fault:not([hidden])")
    assert "nobody" in explorer.texts(".fault")[0]
    explorer.expect("404", "console: Failed to load resource")
