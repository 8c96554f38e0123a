"""Titles that would break an answer: markup, control characters, text that turns around, what XML cannot hold."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from audioae.display import shown
from tests.serve.opensubsonic.asking import XMLNS, ask, in_json, in_xml
from tests.serve.serving import Server, in_thread
from tests.stores import made_store

TITLES = [
    "a plain title",
    "]]> <![CDATA[ &amp; &lt;b&gt; <script>alert('x')</script> \"quoted\" --><!--",
    "\x00\x01\x08\x0b\x0c\x1b[31mred\x7f\x85\x9f",
    "two\nlines\r\nand\ta tab",
    "\u202eeltit \u2066 \u2069 turned",
    "\ufffe\uffff\ufdd0 \U0001ffff noncharacters",
    "\u2028\u2029 separators",
    "",
    "é 音楽 😀 \U000e0041",
    "%s %d {0} ${x} <!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]> &x;",
]


def in_xml_text(text: str) -> str:
    return shown(text, None).replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("hostile")
    columns = {"title": TITLES, "artist": TITLES[::-1], "label": TITLES, "album": TITLES}
    with in_thread(made_store(folder / "store", len(TITLES), columns=columns)) as server:
        yield server


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("getSonicSimilarTracks", {"id": "t00", "count": 20}),
        ("findSonicPath", {"startSongId": "t00", "endSongId": "t09", "count": 10}),
    ],
)
def test_json_has_them_as_they_are_and_xml_what_it_can_hold(hostile: Server, method: str, parameters: dict):
    entries = [match["entry"] for match in in_json(hostile, method, **parameters)["sonicMatch"]]
    assert len(entries) >= len(TITLES) - 1
    found = in_xml(hostile, method, **parameters).findall(f"{XMLNS}sonicMatch/{XMLNS}entry")
    for entry, element in zip(entries, found, strict=True):
        row = int(entry["id"][1:])
        title = TITLES[row] or f"t{row:02d}"  # the name of its file
        assert (entry["title"], entry["genre"], entry["artist"]) == (title, TITLES[row], TITLES[::-1][row])
        in_text = shown(title, None).replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")
        assert element.get("title") == in_text
        assert element.get("album") == shown(TITLES[row], None).replace("\ufffe", "\\ufffe").replace(
            "\uffff", "\\uffff"
        )


def test_what_was_asked_for_is_repeated_safely(hostile: Server):
    for text in TITLES:
        failed = in_json(hostile, "getSonicSimilarTracks", id=f"no {text}")["error"]
        assert failed["code"] == 70
        element = in_xml(hostile, "getSonicSimilarTracks", id=f"no {text}")[0]
        assert element.get("code") == "70"
    raw = ask(hostile, "getSonicSimilarTracks", id="<script>").text
    assert "<script>" not in raw


def test_audiomuse_has_them_as_they_are(hostile: Server):
    found = httpx.get(f"{hostile.url}/api/similar_tracks?item_id=t00&n=20").json()
    assert len(found) == len(TITLES) - 1
    for row in found:
        i = int(row["item_id"][1:])
        assert (row["title"], row["author"], row["album"]) == (TITLES[i], TITLES[::-1][i], TITLES[i] or "unknown")
