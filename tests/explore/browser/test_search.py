"""Searching: by text, by label, by a file of one's own; tags are text; a key is asked for where one is needed."""

import base64
from pathlib import Path

import pytest

from audioae.serve.auth import hash_key
from tests.explore.browser.driver import Explorer, served
from tests.explore.browser.hostile import ARTIST, LABEL, TITLE

KEY = "a key of the tests"
DROP = """([name, content]) => {
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], name, {type: "audio/flac"}));
  for (const kind of ["dragover", "drop"])
    document.body.dispatchEvent(new DragEvent(kind, {dataTransfer: data, bubbles: true, cancelable: true}));
}"""


def drop(explorer: Explorer, path: Path) -> None:
    """Drop a file on the page, as a person's mouse does."""
    explorer.page.evaluate(DROP, [path.name, base64.b64encode(path.read_bytes()).decode()])


def test_a_title_is_found_and_plays(explorer: Explorer):
    meta = explorer.track(5)
    explorer.page.get_by_label("Search tracks").press_sequentially(meta["title"], delay=5)
    explorer.page.locator("#panel-find h3", has_text=f"for “{meta['title']}”").wait_for()
    assert explorer.texts("#panel-find h3")[0].endswith(f"for “{meta['title']}”")
    explorer.page.keyboard.press("Enter")  # to the first result
    explorer.page.locator("#panel-find .tracks li[data-row='5'] .go").click()
    explorer.wait("app.state.get('selected') === 5 && !app.player.audio.paused")


def test_the_newest_question_wins(explorer: Explorer):
    title = explorer.track(8)["title"]
    explorer.page.get_by_label("Search tracks").fill("zzzz nobody")
    explorer.page.wait_for_selector("#panel-find .empty")
    explorer.page.get_by_label("Search tracks").fill(title)
    explorer.page.wait_for_selector("#panel-find .tracks li[data-row='8']")
    explorer.page.get_by_label("Search tracks").fill("")
    explorer.wait("document.querySelectorAll('#panel-find .tracks').length === 0")


def test_a_label_becomes_a_filter_of_map_and_lists(explorer: Explorer):
    label = explorer.track(5)["label"]
    rows = [row for row in range(36) if explorer.track(row)["label"] == label]
    explorer.page.get_by_label("Search tracks").fill(label[:-1])
    explorer.page.get_by_role("button", name=f"Label {label}").click()
    assert explorer.state("filters") == {"label": [label]}
    explorer.wait("[...app.map.view.flags].filter((one) => !one).length === argument", len(rows))
    assert [row for row in range(36) if not explorer.js("app.map.view.flags[argument]", row)] == rows
    assert explorer.texts(".passing") == [f"{len(rows)} of 36 tracks pass"]
    assert explorer.page.locator("#filter-label").input_value() == label
    neighbors = explorer.js("app.actions.neighbors(0, 30).then((list) => list.map((one) => one.row))")
    assert set(neighbors) <= set(rows)
    explorer.page.get_by_role("button", name="Clear").click()
    explorer.wait("app.state.get('filters') === null && ![...app.map.view.flags].some(Boolean)")


def test_the_form_makes_the_filters_of_the_api(explorer: Explorer):
    tracks = [explorer.track(row) for row in range(36)]
    artists = sorted({tracks[0]["artist"], tracks[9]["artist"]})
    passing = [track for track in tracks if track["artist"] in artists and track["duration_s"] >= 6.5]
    explorer.page.get_by_role("tab", name="Find").click()
    explorer.page.get_by_label("Length from, s").fill("6.5")
    explorer.page.locator("#filter-artist").fill("; ".join(artists))
    explorer.wait("app.state.get('filters')?.artist")
    assert explorer.state("filters") == {"artist": artists, "duration_s": {"gte": 6.5}}
    explorer.wait("document.querySelector('.passing').textContent === argument", f"{len(passing)} of 36 tracks pass")


def test_hostile_tags_are_text(explorer: Explorer):
    explorer.page.get_by_label("Search tracks").fill(TITLE[:12])
    explorer.page.wait_for_selector("#panel-find .tracks li .go")
    assert explorer.texts("#panel-find .tracks .go b") == [TITLE]
    row = int(explorer.page.locator("#panel-find .tracks li").get_attribute("data-row") or -1)
    explorer.page.mouse.move(*explorer.at(row))
    explorer.page.wait_for_selector(f".tip[data-row='{row}']")
    assert explorer.texts(".tip b") == [TITLE]
    explorer.click(row)
    explorer.wait("document.querySelector('.player .title')?.textContent === argument", TITLE)
    explorer.page.get_by_role("tab", name="Track").click()
    explorer.wait("document.querySelector('#panel-track h2')?.textContent === argument", TITLE)
    assert ARTIST in explorer.texts("#panel-track dd")
    assert LABEL in explorer.texts(".legend button span")
    assert explorer.js("document.querySelectorAll('img, body script, .legend b, .tip img').length") == 0
    assert explorer.js("document.title") == "audioae explorer"


def test_a_dropped_file_is_placed_and_its_neighbors_are_listed(explorer: Explorer, made: Path):
    path = min((made / "catalog").rglob("*.flac"))
    drop(explorer, path)
    explorer.page.wait_for_selector("#panel-find .file .tracks li", timeout=60_000)
    assert explorer.texts("#panel-find .file h3") == [f"Sounds like {path.name}"]
    assert "byte for byte" in explorer.texts("#panel-find .file p")[0]
    x, y = explorer.js("app.map.view.marks.get('file').at")
    nearest = explorer.js("Number(document.querySelector('#panel-find .file .tracks li').dataset.row)")
    assert 0 <= x <= 7
    assert 0 <= y <= 4
    assert nearest in range(36)
    explorer.page.get_by_role("button", name="Play the file").click()
    explorer.wait("!app.player.audio.paused && app.player.audio.currentTime > 0.1")
    explorer.page.get_by_role("button", name="Remove", exact=True).click()
    explorer.wait("!app.map.view.marks.has('file')")


def test_a_file_that_is_no_audio_is_refused_in_words(explorer: Explorer, tmp_path: Path):
    (tmp_path / "notes.flac").write_text("no audio" * 200)
    drop(explorer, tmp_path / "notes.flac")
    explorer.page.wait_for_selector(".fault:not([hidden])", timeout=60_000)
    assert "notes.flac" in explorer.texts(".fault")[0]
    explorer.expect("422", "console: Failed to load resource")


@pytest.fixture
def locked(store, tmp_path: Path):
    """A server that wants a key."""
    with served(
        store.root, tmp_path / "log", AUDIOAE_API_KEYS=f"tests:{hash_key(KEY)}", AUDIOAE_CACHE=str(tmp_path)
    ) as url:
        yield url


def test_a_key_is_asked_for_kept_and_sent_in_the_header_only(locked: str, open_page):
    explorer = open_page(url=locked, ready=False)
    for word in ("a wrong key", KEY):
        explorer.page.wait_for_selector("dialog[open] #key")
        explorer.page.fill("#key", word)
        explorer.page.get_by_role("button", name="Continue").click()
    explorer.page.wait_for_selector("body[data-ready]")
    asked: list[str] = []
    explorer.page.on("request", lambda request: asked.append(request.url))
    explorer.click(12)
    explorer.wait("app.player.audio.currentTime > 0.1", timeout=120_000)  # the decoder of a new server starts
    assert asked
    assert not any("key" in url for url in asked)
    assert KEY not in explorer.js("location.hash")
    explorer.load("#color=artist")  # the same tab asks no more
    assert explorer.state("color") == "artist"
    explorer.expect("401", "console: Failed to load resource")
