"""Judge: by keyboard, by ear; no verdict is lost by a reload, a lost connection or a second person."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from audioae.screening.verdict_files import load_verdicts
from tests.explore.browser.driver import Explorer
from tests.explore.browser.panels import ask, download, panel

CHECK = "mislabeled"


@pytest.fixture(autouse=True)
def clean(server: str) -> Iterator[None]:
    """No verdicts before and after a test."""
    yield
    with httpx.Client(base_url=server, timeout=60) as client:
        while known := client.get("/v1/verdicts").json()["verdicts"]:
            sent = [{**{name: one[name] for name in ("check", "track_id", "by")}, "verdict": None} for one in known]
            sent = [{**one, "expected": other["verdict"]} for one, other in zip(sent, known, strict=True)]
            client.post("/v1/verdicts", json={"verdicts": sent}).raise_for_status()


def judge(explorer: Explorer, name: str = "Ada") -> list[dict[str, Any]]:
    """Open the panel on all findings of the check; returns them."""
    body = panel(explorer, "judge")
    body.get_by_label("Your name").fill(name)
    body.get_by_label("Your name").press("Tab")
    body.get_by_role("combobox", name="Check").select_option(CHECK)
    body.get_by_label("issues only").uncheck()
    found = ask(explorer, "/v1/findings", check=CHECK, limit=100)
    explorer.wait("document.querySelectorAll('.finding-list li').length === argument", found["total"])
    explorer.page.locator(".finding-card").focus()
    return found["worst"]


def press(explorer: Explorer, keys: str) -> None:
    for key in keys:
        explorer.page.keyboard.press(key)


def current(explorer: Explorer) -> str:
    return explorer.texts(".finding-card h3")[0]


def saved(explorer: Explorer) -> dict[str, tuple[str, str]]:
    """What the server has: track_id to verdict and who gave it."""
    rows = ask(explorer, "/v1/verdicts", check=CHECK)["verdicts"]
    return {row["track_id"]: (row["verdict"], row["by"]) for row in rows}


def pending(explorer: Explorer) -> int:
    return explorer.js("Object.keys(localStorage).filter((key) => key.startsWith('audioae.verdict/')).length")


def all_sent(explorer: Explorer) -> None:
    explorer.wait("!Object.keys(localStorage).some((key) => key.startsWith('audioae.verdict/'))")


def test_keys_give_verdicts_that_screening_reads(explorer: Explorer, tmp_path: Path):
    findings = judge(explorer)
    assert current(explorer) == f"1. {findings[0]['title']} – {findings[0]['artist']}"
    press(explorer, "ifsk")
    all_sent(explorer)
    first, second, third = (row["track_id"] for row in findings[:3])
    assert saved(explorer) == {first: ("issue", "Ada"), second: ("fine", "Ada")}
    assert current(explorer).startswith("3. ")
    assert explorer.texts(".judged") == [f"2 of {len(findings)} judged"]
    rows = explorer.js("app.tracks.rows([argument])", third)
    explorer.wait("app.state.get('selected') === argument", rows[0])
    press(explorer, "fu")
    all_sent(explorer)
    assert third not in saved(explorer)
    name, text = download(explorer, explorer.page.get_by_role("button", name="Download the verdicts").click)
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert load_verdicts(str(path))[CHECK] == {first: True, second: False}


def test_space_plays_and_neighbors_play_in_place(explorer: Explorer):
    findings = judge(explorer)
    press(explorer, "j")
    explorer.wait("document.querySelector('.finding-card h3').textContent.startsWith('2. ')")
    explorer.page.keyboard.press("Space")
    explorer.wait("app.player.current()?.track_id === argument && !app.player.audio.paused", findings[1]["track_id"])
    explorer.page.keyboard.press("Space")
    explorer.wait("app.player.audio.paused")
    near = findings[1]["evidence"]["neighbors"]
    others = explorer.page.locator(".finding-card .playable li")
    others.nth(len(near) - 1).wait_for()
    notes = explorer.texts(".finding-card .playable .note")
    for note, one in zip(notes, near, strict=True):
        same = one["label"] == findings[1]["label"]
        assert note == f"{one['label']} · {'says the same' if same else 'says otherwise'}"
    others.nth(1).get_by_role("button").click()
    explorer.wait("app.player.current()?.track_id === argument", near[1]["track_id"])


def test_the_second_in_question_is_played(explorer: Explorer):
    findings = judge(explorer)
    explorer.page.route(
        "**/v1/findings?*",
        lambda route: route.fulfill(
            json={
                **ask(explorer, "/v1/findings", check=CHECK),
                "worst": [{**findings[0], "evidence": {"listen_s": 2.5}}],
                "total": 1,
            }
        ),
    )
    explorer.page.get_by_label("issues only").check()
    explorer.page.get_by_role("button", name="Play at 0:03").wait_for()
    explorer.page.locator(".finding-card").focus()
    press(explorer, "p")
    explorer.wait("app.player.current()?.from === 2.5")


def test_a_reload_keeps_what_could_not_be_sent(explorer: Explorer):
    # Before the panel opens: on a busy machine the browser may send a request that closely follows `route` past it.
    explorer.page.route("**/v1/verdicts", lambda route: route.abort())
    findings = judge(explorer)
    press(explorer, "if")
    # With the reason: what has not failed yet would arrive as soon as the route is gone.
    explorer.page.wait_for_selector("text=/cannot be reached.*2 verdicts are kept in this browser/")
    assert (pending(explorer), saved(explorer)) == (2, {})
    explorer.page.unroute("**/v1/verdicts")
    explorer.load("#panel=track")
    all_sent(explorer)
    assert saved(explorer) == {findings[0]["track_id"]: ("issue", "Ada"), findings[1]["track_id"]: ("fine", "Ada")}
    judge(explorer)
    assert explorer.texts(".judged") == [f"2 of {len(findings)} judged"]
    explorer.expect("Failed to load resource")


def test_two_people_who_judge_one_track_see_both_verdicts(explorer: Explorer, open_page):
    first = judge(explorer, "Ada")[0]["track_id"]
    other = open_page()
    judge(other, "Bo")
    press(explorer, "i")
    all_sent(explorer)
    press(other, "f")  # Bo's page does not know of Ada's yet
    conflict = other.page.locator(".conflict")
    conflict.wait_for()
    assert "Ada says issue" in conflict.inner_text()
    assert "you (Bo) said fine" in conflict.inner_text()
    assert saved(other) == {first: ("issue", "Ada")}  # nothing was overwritten
    conflict.get_by_role("button", name="Use mine").click()
    all_sent(other)
    other.wait("!document.querySelector('.conflict')")
    assert saved(other)[first] == ("fine", "Bo")


def test_a_conflict_may_leave_the_other_verdict(explorer: Explorer, open_page):
    first = judge(explorer, "Ada")[0]["track_id"]
    other = open_page()
    judge(other, "Bo")
    press(explorer, "i")
    all_sent(explorer)
    press(other, "f")
    other.page.get_by_role("button", name="Keep Ada").click()
    other.wait("!document.querySelector('.conflict')")
    assert saved(other) == {first: ("issue", "Ada")}
    assert "issue" in other.texts(".finding-list li small")[0]


def test_a_name_is_asked_for_once(explorer: Explorer):
    judge(explorer, "")
    press(explorer, "i")
    explorer.page.wait_for_selector("text=Write your name first")
    assert saved(explorer) == {}
    explorer.page.keyboard.type("Cy")
    explorer.page.keyboard.press("Tab")
    explorer.page.locator(".finding-card").focus()
    press(explorer, "i")
    all_sent(explorer)
    assert {by for _, by in saved(explorer).values()} == {"Cy"}
    explorer.load("#panel=judge")
    assert explorer.page.get_by_label("Your name").input_value() == "Cy"


def test_letters_in_a_field_are_no_verdicts(explorer: Explorer):
    judge(explorer)
    explorer.page.get_by_label("Your name").focus()
    explorer.page.keyboard.type("fij")
    assert saved(explorer) == {}
    assert current(explorer).startswith("1. ")


def test_nothing_serious_for_people_who_use_assistive_technology(explorer: Explorer):
    judge(explorer)
    explorer.page.wait_for_selector(".finding-card .playable li")
    assert explorer.violations() == []
