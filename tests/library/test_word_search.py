"""Words in any order against a plain loop over the catalog."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest

from audioae.api import Library
from audioae.errors import UnknownTrackError
from audioae.library.word_search import row_titled, rows_with_words
from tests.stores import made_store

TITLES = ["Night Drive", "Drive", "night", None, "ｃａｆｅ Noir", "Night Café", "Drive Night", "", "x.y"]
ARTISTS = ["Nova", "Night Owls", None, "Drive Nova", "NOVA", "Åsa", "nova", "Nova", "Ωmega"]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    folder = tmp_path_factory.mktemp("words")
    return Library(made_store(folder / "store", len(TITLES), columns={"title": TITLES, "artist": ARTISTS}))


def folded(text: str | None) -> str:
    return unicodedata.normalize("NFKC", text or "").lower()


def having(text: str) -> set[int]:
    words = [folded(word) for word in text.split()]
    return {
        row
        for row, (title, artist) in enumerate(zip(TITLES, ARTISTS, strict=True))
        if all(word in folded(title) or word in folded(artist) or f"t{row:02d}".startswith(word) for word in words)
    }


@pytest.mark.parametrize(
    "text", ["night drive", "drive night", "nova night", "cafe nova", "Åsa café", "t03 nova", "nova nova", "drive x"]
)
def test_every_word_is_found_somewhere(library: Library, text: str):
    rows = rows_with_words(library.track_search, len(TITLES), text)
    assert set(rows.tolist()) == having(text)
    assert len(set(rows.tolist())) == len(rows)


def test_the_text_as_a_whole_comes_first(library: Library):
    assert rows_with_words(library.track_search, len(TITLES), "drive night").tolist() == [6, 0, 1]
    assert rows_with_words(library.track_search, len(TITLES), "  night drive ").tolist() == [0, 1, 6]
    assert rows_with_words(library.track_search, len(TITLES), "nova").tolist()[0] == 0


def test_title_and_artist_in_full(library: Library):
    assert row_titled(library, "NIGHT drive", "nova") == 0
    assert row_titled(library, "drive night", "NOVA") == 6
    assert row_titled(library, "", "Nova") == 7
    assert row_titled(library, "X.Y", "ωMEGA") == 8
    among = np.ones(len(TITLES), bool)
    among[0] = False
    for title, artist in (("Night Drive", "Nova"), ("Night", "Nova"), ("Drive", ""), ("Night Drive", "Nov")):
        with pytest.raises(UnknownTrackError, match=f"no track '{title}' by '{artist}'"):
            row_titled(library, title, artist, among=among)


def test_a_hundred_words(library: Library, tmp_path: Path):
    assert rows_with_words(library.track_search, len(TITLES), " ".join(f"w{i}" for i in range(100))).tolist() == []
