"""A listening test from the command to the score, answered by keyboard in a real browser."""

import json
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from audioae.cli import app
from audioae.store.dataset import Store

TRIALS = 'JSON.parse(document.getElementById("data").textContent).trials'


def invoke(*arguments: str) -> dict:
    done = CliRunner().invoke(app, ["listen", *arguments, "--json"])
    assert done.exception is None, repr(done.exception)
    return json.loads(done.stdout)


def answer(page, choice: str) -> None:
    """Play all three clips, choose, and go on."""
    for name in "xab":
        page.keyboard.press(name)
        page.wait_for_selector(f"#play-{name}.heard")
    page.keyboard.press("1" if choice == "a" else "2")
    page.keyboard.press("ArrowRight")


def test_a_person_answers_and_the_score_is_theirs(chromium, store: Store, tmp_path: Path):
    out = tmp_path / "listen.html"
    made = invoke("make", "-o", str(out), "--pairs", "3", "--store", store.root)
    assert made["omitted"] == []
    table = store.read(store.require("embeddings"), ["track_id", "embedding"])
    vectors = dict(zip(table["track_id"].to_pylist(), np.array(table["embedding"].to_pylist()), strict=True))
    titles = store.read(store.require("tracks"), ["title"])["title"].to_pylist()

    context = chromium.new_context()
    page, faults, asked = context.new_page(), [], []
    page.on("console", lambda line: line.type in ("error", "warning") and faults.append(line.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(out.as_uri())
    trials = page.evaluate(TRIALS)
    assert len(trials) == made["trials"]
    closer = [
        max("ab", key=lambda side, one=one: vectors[one["x"]["track_id"]] @ vectors[one[side]["track_id"]])
        for one in trials
    ]

    shown = page.locator("body").inner_text()
    assert not [title for title in titles if title and title in shown]
    assert not [track for track in vectors if track in shown]
    assert not [word for word in ("easy", "medium", "hard", "catch", "repeated") if word in shown]
    page.keyboard.press("1")  # nothing was played yet
    assert page.locator("#hint").inner_text() == "Play X, A, B first."
    assert page.locator("#choose-a").is_disabled()

    for choice in closer[:3]:
        answer(page, choice)
    page.reload()
    assert page.locator("#where").inner_text() == f"Question 4 of {len(trials)}"
    for choice in closer[3:]:
        answer(page, choice)
    assert "All questions are answered" in page.locator("#hint").inner_text()
    page.get_by_label("Your name").fill("Ada <b>")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save answers").press("Enter")
    download.value.save_as(tmp_path / "answers.json")
    context.close()
    assert faults == []
    assert {url.partition(":")[0] for url in asked} <= {"file", "blob"}

    scored = invoke("score", str(tmp_path / "answers.json"), "--store", store.root)
    assert scored["agreement"][0]["value"] == 1.0
    assert scored["agreement"][0]["n"] == 3
    (row,) = scored["listeners"]
    assert (row["listener"], row["answers"], row["catch_failed"], row["catch"]) == ("Ada <b>", len(trials), 0, 2)
    assert row["same_again"] == row["repeated"] == sum(one["repeated"] for one in trials) > 0
    assert {row["vectors"] for row in scored["agreement"]} == {"model", "MFCC"}
