"""Similar artists against means that are computed track by track."""

from pathlib import Path

import numpy as np
import pytest

from audioae.api import Library
from audioae.errors import SearchError
from audioae.similarity import artists as module
from audioae.similarity.artists import Artists
from tests.stores import made_store

N = 40
NAMES = ["Nova", "nova", "Åsa", "Low", "Solo"]
ARTISTS = [None if i % 6 == 5 else NAMES[i % 6] if i < 36 else "Late" for i in range(N)]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    store = made_store(
        tmp_path_factory.mktemp("artists") / "store",
        N,
        same_bytes={7: 1},
        rejected=[36, 37, 38, 39],
        columns={"artist": ARTISTS},
    )
    return Library(store)


def mean_of(library: Library, artist: str) -> np.ndarray:
    tracks = [library.lookup.track(row) for row in range(N) if ARTISTS[row] == artist]
    embeddings = [library.embedding_of(track) for track in tracks]
    mean = np.asarray(np.mean(embeddings, axis=0, dtype=np.float64))
    return mean / np.linalg.norm(mean)


@pytest.mark.parametrize("block", [1 << 16, 7])
def test_artists_are_compared_by_the_means_of_their_tracks(
    library: Library, block: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "BLOCK", block)
    artists = Artists(library)
    assert len(artists) == len(NAMES)  # not Late: none of its tracks has an embedding
    means = {name: mean_of(library, name) for name in NAMES}
    wanted = sorted(((float(means["Low"] @ means[name]), name) for name in NAMES if name != "Low"), reverse=True)
    found = artists.similar("Low", 10)
    assert [artist.artist for artist in found] == [name for _, name in wanted]
    np.testing.assert_allclose([artist.score for artist in found], [score for score, _ in wanted], atol=1e-6)
    assert [artist.rank for artist in found] == [1, 2, 3, 4]
    assert {artist.artist: artist.n_tracks for artist in found} == {n: ARTISTS.count(n) for n in NAMES if n != "Low"}
    assert [dict(artist) for artist in artists.similar("Low", 2)] == [dict(artist) for artist in found[:2]]


def test_only_artists_with_an_allowed_track_are_shown(library: Library):
    among = np.isin(np.array(ARTISTS, object), ["Solo", "Low"])
    assert [a.artist for a in Artists(library).similar("Low", 5, among=among)] == ["Solo"]
    assert Artists(library).similar("Low", 5, among=np.zeros(N, bool)) == []


def test_a_name_is_found_in_any_case_if_it_is_not_ambiguous(library: Library):
    artists = Artists(library)
    assert artists.find("ÅSA") == artists.find("Åsa")
    assert artists.find("Nova") != artists.find("nova")
    with pytest.raises(SearchError, match="2 artists are written like 'NOVA': 'Nova', 'nova'"):
        artists.find("NOVA")
    with pytest.raises(SearchError, match="no artist 'Late' among the 5 with an embedding"):
        artists.similar("Late")
    with pytest.raises(SearchError, match="no artist ''"):
        artists.similar("")
    with pytest.raises(SearchError, match="k=0"):
        artists.similar("Low", 0)


def test_the_closest_tracks_to_another_artist(library: Library):
    artists, target = Artists(library), mean_of(library, "Low")
    rows = [row for row in range(N) if ARTISTS[row] == "nova"]  # 1, 7 (the same bytes) ...
    cosines = {row: float(library.embedding_of(library.lookup.track(row)) @ target) for row in rows}
    found = artists.closest_tracks("nova", "Low", 4)
    assert found == sorted(rows, key=lambda row: (-round(cosines[row], 6), row))[:4]
    among = np.ones(N, bool)
    among[found[0]] = False
    assert artists.closest_tracks("nova", "Low", 1, among=among) == found[1:2]


def test_a_catalog_without_artists(tmp_path: Path):
    library = Library(made_store(tmp_path / "store", 4, columns={"artist": [None] * 4}))
    artists = Artists(library)
    assert len(artists) == 0
    with pytest.raises(SearchError, match="no artist 'x' among the 0"):
        artists.similar("x")
