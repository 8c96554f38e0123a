"""Walk: waypoints become a playlist over the map; rules, swaps and files are those of `/v1/playlist`."""

import csv
import io
import json
from typing import Any

import pytest

from tests.explore.browser.driver import Explorer
from tests.explore.browser.panels import ask, download, panel

ENDS = (2, 33)


@pytest.fixture
def walking(explorer: Explorer) -> list[str]:
    """A walk between two tracks, added by keyboard; the track_ids of its list."""
    body = panel(explorer, "walk")
    body.get_by_role("spinbutton", name="Length").fill("8")
    body.get_by_role("spinbutton", name="Length").press("Tab")
    for row in ENDS:
        explorer.click(row)
        explorer.wait("app.state.get('selected') === argument", row)
        explorer.page.keyboard.press("w")
    return walked(explorer, 8)


def walked(explorer: Explorer, n: int) -> list[str]:
    explorer.wait("document.querySelectorAll('.walk-list li').length === argument", n)
    return [explorer.track(row)["track_id"] for row in explorer.js("app.map.view.marks.get('path').rows")]


def listed(explorer: Explorer, answer: dict) -> None:
    """Wait until the list is that of an answer."""
    titles = [entry["title"] for entry in answer["entries"]]
    explorer.wait(
        """[...document.querySelectorAll('.walk-list .go b')].map((title) => title.textContent)
          .every((title, at) => title.startsWith(argument[at]))""",
        titles,
    )
    explorer.wait("document.querySelectorAll('.walk-list li').length === argument", len(titles))


def request(explorer: Explorer, **changes) -> dict:
    ids = [explorer.track(row)["track_id"] for row in explorer.state("waypoints")]
    return {"waypoints": [{"track_id": one} for one in ids], "n": 8, **changes}


def test_the_list_is_what_the_server_answers(explorer: Explorer, walking: list[str]):
    answer = ask(explorer, "/v1/playlist", request(explorer))
    assert explorer.state("waypoints") == list(ENDS)
    assert walking == [entry["track_id"] for entry in answer["entries"]]
    steps = explorer.texts(".walk-list .step small")
    assert steps == ["start", *(f"{entry['step']:.3f} rad" for entry in answer["entries"][1:])]
    assert explorer.texts(".walk-result .total")[0].startswith("8 tracks, ")
    titles = explorer.texts(".walk-list .go b")
    assert all(title.startswith(entry["title"]) for title, entry in zip(titles, answer["entries"], strict=True))


def test_rules_change_it_at_once(explorer: Explorer, walking: list[str]):
    body = panel(explorer, "walk")
    body.get_by_role("spinbutton", name="Length").fill("5")
    body.get_by_role("spinbutton", name="Length").press("Tab")
    assert walked(explorer, 5) != walking
    body.get_by_text("Rules").click()
    body.get_by_label("Variant (any number)").fill("7")
    body.get_by_label("No artist twice within (tracks)").fill("1")
    body.get_by_label("No artist twice within (tracks)").press("Tab")
    answer = ask(explorer, "/v1/playlist", request(explorer, n=5, seed=7, artist_window=1))
    listed(explorer, answer)
    assert walked(explorer, 5) == [entry["track_id"] for entry in answer["entries"]]


def test_tracks_are_swapped_removed_and_kept(explorer: Explorer, walking: list[str]):
    items = explorer.page.locator(".walk-list li")
    items.nth(3).get_by_role("button", name="Swap for another track").click()
    explorer.wait(
        "!document.querySelector('#panel-walk .status.busy') && app.map.view.marks.get('path').rows.length === 8"
    )
    answer = ask(explorer, "/v1/playlist", request(explorer, filters={"deny_ids": [walking[3]]}))
    ids = [entry["track_id"] for entry in answer["entries"]]
    listed(explorer, answer)
    assert walking[3] not in ids
    items.nth(2).get_by_role("button", name="Remove").click()
    shorter = walked(explorer, 7)
    assert ids[2] not in shorter
    items.nth(4).get_by_role("button", name="Keep it: a waypoint").click()
    explorer.wait("app.state.get('waypoints').length === 3")
    assert explorer.track(explorer.state("waypoints")[1])["track_id"] == shorter[4]
    explorer.wait("document.querySelectorAll('.waypoints li').length === 3")
    explorer.page.locator(".waypoints li").nth(1).get_by_role("button", name="Remove").click()
    explorer.wait("app.state.get('waypoints').length === 2")


def test_a_search_for_a_path_moves_nothing(explorer: Explorer, walking: list[str]):
    """What is said meanwhile has its line already: a button that is about to be pressed stays where it is."""
    waiting: list[Any] = []
    explorer.page.route("**/v1/playlist", lambda route: waiting.append(route))
    points = explorer.page.locator(".waypoints")
    points.scroll_into_view_if_needed()
    before = points.bounding_box()
    points.get_by_role("button", name="Later").first.click()
    explorer.page.locator("#panel-walk .status.busy").wait_for()
    assert points.bounding_box() == before
    waiting.pop().continue_()
    explorer.page.locator("#panel-walk .status.busy").wait_for(state="hidden")
    assert points.bounding_box() == before


def test_it_plays_end_to_end(explorer: Explorer, walking: list[str]):
    explorer.page.get_by_role("button", name="Play it all").click()
    explorer.wait("app.player.current()?.track_id === argument", walking[0])
    for track_id in walking[1:3]:
        explorer.js("app.player.audio.dispatchEvent(new Event('ended'))")
        explorer.wait("app.player.current()?.track_id === argument", track_id)
    explorer.page.locator(".walk-list .play").nth(5).click()
    explorer.wait("app.player.current()?.track_id === argument", walking[5])


def test_it_goes_out_as_files(explorer: Explorer, walking: list[str]):
    body = panel(explorer, "walk")
    name, text = download(explorer, body.get_by_role("button", name="Download as JSON").click)
    document = json.loads(text)
    assert (name, [entry["track_id"] for entry in document["entries"]]) == ("walk.json", walking)
    name, text = download(explorer, body.get_by_role("button", name="Download as CSV").click)
    assert name == "walk.csv"
    assert [row["track_id"] for row in csv.DictReader(io.StringIO(text.lstrip("\ufeff")))] == walking
    name, text = download(explorer, body.get_by_role("button", name="Download as M3U8").click)
    assert (name, text.count("#EXTINF")) == ("walk.m3u8", 8)


def test_one_waypoint_asks_for_another(explorer: Explorer):
    panel(explorer, "walk")
    explorer.page.wait_for_selector("#panel-walk .empty:has-text('press w')")
    explorer.click(4)
    explorer.wait("app.state.get('selected') === 4")
    explorer.page.get_by_role("button", name="Add the selected track").click()
    explorer.page.wait_for_selector("text=Add one more waypoint")
    explorer.page.get_by_label("a click on the map adds").check()
    explorer.click(20)
    explorer.wait("app.state.get('waypoints').length === 2")
    explorer.page.wait_for_selector(".walk-list li")


def test_a_rule_that_cannot_be_kept_is_said(explorer: Explorer, walking: list[str]):
    body = panel(explorer, "walk")
    body.get_by_text("Rules").click()
    body.get_by_label("fail rather than relax a rule").check()
    body.get_by_label("Energy steps up to (dB)").fill("0.1")
    body.get_by_label("Energy steps up to (dB)").press("Tab")
    status = body.locator(".status.failed")
    status.wait_for()
    assert "energy" in status.inner_text()
    explorer.expect("422", "console: Failed to load resource")


def test_nothing_serious_for_people_who_use_assistive_technology(explorer: Explorer, walking: list[str]):
    assert len(walking) == 8
    assert explorer.violations() == []
