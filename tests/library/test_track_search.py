"""Search by words against a plain loop over the catalog, whether few titles match or many."""

import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioae.api import Library
from audioae.errors import SearchError
from audioae.library import track_search
from audioae.library.track_search import TrackSearch
from tests.stores import made_store

WORDS = st.lists(st.sampled_from(["a", "ab", "B", "Ａ", "é", "É", " ", "aba", "ñ", ".", "%", ""]), max_size=4).map(
    "".join
)


def catalog(titles: Sequence[str | None], artists: Sequence[str | None]) -> pa.Table:
    ids = [f"id{row:02d}" for row in range(len(titles))]
    texts = {"track_id": ids, "title": titles, "artist": artists}
    return pa.table({name: pa.array(column, pa.string()) for name, column in texts.items()})


def folded(text: str | None) -> str:
    return unicodedata.normalize("NFKC", text or "").lower()


def expected(tracks: pa.Table, query: str) -> list[int]:
    """Rows in order of their places, by the definition."""
    text = folded(query)
    if not text:
        return list(range(tracks.num_rows))
    places = []
    for row, track in enumerate(tracks.to_pylist()):
        title, artist = folded(track["title"]), folded(track["artist"])
        if title == text:
            places.append((0, row))
        elif title.startswith(text) or artist.startswith(text) or track["track_id"].startswith(query):
            places.append((1, row))
        elif text in title or text in artist:
            places.append((2, row))
    return [row for _, row in sorted(places)]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(WORDS, st.none() | WORDS), min_size=1, max_size=12), WORDS, st.sampled_from([0, 1, 2000]))
def test_finds_what_a_plain_loop_finds(rows, query, few):
    tracks = catalog(*zip(*rows, strict=True))
    before, track_search.FEW = track_search.FEW, few
    try:
        assert TrackSearch(tracks).rows(query).tolist() == expected(tracks, query)
    finally:
        track_search.FEW = before


@pytest.mark.parametrize("few", [0, 2000])
def test_the_best_match_comes_first(few, monkeypatch):
    monkeypatch.setattr(track_search, "FEW", few)
    titles = ["A night", "Nights", "night", None, "Other", "Day", "ig", "ht"]
    artists = [None, "Who", "Who", "Night Owls", "The Night", "x", "y", "z"]
    search = TrackSearch(catalog(titles, artists))
    assert search.rows("NIGHT").tolist() == [2, 1, 3, 0, 4]
    assert search.rows("ight").tolist() == [0, 1, 2, 3, 4], "not across two titles"
    assert search.rows("id0").tolist() == list(range(8))
    assert search.rows("ID0").tolist() == [], "track_ids are compared with case"
    assert search.rows("[").tolist() == []


def test_pages(tmp_path: Path):
    library = Library(made_store(tmp_path / "store", 25, same_bytes={20: 3}, rejected=[4]))
    whole = library.search_tracks("title", 100)
    assert (whole.total, [track.track_id for track in whole.tracks]) == (25, [f"t{row:02d}" for row in range(25)])
    assert (whole.tracks[20].duplicate_of, whole.tracks[4].title) == ("t03", "Title 4")
    page = library.search_tracks("title", 10, 20)
    assert [dict(track) for track in page.tracks] == [dict(track) for track in whole.tracks[20:]]
    assert (page.total, page.offset, library.search_tracks("title", 10, 30).tracks) == (25, 20, [])
    for limit, offset in ((0, 0), (101, 0), (1, -1)):
        with pytest.raises(SearchError, match=f"{'offset=-1' if offset else f'limit={limit}'}: wanted"):
            library.search_tracks("title", limit, offset)
