"""A path is a playlist whose ends are those that were asked for."""

import numpy as np
import pytest

from audioae.api import Library
from audioae.errors import SearchError
from audioae.library.filters import Filters
from audioae.playlists.options import PlaylistOptions
from tests.stores import made_store

N = 20


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    folder = tmp_path_factory.mktemp("paths")
    return Library(
        made_store(folder / "store", N, copies={12: 2}, same_bytes={15: 3, 16: 4}, rejected=[18], pending=[19])
    )


def test_a_path_is_a_playlist(library: Library):
    path = library.sonic_path("t00", "t05", 6)
    playlist = library.playlist(["t00", "t05"], PlaylistOptions(n=6))
    assert path.track_ids == [entry["track_id"] for entry in playlist.document["entries"]]
    embeddings = np.stack([library.embedding_of(library.find(track_id)) for track_id in path.track_ids])
    np.testing.assert_allclose(path.to_start, embeddings @ embeddings[0], atol=1e-6)
    distances = 1 - np.einsum("ij,ij->i", embeddings[:-1], embeddings[1:])
    assert path.length == pytest.approx(float(distances.sum()), abs=1e-5)


def test_only_what_passes_is_between_the_ends(library: Library):
    allowed = ["t01", "t02", "t07", "t08"]
    path = library.sonic_path("t00", "t05", 25, filters=Filters(allow=allowed))
    assert (path.track_ids[0], path.track_ids[-1], set(path.track_ids[1:-1])) == ("t00", "t05", set(allowed))


def test_the_same_bytes_have_other_tracks(library: Library):
    path = library.sonic_path("t15", "t16", 5)  # t03 and t04 were embedded
    assert (path.track_ids[0], path.track_ids[-1], len(path.track_ids)) == ("t15", "t16", 5)
    assert not {"t03", "t04"} & set(path.track_ids)
    twins = library.sonic_path("t03", "t15", 5)
    assert (twins.track_ids, twins.length) == (["t03", "t15"], pytest.approx(0, abs=1e-6))
    alone = library.sonic_path("t15", "t15", 5)
    assert (alone.track_ids, alone.to_start, alone.length) == (["t15"], [pytest.approx(1)], 0)


def test_fewer_only_if_there_are_fewer(library: Library):
    recordings = N - 2 - 2 - 1  # without the rejected, the same bytes and the copy
    assert len(library.sonic_path("t00", "t05", 500).track_ids) == recordings
    assert len(library.sonic_path("t00", "t05", recordings, exact=True).track_ids) == recordings
    with pytest.raises(SearchError, match=f"n={recordings + 1}: only {recordings} different tracks"):
        library.sonic_path("t00", "t05", recordings + 1, exact=True)


@pytest.mark.parametrize(
    ("start", "end", "at_most", "message"),
    [
        ("t00", "t05", 1, "has at least 2 tracks, got 1"),
        ("t18", "t05", 5, "t18 .* has no embedding; silent"),
        ("t00", "t19", 5, "t19 .* has no embedding; it has not been processed yet"),
        ("t19", "t19", 5, "t19 .* has no embedding"),
        ("nobody", "t05", 5, "no track 'nobody'"),
    ],
)
def test_what_cannot_be(library: Library, start: str, end: str, at_most: int, message: str):
    with pytest.raises(SearchError, match=message):
        library.sonic_path(start, end, at_most)


def test_a_length_that_no_playlist_has(library: Library):
    with pytest.raises(ValueError, match="500"):
        library.sonic_path("t00", "t05", 501)
